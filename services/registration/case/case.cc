#include "services/registration/case/case.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/sides.h"
#include "services/registration/organisation.h"
#include "services/registration/person/age.h"
#include "services/registration/person/person.h"

namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::ToTimestamp;

const v1::Person& PersonOf(const v1::Case& of, const engine::Context& context) {
  return context.Related<v1::Person>(of.person_id());
}

// Open, and in this state.
absl::Status CheckState(const v1::Case& of, v1::CaseState expected, v1::Reason otherwise) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  return of.state() == expected ? absl::OkStatus() : Refuse(otherwise);
}

absl::Status CheckHeader(const v1::CaseHeader& header, const v1::Person& person,
                         const engine::Context& context) {
  if (header.origin_country() == header.host_country()) {
    return RefuseField(v1::REASON_SAME_COUNTRY, "header.host_country");
  }
  if (!context.country.empty() && header.origin_country() != context.country &&
      header.host_country() != context.country) {
    return RefuseField(v1::REASON_COUNTRY_NOT_OURS, "header.origin_country");
  }
  const std::string& entry = header.host_entry_date();
  if (!entry.empty() && entry < person.details().birth_date()) {
    return RefuseField(v1::REASON_ENTRY_BEFORE_BIRTH, "header.host_entry_date");
  }
  if (!header.planned_return_date().empty() && header.planned_return_date() < entry) {
    return RefuseField(v1::REASON_RETURN_BEFORE_ENTRY, "header.planned_return_date");
  }
  return absl::OkStatus();
}

absl::Status CheckArrival(const std::string& arrival, const v1::CaseHeader& header,
                          const v1::Person& person) {
  if (arrival < person.details().birth_date()) {
    return RefuseField(v1::REASON_ARRIVAL_BEFORE_BIRTH, "arrival_date");
  }
  if (arrival < header.host_entry_date()) {
    return RefuseField(v1::REASON_ARRIVAL_BEFORE_ENTRY, "arrival_date");
  }
  return absl::OkStatus();
}

// Opens a case; an arrival date makes it retroactive.
engine::Decision Open(const std::string& person_id, const v1::CaseHeader& header,
                      const std::string& arrival_date, const engine::Context& context) {
  const auto& person = context.Related<v1::Person>(person_id);
  if (auto wrong = CheckFree(person); !wrong.ok()) return wrong;
  if (!person.source_node().empty()) return Refuse(v1::REASON_PERSON_OF_PARTNER);
  if (auto wrong = CheckHeader(header, person, context); !wrong.ok()) return wrong;
  if (!arrival_date.empty()) {
    if (auto wrong = CheckArrival(arrival_date, header, person); !wrong.ok()) return wrong;
  }
  if (person.case_ids_size() >= kCasesMax) return Refuse(v1::REASON_TOO_MANY_CASES);
  const absl::CivilDay today = time::DayOf(context.now);
  const Household household = HouseholdOf(person, today);
  v1::CaseRegistered event;
  event.set_case_id(context.NewId());
  event.set_person_id(person_id);
  event.set_reference(
      ReferenceOf(header.origin_country(), static_cast<int>(today.year()), event.case_id()));
  event.set_origin_country(header.origin_country());
  event.set_host_country(header.host_country());
  event.set_return_type(header.return_type());
  event.set_programme(header.programme());
  event.set_partner(header.partner());
  event.set_region(header.region());
  event.set_host_entry_date(header.host_entry_date());
  event.set_planned_return_date(header.planned_return_date());
  event.set_responsible_organisation(OrganisationOf(context));
  event.set_adults(household.adults);
  event.set_children(household.children);
  *event.mutable_profile() = ProfileOf(person, today);
  event.set_retroactive(!arrival_date.empty());
  event.set_arrival_date(arrival_date);
  *event.mutable_registered_time() = ToTimestamp(context.now);
  const auto opened = CaseOpenedFor(person_id, event.case_id());
  return engine::Emit(std::move(event)).AddTo<v1::Person>(person_id, opened);
}

engine::Events RefuseAndClose(const v1::Case& of, v1::RefusalReason reason, const std::string& note,
                              const engine::Context& context) {
  v1::CaseRefused refused;
  refused.set_case_id(of.id());
  refused.set_reason(reason);
  refused.set_note(note);
  refused.set_submission(of.submission());
  *refused.mutable_refused_time() = ToTimestamp(context.now);
  v1::CaseClosed closed;
  closed.set_case_id(of.id());
  closed.set_reason(v1::CLOSE_REASON_REFUSED);
  closed.set_turn(of.turn() + 1);
  *closed.mutable_closed_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(refused), std::move(closed))
      .AddTo<v1::Person>(of.person_id(), CaseClosedFor(of.person_id(), of.id()));
}

