#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/case_file.pb.h"
#include "sankofa/validation/v1/committee.pb.h"
#include "sankofa/validation/v1/forwarded_vote.pb.h"
#include "sankofa/validation/v1/life_project.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/validation/budget.h"
#include "services/validation/case_file.h"
#include "services/validation/committee.h"
#include "services/validation/minutes.h"
#include "services/validation/session.h"
#include "services/validation/voting.h"

// A sitting that is open: who is there, interests, votes, and the end.
namespace sankofa::validation {
namespace {

using common::v1::Money;
using engine::Context;
using engine::Decision;
using engine::Events;
using internal::IsBefore;
using internal::NeedState;
using status::Refuse;
using status::RefuseField;

constexpr const char* kSecretary = "committee_secretary";

bool IsSecretary(const Context& context) {
  const auto& roles = context.actor.roles;
  return std::find(roles.begin(), roles.end(), kSecretary) != roles.end();
}

// A seat that votes through a partner's node is held by a subject of that node's tokens: nobody here is meant by it.
bool SitsIn(const v1::SessionSeat& seat, const Context& context) {
  return seat.seat().node().empty() && !context.actor.subject.empty() &&
         OccupantOf(seat) == context.actor.subject;
}

// The secretary, or who presides; with a project, over that project.
absl::Status CheckLeads(const v1::Session& session, const v1::AgendaItem& item,
                        const Context& context) {
  if (IsSecretary(context)) return absl::OkStatus();
  const v1::SessionSeat* presiding = PresidingSeat(session, item);
  if (presiding != nullptr && SitsIn(*presiding, context)) return absl::OkStatus();
  return Refuse(v1::REASON_NOT_PRESIDING);
}

// The item of an open sitting that is still to be decided.
absl::StatusOr<const v1::AgendaItem*> OpenItem(const v1::Session& session,
                                               const std::string& project_id) {
  if (auto state = NeedState(session, v1::SESSION_STATE_OPEN); !state.ok()) return state;
  const v1::AgendaItem* item = FindItem(session, project_id);
  if (item == nullptr) return RefuseField(v1::REASON_PROJECT_NOT_ON_AGENDA, "project_id");
  if (item->outcome() != v1::AGENDA_OUTCOME_UNSPECIFIED) return Refuse(v1::REASON_PROJECT_DECIDED);
  return item;
}

// G9: the project is before this sitting, in the version that was frozen on the agenda, word for word.
absl::Status CheckFrozen(const v1::Session& session, const v1::AgendaItem& item,
                         const v1::LifeProject& project) {
  const bool same = project.version() == item.version() && project.versions_size() > 0 &&
                    project.versions().rbegin()->content_hash() == item.content_hash();
  if (!same) return Refuse(v1::REASON_PROJECT_VERSION_CHANGED);
  if (!IsBefore(session, project)) return Refuse(v1::REASON_PROJECT_NOT_IN_COMMITTEE);
  return absl::OkStatus();
}

absl::Status CheckPresence(const v1::Seat& seat, v1::Presence presence, const std::string& field) {
  if (presence == v1::PRESENCE_DEPUTY && seat.deputy_subject().empty()) {
    return RefuseField(v1::REASON_DEPUTY_UNKNOWN, field);
  }
  return absl::OkStatus();
}

// The committee's seats in office, with who is there.
absl::StatusOr<google::protobuf::RepeatedPtrField<v1::SessionSeat>> SeatsOf(
    const v1::Committee& committee, const v1::OpenSessionRequest& request) {
  google::protobuf::RepeatedPtrField<v1::SessionSeat> seats;
  for (const v1::Seat& seat : committee.seats()) {
    if (seat.holder_subject().empty()) continue;
    *seats.Add()->mutable_seat() = seat;
    seats.rbegin()->set_presence(v1::PRESENCE_ABSENT);
  }
  std::set<std::string> named;
  for (int i = 0; i < request.attendance_size(); ++i) {
    const v1::Attendance& attendance = request.attendance(i);
    const std::string field = absl::StrCat("attendance[", i, "]");
    if (!named.insert(attendance.seat_code()).second) {
      return RefuseField(common::v1::REASON_INVALID_FIELD, absl::StrCat(field, ".seat_code"),
                         "named twice");
    }
    const v1::Seat* seat = FindSeat(committee, attendance.seat_code());
    if (seat == nullptr) return RefuseField(v1::REASON_SEAT_UNKNOWN, field);
    if (seat->holder_subject().empty()) return RefuseField(v1::REASON_SEAT_VACANT, field);
    if (auto ok = CheckPresence(*seat, attendance.presence(), field); !ok.ok()) return ok;
    for (v1::SessionSeat& one : seats) {
      if (one.seat().code() == seat->code()) one.set_presence(attendance.presence());
    }
  }
  return seats;
}

v1::AgendaItemDecided OutcomeOf(const v1::Session& session, const v1::AgendaItem& item,
                                v1::AgendaOutcome outcome, const std::string& reason,
                                const Context& context) {
  v1::AgendaItemDecided event;
  event.set_session_id(session.id());
  event.set_project_id(item.project_id());
  event.set_outcome(outcome);
  event.set_reason(reason);
  *event.mutable_decided_time() = time::ToTimestamp(context.now);
  return event;
}

// What the project is told, whatever the outcome.
template <class Event>
Event ForProject(const v1::Session& session, const v1::AgendaItem& item, const Context& context) {
  Event event;
  event.set_project_id(item.project_id());
  event.set_case_id(item.case_id());
  event.set_version(item.version());
  event.set_session_id(session.id());
  *event.mutable_decided_time() = time::ToTimestamp(context.now);
  return event;
}

Events Adjourn(const v1::Session& session, const v1::AgendaItem& item, v1::AdjournmentCause cause,
               const std::string& reason, const Context& context) {
  auto decided = OutcomeOf(session, item, v1::AGENDA_OUTCOME_ADJOURNED, reason, context);
  decided.set_applicant_absent(cause == v1::ADJOURNMENT_CAUSE_APPLICANT_ABSENT);
  auto adjourned = ForProject<v1::ProjectAdjourned>(session, item, context);
  adjourned.set_cause(cause);
  adjourned.set_reason(reason);
  return engine::Emit(std::move(decided)).AddTo<v1::LifeProject>(item.project_id(), adjourned);
}

Decision RefuseProject(const v1::Session& session, const v1::AgendaItem& item,
                       const v1::LifeProject& project, const v1::DecideProjectRequest& request,
                       const Context& context) {
  if (request.reason().empty()) return RefuseField(v1::REASON_DECISION_REASON_MISSING, "reason");
  auto refused = ForProject<v1::ProjectRefused>(session, item, context);
  refused.set_reason(request.reason());
  if (!project.has_appeal() && session.appeal_period_days() > 0) {
    refused.set_appeal_until(
        time::FormatDay(time::DayOf(context.now) + session.appeal_period_days()));
  }
  v1::CaseProjectEnded ended;
  ended.set_case_id(item.case_id());
  ended.set_project_id(item.project_id());
  return engine::Emit(
             OutcomeOf(session, item, v1::AGENDA_OUTCOME_REFUSED, request.reason(), context))
      .AddTo<v1::LifeProject>(item.project_id(), refused)
      .AddTo<v1::CaseFile>(item.case_id(), ended);
}

// What is approved: within what is asked for, the ceiling, what the votes support, and what the cap leaves.
absl::StatusOr<Money> AmountOf(const v1::Session& session, const v1::AgendaItem& item,
                               const v1::DecideProjectRequest& request) {
  const Money& requested = item.requested();
  const std::int64_t supported = SupportedAmount(item);
  Money amount = money::Of(requested.currency(), supported);
  if (item.has_ceiling()) {
    amount.set_minor_units(std::min(supported, item.ceiling().minor_units()));
  }
  if (request.has_amount()) {
    amount = request.amount();
    if (auto ok = CheckAmount(amount, "amount"); !ok.ok()) return ok;
    if (!money::SameCurrency(amount, requested)) {
      return RefuseField(v1::REASON_CURRENCY_DIFFERS, "amount.currency");
    }
    if (amount.minor_units() > requested.minor_units()) {
      return RefuseField(v1::REASON_AMOUNT_OVER_REQUEST, "amount");
    }
    if (item.has_ceiling() && amount.minor_units() > item.ceiling().minor_units()) {
      return RefuseField(v1::REASON_AMOUNT_OVER_CEILING, "amount");
    }
    if (amount.minor_units() > supported) {
      return Refuse(v1::REASON_AMOUNT_NOT_SUPPORTED,
                    {.fields = {{"amount", ""}},
                     .metadata = {{"supported_minor_units", absl::StrCat(supported)}}});
    }
  }
  Money approved = money::Zero(amount.currency());
  for (const Money& total : session.approved_totals()) {
    if (money::SameCurrency(total, amount)) approved = total;
  }
  const auto sum = money::Add(approved, amount);
  if (!sum.ok()) return RefuseField(common::v1::REASON_MONEY, "amount");
  if (session.has_cap() && sum->minor_units() > session.cap().minor_units()) {
    const std::int64_t left = session.cap().minor_units() - approved.minor_units();
    return Refuse(v1::REASON_CAP_EXCEEDED, {.fields = {{"amount", ""}},
                                            .metadata = {{"left_minor_units", absl::StrCat(left)},
                                                         {"currency", amount.currency()}}});
  }
  return amount;
}

Decision ApproveProject(const v1::Session& session, const v1::AgendaItem& item,
                        const v1::LifeProject& project, const v1::DecideProjectRequest& request,
                        const Context& context) {
  if (!IsReady(context.Related<v1::CaseFile>(item.case_id()))) {
    return Refuse(v1::REASON_CASE_NOT_READY);
  }
  const auto amount = AmountOf(session, item, request);
  if (!amount.ok()) return amount.status();
  auto decided = OutcomeOf(session, item, v1::AGENDA_OUTCOME_APPROVED, request.reason(), context);
  *decided.mutable_approved() = *amount;
  *decided.mutable_conditions() = request.conditions();
  auto approved = ForProject<v1::ProjectApproved>(session, item, context);
  *approved.mutable_amount() = *amount;
  *approved.mutable_conditions() = request.conditions();
  approved.set_kind(item.kind());
  approved.set_programme(project.programme());
  approved.set_sector(project.content().sector());
  approved.set_region(project.content().region());
  approved.set_jobs(project.content().jobs());
  return engine::Emit(std::move(decided)).AddTo<v1::LifeProject>(item.project_id(), approved);
}

absl::StatusOr<v1::AgendaOutcome> OutcomeOfVotes(const v1::Session& session,
                                                 const v1::AgendaItem& item) {
  switch (CountVotes(session, item)) {
    case Verdict::kNoVotes: return Refuse(v1::REASON_VOTES_MISSING);
    case Verdict::kCastingVoteMissing: return Refuse(v1::REASON_CASTING_VOTE_MISSING);
    case Verdict::kApproved: return v1::AGENDA_OUTCOME_APPROVED;
    case Verdict::kRefused: return v1::AGENDA_OUTCOME_REFUSED;
    case Verdict::kAdjourned: break;
  }
  return v1::AGENDA_OUTCOME_ADJOURNED;
}

// A vote as it is to be counted, cast here or at a partner's node.
struct Ballot {
  const std::string& project_id;
  const std::string& seat_code;
  v1::VoteValue value;
  const Money* proposed;  // null: none
  const std::string& subject;
  const std::string& node;  // empty: here
};

absl::Status CheckProposal(const Ballot& ballot, const v1::AgendaItem& item) {
  if (ballot.proposed == nullptr) return absl::OkStatus();
  if (ballot.value != v1::VOTE_VALUE_FOR) {
    return RefuseField(v1::REASON_AMOUNT_WITHOUT_APPROVAL, "proposed_amount");
  }
  if (auto ok = CheckAmount(*ballot.proposed, "proposed_amount"); !ok.ok()) return ok;
  if (!money::SameCurrency(*ballot.proposed, item.requested())) {
    return RefuseField(v1::REASON_CURRENCY_DIFFERS, "proposed_amount.currency");
  }
  if (ballot.proposed->minor_units() > item.requested().minor_units()) {
    return RefuseField(v1::REASON_AMOUNT_OVER_REQUEST, "proposed_amount");
  }
  return absl::OkStatus();
}

// The rules of a vote. Through which node it came makes no difference to any of them.
absl::StatusOr<v1::VoteCast> Count(const v1::Session& session, const Ballot& ballot,
                                   const Context& context) {
  const auto item = OpenItem(session, ballot.project_id);
  if (!item.ok()) return item.status();
  const v1::SessionSeat* seat = FindSeat(session, ballot.seat_code);
  if (seat == nullptr) return RefuseField(v1::REASON_SEAT_UNKNOWN, "seat_code");
  if (seat->seat().node() != ballot.node) return Refuse(v1::REASON_SEAT_OF_ANOTHER_NODE);
  if (!IsPresent(*seat)) return Refuse(v1::REASON_SEAT_ABSENT);
  if (ballot.subject.empty() || OccupantOf(*seat) != ballot.subject) {
    return Refuse(v1::REASON_NOT_SEAT_HOLDER);
  }
  if (seat->seat().without_vote()) return Refuse(v1::REASON_SEAT_HAS_NO_VOTE);
  if (HasInterest(**item, ballot.seat_code)) return Refuse(v1::REASON_INTEREST_DECLARED);
  if (HasVoted(**item, ballot.seat_code)) return Refuse(v1::REASON_ALREADY_VOTED);
  if (auto wrong = CheckProposal(ballot, **item); !wrong.ok()) return wrong;
  v1::VoteCast event;
  event.set_session_id(session.id());
  event.set_project_id(ballot.project_id);
  v1::Vote& vote = *event.mutable_vote();
  vote.set_seat_code(ballot.seat_code);
  vote.set_value(ballot.value);
  if (ballot.proposed != nullptr) *vote.mutable_proposed_amount() = *ballot.proposed;
  vote.set_subject(ballot.subject);
  vote.set_node(ballot.node);
  *vote.mutable_cast_time() = time::ToTimestamp(context.now);
  return event;
}

// What a partner sent went through no check of form.
absl::StatusOr<v1::VoteCast> CountForwarded(const v1::Session& session,
                                            const v1::VoteForwarded& told,
                                            const std::string& sender, const Context& context) {
  if (session.id().empty()) return Refuse(v1::REASON_SESSION_UNKNOWN);
  if (!v1::VoteValue_IsValid(told.value()) || told.value() == v1::VOTE_VALUE_UNSPECIFIED) {
    return RefuseField(common::v1::REASON_INVALID_FIELD, "value");
  }
  const v1::AgendaItem* item = FindItem(session, told.project_id());
  if (item != nullptr && item->case_id() != told.case_id()) {
    return RefuseField(v1::REASON_PROJECT_NOT_ON_AGENDA, "project_id");
  }
  return Count(session,
               {.project_id = told.project_id(),
                .seat_code = told.seat_code(),
                .value = told.value(),
                .proposed = told.has_proposed_amount() ? &told.proposed_amount() : nullptr,
                .subject = told.subject(),
                .node = sender},
               context);
}

}  // namespace

Decision SessionDecider::Decide(const State& session, const v1::OpenSessionRequest& request,
                                const Context& context) {
  if (auto state = NeedState(session, v1::SESSION_STATE_SCHEDULED); !state.ok()) return state;
  const auto day = time::ParseDay(session.date());
  if (!day || time::DayOf(context.now) < *day) return Refuse(v1::REASON_SESSION_NOT_DUE);
  if (session.agenda().empty()) return Refuse(v1::REASON_AGENDA_EMPTY);
  const auto& committee = context.Related<v1::Committee>(session.committee_code());
  auto seats = SeatsOf(committee, request);
  if (!seats.ok()) return seats.status();

  v1::SessionOpened event;
  event.set_session_id(session.id());
  event.set_committee_code(session.committee_code());
  *event.mutable_seats() = *std::move(seats);
  *event.mutable_quorum() = committee.quorum();
  event.set_appeal_period_days(committee.appeal_period_days());
  *event.mutable_opened_time() = time::ToTimestamp(context.now);
  State opened = session;
  Apply(opened, event);
  if (!HasQuorum(opened, {})) return Refuse(v1::REASON_QUORUM_NOT_REACHED);
  if (PresidingSeat(opened, {}) == nullptr) return Refuse(v1::REASON_PRESIDING_SEAT_ABSENT);
  return engine::Emit(std::move(event));
}

Decision SessionDecider::Decide(const State& session, const v1::RecordAttendanceRequest& request,
                                const Context& /*context*/) {
  if (auto state = NeedState(session, v1::SESSION_STATE_OPEN); !state.ok()) return state;
  const v1::Attendance& attendance = request.attendance();
  const v1::SessionSeat* seat = FindSeat(session, attendance.seat_code());
  if (seat == nullptr) return RefuseField(v1::REASON_SEAT_UNKNOWN, "attendance.seat_code");
  if (auto ok = CheckPresence(seat->seat(), attendance.presence(), "attendance.presence");
      !ok.ok()) {
    return ok;
  }
  if (seat->presence() == attendance.presence()) return Events();
  v1::AttendanceRecorded event;
  event.set_session_id(session.id());
  event.set_seat_code(attendance.seat_code());
  event.set_presence(attendance.presence());
  return engine::Emit(event);
}

Decision SessionDecider::Decide(const State& session, const v1::DeclareInterestRequest& request,
                                const Context& context) {
  const auto item = OpenItem(session, request.project_id());
  if (!item.ok()) return item.status();
  const v1::SessionSeat* seat = FindSeat(session, request.seat_code());
  if (seat == nullptr) return RefuseField(v1::REASON_SEAT_UNKNOWN, "seat_code");
  const std::string& caller = context.actor.subject;
  const bool own =
      seat->seat().node().empty() && !caller.empty() &&
      (caller == seat->seat().holder_subject() || caller == seat->seat().deputy_subject());
  if (!own && !IsSecretary(context)) return Refuse(v1::REASON_NOT_SEAT_HOLDER);
  if (HasInterest(**item, request.seat_code())) return Events();
  v1::InterestDeclared event;
  event.set_session_id(session.id());
  event.set_project_id(request.project_id());
  event.set_seat_code(request.seat_code());
  return engine::Emit(event);
}

Decision SessionDecider::Decide(const State& session, const v1::CastVoteRequest& request,
                                const Context& context) {
  static const std::string here;
  const Ballot ballot{
      .project_id = request.project_id(),
      .seat_code = request.seat_code(),
      .value = request.value(),
      .proposed = request.has_proposed_amount() ? &request.proposed_amount() : nullptr,
      .subject = context.actor.subject,
      .node = here};
  auto cast = Count(session, ballot, context);
  if (!cast.ok()) return cast.status();
  return engine::Emit(*std::move(cast));
}

// A vote from a partner's node is answered in any case, and once: a repeat finds the ForwardedVote.
Decision SessionDecider::Decide(const State& session, const v1::ReceiveVoteRequest& request,
                                const Context& context) {
  const v1::VoteForwarded& told = request.vote();
  if (told.vote_id().empty() || told.case_id().empty() ||
      told.session_id() != request.session_id() || told.to_node() != context.node) {
    return Refuse(v1::REASON_VOTE_NOT_OURS);
  }
  const auto& known = context.Related<v1::ForwardedVote>(told.vote_id());
  if (!known.id().empty()) {
    if (known.source_node() == request.sender()) return Events();
    return Refuse(v1::REASON_VOTE_NOT_OURS);
  }
  auto cast = CountForwarded(session, told, request.sender(), context);
  v1::VoteForwarded forwarded = told;
  forwarded.set_source_node(request.sender());
  v1::VoteAnswered answered;
  answered.set_vote_id(told.vote_id());
  answered.set_case_id(told.case_id());
  answered.set_addressee(request.sender());
  answered.set_counted(cast.ok());
  if (!cast.ok()) answered.set_reason(status::ReasonOf(cast.status()));
  *answered.mutable_answered_time() = time::ToTimestamp(context.now);
  Events events;
  if (cast.ok()) events.Add(*std::move(cast));
  events.AddTo<v1::ForwardedVote>(told.vote_id(), std::move(forwarded));
  events.AddTo<v1::ForwardedVote>(told.vote_id(), std::move(answered));
  return events;
}

Decision SessionDecider::Decide(const State& session, const v1::MarkApplicantAbsentRequest& request,
                                const Context& context) {
  const auto item = OpenItem(session, request.project_id());
  if (!item.ok()) return item.status();
  const auto& project = context.Related<v1::LifeProject>(request.project_id());
  if (auto frozen = CheckFrozen(session, **item, project); !frozen.ok()) return frozen;
  if (!(*item)->votes().empty()) return Refuse(v1::REASON_VOTE_STARTED);
  return Adjourn(session, **item, v1::ADJOURNMENT_CAUSE_APPLICANT_ABSENT, "", context);
}

Decision SessionDecider::Decide(const State& session, const v1::DecideProjectRequest& request,
                                const Context& context) {
  const auto found = OpenItem(session, request.project_id());
  if (!found.ok()) return found.status();
  const v1::AgendaItem& item = **found;
  if (auto leads = CheckLeads(session, item, context); !leads.ok()) return leads;
  const auto& project = context.Related<v1::LifeProject>(request.project_id());
  if (auto frozen = CheckFrozen(session, item, project); !frozen.ok()) return frozen;
  if (!HasQuorum(session, item)) return Refuse(v1::REASON_QUORUM_NOT_REACHED);
  const auto outcome = OutcomeOfVotes(session, item);
  if (!outcome.ok()) return outcome.status();
  if (request.expected_outcome() != v1::AGENDA_OUTCOME_UNSPECIFIED &&
      request.expected_outcome() != *outcome) {
    return RefuseField(v1::REASON_OUTCOME_DIFFERS, "expected_outcome");
  }
  if (*outcome == v1::AGENDA_OUTCOME_APPROVED) {
    return ApproveProject(session, item, project, request, context);
  }
  if (request.has_amount() || !request.conditions().empty()) {
    return RefuseField(v1::REASON_AMOUNT_WITHOUT_APPROVAL,
                       request.has_amount() ? "amount" : "conditions");
  }
  if (*outcome == v1::AGENDA_OUTCOME_REFUSED) {
    return RefuseProject(session, item, project, request, context);
  }
  return Adjourn(session, item, v1::ADJOURNMENT_CAUSE_VOTE, request.reason(), context);
}

// What is not decided comes back; what changed or was withdrawn since it was put on the agenda was not examined.
Decision SessionDecider::Decide(const State& session, const v1::CloseSessionRequest& /*request*/,
                                const Context& context) {
  if (auto state = NeedState(session, v1::SESSION_STATE_OPEN); !state.ok()) return state;
  if (auto leads = CheckLeads(session, {}, context); !leads.ok()) return leads;
  Events events;
  State closing = session;
  for (const v1::AgendaItem& item : session.agenda()) {
    if (item.outcome() != v1::AGENDA_OUTCOME_UNSPECIFIED) continue;
    const auto& project = context.Related<v1::LifeProject>(item.project_id());
    const bool here = CheckFrozen(session, item, project).ok();
    auto decided =
        OutcomeOf(session, item, here ? v1::AGENDA_OUTCOME_ADJOURNED : v1::AGENDA_OUTCOME_DROPPED,
                  "", context);
    Apply(closing, decided);
    events.Add(std::move(decided));
    if (!here) continue;
    auto adjourned = ForProject<v1::ProjectAdjourned>(session, item, context);
    adjourned.set_cause(v1::ADJOURNMENT_CAUSE_NOT_REACHED);
    events.AddTo<v1::LifeProject>(item.project_id(), std::move(adjourned));
  }
  events.Add(CloseWithMinutes(closing, context));
  return events;
}

}  // namespace sankofa::validation