absl::Status CheckRefusal(v1::RefusalReason reason, const std::string& note) {
  if (reason == v1::REFUSAL_REASON_UNSPECIFIED || reason == v1::REFUSAL_REASON_NO_ANSWER) {
    return RefuseField(v1::REASON_REFUSAL_REASON_NOT_AVAILABLE, "reason");
  }
  if (reason == v1::REFUSAL_REASON_OTHER && note.empty()) {
    return RefuseField(v1::REASON_NOTE_REQUIRED, "note");
  }
  return absl::OkStatus();
}

v1::CaseAccepted Accepted(const v1::Case& of, const engine::Context& context) {
  v1::CaseAccepted event;
  event.set_case_id(of.id());
  event.set_submission(of.submission());
  *event.mutable_accepted_time() = ToTimestamp(context.now);
  return event;
}

v1::CaseArrived Arrived(const v1::Case& of, const std::string& arrival_date) {
  v1::CaseArrived event;
  event.set_case_id(of.id());
  event.set_arrival_date(arrival_date);
  return event;
}

// What statistics know of the person; what a partner did not disclose is as the partner said.
v1::StatisticalProfile ProfileFor(const v1::Case& of, const v1::Person& person,
                                  absl::CivilDay today, bool found_vulnerable) {
  v1::StatisticalProfile profile = ProfileOf(person, today, found_vulnerable);
  if (person.details_source().empty()) return profile;
  if (profile.sex() == v1::SEX_UNSPECIFIED) profile.set_sex(of.profile().sex());
  if (profile.age_band() == v1::AGE_BAND_UNSPECIFIED) {
    profile.set_age_band(of.profile().age_band());
  }
  profile.set_vulnerable(profile.vulnerable() || of.profile().vulnerable());
  return profile;
}

absl::Status CheckNeeds(const v1::Assessment& assessment) {
  std::set<int> seen;
  for (int i = 0; i < assessment.needs_size(); ++i) {
    const int need = assessment.needs(i);
    if (!v1::Need_IsValid(need) || need == v1::NEED_UNSPECIFIED || !seen.insert(need).second) {
      return RefuseField(v1::REASON_NEED_REPEATED, absl::StrCat("assessment.needs[", i, "]"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ReferenceOf(const std::string& origin_country, int year, const std::string& case_id) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  // The 15 hex digits of the UUID that vary: without hyphens and the two fixed ones.
  std::uint64_t bits = 0;
  int taken = 0;
  for (size_t i = 0; i < case_id.size() && taken < 15; ++i) {
    if (case_id[i] == '-' || i == 14 || i == 19) continue;
    const char digit = case_id[i];
    bits = bits << 4 | static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    ++taken;
  }
  std::string code(12, '0');
  for (size_t i = code.size(); i-- > 0; bits >>= 5) code[i] = kDigits[bits & 31];
  return absl::StrFormat("%s-%04d-%s", origin_country, year, code);
}

absl::Status CheckFree(const v1::Person& person) {
  if (auto wrong = CheckActive(person); !wrong.ok()) return wrong;
  if (!person.open_case_id().empty()) {
    return Refuse(v1::REASON_SECOND_OPEN_CASE,
                  {.fields = {}, .metadata = {{"open_case_id", person.open_case_id()}}});
  }
  return absl::OkStatus();
}

Household HouseholdFor(const v1::Case& of, const v1::Person& person, absl::CivilDay on) {
  if (person.details_source().empty()) return HouseholdOf(person, on);
  return {.adults = of.adults(), .children = of.children()};
}

absl::Status CheckOpen(const v1::Case& of) {
  if (of.erased()) return Refuse(v1::REASON_CASE_ERASED);
  if (of.state() == v1::CASE_STATE_CLOSED) return Refuse(v1::REASON_CASE_CLOSED);
  return absl::OkStatus();
}

void CloseWithin(const std::string& case_id, v1::CloseReason reason, const engine::Context& context,
                 engine::Events& events) {
  v1::CaseClosed closed;
  closed.set_case_id(case_id);
  closed.set_reason(reason);
  closed.set_turn(context.Related<v1::Case>(case_id).turn() + 1);
  *closed.mutable_closed_time() = ToTimestamp(context.now);
  events.AddTo<v1::Case>(case_id, std::move(closed));
}

v1::PersonCaseClosed CaseClosedFor(const std::string& person_id, const std::string& case_id) {
  v1::PersonCaseClosed event;
  event.set_person_id(person_id);
  event.set_case_id(case_id);
  return event;
}

v1::PersonCaseOpened CaseOpenedFor(const std::string& person_id, const std::string& case_id) {
  v1::PersonCaseOpened event;
  event.set_person_id(person_id);
  event.set_case_id(case_id);
  return event;
}

void AddNote(v1::Case& of, v1::NoteKind kind, const std::string& text,
             const google::protobuf::Timestamp& written, const std::string& consent_id) {
  if (text.empty()) return;
  auto& notes = *of.mutable_notes();
  if (notes.size() >= kNotesMax) notes.erase(notes.begin());
  auto* note = notes.Add();
  note->set_kind(kind);
  note->set_text(text);
  note->set_consent_id(consent_id);
  *note->mutable_written_time() = written;
}

engine::Decision CaseDecider::Decide(const State& /*of*/, const v1::RegisterCaseRequest& request,
                                     const engine::Context& context) {
  return Open(request.person_id(), request.header(), /*arrival_date=*/"", context);
}

engine::Decision CaseDecider::Decide(const State& /*of*/,
                                     const v1::RegisterRetroactiveCaseRequest& request,
                                     const engine::Context& context) {
  return Open(request.person_id(), request.header(), request.arrival_date(), context);
}

void CaseDecider::Apply(State& of, const v1::CaseRegistered& event) {
  of.set_id(event.case_id());
  of.set_state(v1::CASE_STATE_REGISTERED);
  of.set_reference(event.reference());
  of.set_person_id(event.person_id());
  auto& header = *of.mutable_header();
  header.set_origin_country(event.origin_country());
  header.set_host_country(event.host_country());
  header.set_return_type(event.return_type());
  header.set_programme(event.programme());
  header.set_partner(event.partner());
  header.set_region(event.region());
  header.set_host_entry_date(event.host_entry_date());
  header.set_planned_return_date(event.planned_return_date());
  of.set_responsible_organisation(event.responsible_organisation());
  of.set_responsible_node(event.source_node());
  of.set_source_node(event.source_node());
  of.set_retroactive(event.retroactive());
  of.set_arrival_date(event.arrival_date());
  of.set_adults(event.adults());
  of.set_children(event.children());
  *of.mutable_profile() = event.profile();
  *of.mutable_registered_time() = event.registered_time();
}

engine::Decision CaseDecider::Decide(const State& of, const v1::UpdateCaseHeaderRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (auto wrong = CheckOpenedHere(of); !wrong.ok()) return wrong;
  if (of.has_submitted_time()) return Refuse(v1::REASON_HEADER_FROZEN);
  const auto& person = PersonOf(of, context);
  if (auto wrong = CheckHeader(request.header(), person, context); !wrong.ok()) return wrong;
  if (of.retroactive()) {
    if (auto wrong = CheckArrival(of.arrival_date(), request.header(), person); !wrong.ok()) {
      return wrong;
    }
  }
  v1::CaseHeaderChanged event;
  event.set_case_id(of.id());
  *event.mutable_header() = request.header();
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::CaseHeaderChanged& event) {
  *of.mutable_header() = event.header();
}

engine::Decision CaseDecider::Decide(const State& of, const v1::SubmitCaseRequest& /*request*/,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_REGISTERED, v1::REASON_CASE_NOT_REGISTERED);
      !wrong.ok()) {
    return wrong;
  }
  if (auto wrong = CheckOpenedHere(of); !wrong.ok()) return wrong;
  if (auto wrong = CheckSubmittable(of, PersonOf(of, context), time::DayOf(context.now));
      !wrong.ok()) {
    return wrong;
  }
  v1::CaseSubmitted event;
  event.set_case_id(of.id());
  *event.mutable_header() = of.header();
  event.set_submission(of.submission() + 1);
  event.set_turn(of.turn());
  if (of.retroactive()) *event.mutable_answer_due_time() = ToTimestamp(context.now + kAnswerWithin);
  *event.mutable_submitted_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::CaseSubmitted& event) {
  of.set_state(v1::CASE_STATE_SUBMITTED);
  of.set_submission(std::max(event.submission(), of.submission() + 1));
  of.set_turn(std::max(event.turn(), of.turn()));
  // A partner may have changed the header between opening and submitting.
  if (!event.source_node().empty()) of.mutable_header()->MergeFrom(event.header());
  if (event.has_answer_due_time()) *of.mutable_answer_due_time() = event.answer_due_time();
  if (!of.has_submitted_time()) *of.mutable_submitted_time() = event.submitted_time();
}

engine::Decision CaseDecider::Decide(const State& of, const v1::AcceptCaseRequest& /*request*/,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_SUBMITTED, v1::REASON_CASE_NOT_SUBMITTED);
      !wrong.ok()) {
    return wrong;
  }
  if (of.retroactive()) return Refuse(v1::REASON_RETROACTIVE_AWAITS_HOST);
  if (auto wrong = CheckAnsweredHere(of, context); !wrong.ok()) return wrong;
  return engine::Emit(Accepted(of, context));
}

void CaseDecider::Apply(State& of, const v1::CaseAccepted& event) {
  of.set_state(v1::CASE_STATE_ACCEPTED);
  of.clear_answer_due_time();
  *of.mutable_accepted_time() = event.accepted_time();
}

engine::Decision CaseDecider::Decide(const State& of, const v1::RefuseCaseRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_SUBMITTED, v1::REASON_CASE_NOT_SUBMITTED);
      !wrong.ok()) {
    return wrong;
  }
  if (of.retroactive()) return Refuse(v1::REASON_RETROACTIVE_AWAITS_HOST);
  if (auto wrong = CheckAnsweredHere(of, context); !wrong.ok()) return wrong;
  if (auto wrong = CheckRefusal(request.reason(), request.note()); !wrong.ok()) return wrong;
  return RefuseAndClose(of, request.reason(), request.note(), context);
}

void CaseDecider::Apply(State& of, const v1::CaseRefused& event) {
  of.set_refusal_reason(event.reason());
  of.clear_answer_due_time();
  AddNote(of, v1::NOTE_KIND_REFUSAL, event.note(), event.refused_time());
}

engine::Decision CaseDecider::Decide(const State& of,
                                     const v1::AnswerRetroactiveCaseRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_SUBMITTED, v1::REASON_CASE_NOT_SUBMITTED);
      !wrong.ok()) {
    return wrong;
  }
  if (!of.retroactive()) return Refuse(v1::REASON_NOT_RETROACTIVE);
  if (auto wrong = CheckAnsweredHere(of, context); !wrong.ok()) return wrong;
  if (context.now >= time::FromTimestamp(of.answer_due_time())) {
    return Refuse(v1::REASON_ANSWER_TOO_LATE);
  }
  if (request.accepted()) {
    return engine::Emit(Accepted(of, context), Arrived(of, of.arrival_date()));
  }
  if (auto wrong = CheckRefusal(request.reason(), request.note()); !wrong.ok()) return wrong;
  return RefuseAndClose(of, request.reason(), request.note(), context);
}

engine::Decision CaseDecider::Decide(const State& of,
                                     const v1::ExpireRetroactiveCaseRequest& /*request*/,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_SUBMITTED, v1::REASON_CASE_NOT_SUBMITTED);
      !wrong.ok()) {
    return wrong;
  }
  if (!of.retroactive()) return Refuse(v1::REASON_NOT_RETROACTIVE);
  if (context.now < time::FromTimestamp(of.answer_due_time())) {
    return Refuse(v1::REASON_NOT_DUE_YET);
  }
  return RefuseAndClose(of, v1::REFUSAL_REASON_NO_ANSWER, /*note=*/"", context);
}

std::optional<engine::Deadline> CaseDecider::NextDeadline(const State& of) {
  if (of.state() != v1::CASE_STATE_SUBMITTED || !of.has_answer_due_time()) return std::nullopt;
  // The node that opened the case holds the clock: its word that the time is over comes here.
  if (!OpenedHere(of)) return std::nullopt;
  auto command = std::make_shared<v1::ExpireRetroactiveCaseRequest>();
  command->set_case_id(of.id());
  return engine::Deadline{time::FromTimestamp(of.answer_due_time()), std::move(command)};
}

engine::Decision CaseDecider::Decide(const State& of, const v1::ConfirmArrivalRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckState(of, v1::CASE_STATE_ACCEPTED, v1::REASON_CASE_NOT_ACCEPTED);
      !wrong.ok()) {
    return wrong;
  }
  if (auto wrong = CheckFollowedHere(of, context); !wrong.ok()) return wrong;
  if (auto wrong = CheckArrival(request.arrival_date(), of.header(), PersonOf(of, context));
      !wrong.ok()) {
    return wrong;
  }
  return engine::Emit(Arrived(of, request.arrival_date()));
}

void CaseDecider::Apply(State& of, const v1::CaseArrived& event) {
  of.set_state(v1::CASE_STATE_ARRIVED);
  of.set_arrival_date(event.arrival_date());
}

engine::Decision CaseDecider::Decide(const State& of, const v1::AssessCaseRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (of.state() < v1::CASE_STATE_ARRIVED) return Refuse(v1::REASON_CASE_NOT_ARRIVED);
  if (auto wrong = CheckFollowedHere(of, context); !wrong.ok()) return wrong;
  if (auto wrong = CheckNeeds(request.assessment()); !wrong.ok()) return wrong;
  const auto& person = PersonOf(of, context);
  const absl::CivilDay today = time::DayOf(context.now);
  const Household household = HouseholdFor(of, person, today);
  v1::CaseAssessed event;
  event.set_case_id(of.id());
  event.set_orientation(request.orientation());
  event.set_orientation_note(request.orientation_note());
  *event.mutable_assessment() = request.assessment();
  *event.mutable_profile() = ProfileFor(of, person, today, request.vulnerable());
  event.set_adults(household.adults);
  event.set_children(household.children);
  *event.mutable_assessed_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::CaseAssessed& event) {
  if (of.state() < v1::CASE_STATE_ASSESSED) of.set_state(v1::CASE_STATE_ASSESSED);
  of.set_orientation(event.orientation());
  *of.mutable_assessment() = event.assessment();
  *of.mutable_profile() = event.profile();
  of.set_adults(event.adults());
  of.set_children(event.children());
  *of.mutable_assessed_time() = event.assessed_time();
  AddNote(of, v1::NOTE_KIND_ORIENTATION, event.orientation_note(), event.assessed_time());
}

// Another service's event: it may come twice, for a second project, or after the case was closed. Then there is nothing
// to do; only a project of a case that was never assessed is an error.
engine::Decision CaseDecider::Decide(const State& of, const v1::StartReintegrationRequest& request,
                                     const engine::Context& context) {
  if (of.state() == v1::CASE_STATE_REINTEGRATING || of.state() == v1::CASE_STATE_CLOSED) {
    return engine::Events();
  }
  if (auto wrong = CheckFollowedHere(of, context); !wrong.ok()) return wrong;
  if (of.state() != v1::CASE_STATE_ASSESSED) return Refuse(v1::REASON_CASE_NOT_ASSESSED);
  v1::CaseReintegrationStarted event;
  event.set_case_id(of.id());
  event.set_project_id(request.project_id());
  return engine::Emit(event);
}

void CaseDecider::Apply(State& of, const v1::CaseReintegrationStarted& /*event*/) {
  of.set_state(v1::CASE_STATE_REINTEGRATING);
}

engine::Decision CaseDecider::Decide(const State& of, const v1::CloseCaseRequest& request,
                                     const engine::Context& context) {
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (auto wrong = CheckEndedHere(of, context); !wrong.ok()) return wrong;
  if (!of.centre().empty()) return Refuse(v1::REASON_CASE_LODGED);
  if (request.reason() == v1::CLOSE_REASON_COMPLETED &&
      of.state() != v1::CASE_STATE_REINTEGRATING) {
    return Refuse(v1::REASON_CASE_NOT_REINTEGRATING);
  }
  if (request.reason() == v1::CLOSE_REASON_DUPLICATE && !PersonOf(of, context).duplicate_open()) {
    return Refuse(v1::REASON_NOT_A_DUPLICATE);
  }
  v1::CaseClosed event;
  event.set_case_id(of.id());
  event.set_reason(request.reason());
  event.set_note(request.note());
  event.set_turn(of.turn() + 1);
  *event.mutable_closed_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(event))
      .AddTo<v1::Person>(of.person_id(), CaseClosedFor(of.person_id(), of.id()));
}

void CaseDecider::Apply(State& of, const v1::CaseClosed& event) {
  of.set_closed_from(of.state());
  of.set_state(v1::CASE_STATE_CLOSED);
  of.set_close_reason(event.reason());
  of.set_turn(std::max(event.turn(), of.turn() + 1));
  of.clear_answer_due_time();
  *of.mutable_closed_time() = event.closed_time();
  AddNote(of, v1::NOTE_KIND_CLOSING, event.note(), event.closed_time());
}

engine::Decision CaseDecider::Decide(const State& of, const v1::ReopenCaseRequest& request,
                                     const engine::Context& context) {
  if (of.erased()) return Refuse(v1::REASON_CASE_ERASED);
  if (of.state() != v1::CASE_STATE_CLOSED) return Refuse(v1::REASON_CASE_NOT_CLOSED);
  if (auto wrong = CheckEndedHere(of, context); !wrong.ok()) return wrong;
  if (auto wrong = CheckFree(PersonOf(of, context)); !wrong.ok()) return wrong;
  v1::CaseReopened event;
  event.set_case_id(of.id());
  event.set_state(of.closed_from() == v1::CASE_STATE_SUBMITTED ? v1::CASE_STATE_REGISTERED
                                                               : of.closed_from());
  event.set_reason(request.reason());
  event.set_turn(of.turn() + 1);
  *event.mutable_reopened_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(event))
      .AddTo<v1::Person>(of.person_id(), CaseOpenedFor(of.person_id(), of.id()));
}

void CaseDecider::Apply(State& of, const v1::CaseReopened& event) {
  of.set_state(event.state());
  of.set_turn(std::max(event.turn(), of.turn() + 1));
  of.clear_close_reason();
  of.clear_refusal_reason();
  of.clear_closed_from();
  of.clear_closed_time();
  AddNote(of, v1::NOTE_KIND_REOPENING, event.reason(), event.reopened_time());
}

void CaseDecider::Apply(State& of, const v1::CaseLodged& event) { of.set_centre(event.centre()); }

void CaseDecider::Apply(State& of, const v1::CaseLeftCentre& /*event*/) { of.clear_centre(); }

void CaseDecider::Apply(State& of, const v1::CaseErased& event) {
  if (of.id().empty()) {
    // Asked to be erased before it came: what is left says that nothing of it is taken in.
    of.set_id(event.case_id());
    of.set_state(v1::CASE_STATE_CLOSED);
    of.set_source_node(event.source_node());
  }
  of.set_erased(true);
  of.clear_assessment();
  of.clear_notes();
}

void CaseDecider::Apply(State& /*of*/, const v1::PartnerDataErased& /*event*/) {}

void CaseDecider::Apply(State& of, const v1::HandOverBegun& event) {
  of.set_hand_over_id(event.hand_over_id());
}

void CaseDecider::Apply(State& of, const v1::HandOverEnded& event) {
  if (of.hand_over_id() == event.hand_over_id()) of.clear_hand_over_id();
}

void CaseDecider::Apply(State& of, const v1::CaseResponsibilityChanged& event) {
  of.set_responsible_organisation(event.responsible_organisation());
  of.set_responsible_node(event.responsible_node());
  if (of.hand_over_id() == event.hand_over_id()) of.clear_hand_over_id();
}

void CaseDecider::Apply(State& of, const v1::CaseProgressNoted& event) {
  if (event.state() != v1::CASE_STATE_UNSPECIFIED) of.set_closed_from(event.state());
  of.set_turn(std::max(event.turn(), of.turn()));
  if (!event.arrival_date().empty()) of.set_arrival_date(event.arrival_date());
}

const engine::Table& CaseDecider::ProjectTable() {
  static const engine::Table table{
      .name = "case_list",
      .columns = {"reference", "state", "person_id", "programme", "origin_country", "host_country",
                  "return_type", "responsible_organisation", "arrival_date", "registered_us"},
      .types = {"text", "int", "text", "text", "text", "text", "int", "text", "text", "bigint"},
      .mode = engine::Table::Mode::kReplace};
  return table;
}

std::vector<engine::Row> CaseDecider::Project(const State& of) {
  if (of.reference().empty()) return {};  // never came
  const auto& header = of.header();
  const std::int64_t registered_us = absl::ToUnixMicros(time::FromTimestamp(of.registered_time()));
  return {{{of.reference(), absl::StrCat(static_cast<int>(of.state())), of.person_id(),
            header.programme(), header.origin_country(), header.host_country(),
            absl::StrCat(static_cast<int>(header.return_type())), of.responsible_organisation(),
            of.arrival_date(), absl::StrCat(registered_us)}}};
}

}  // namespace sankofa::registration
