#include "services/monitoring/follow_up/follow_up.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/monitoring/follow_up/alert.h"
#include "services/monitoring/follow_up/case_facts.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

constexpr char kBusiness[] = "BUSINESS_CREATION";

// A day of our own state: it was checked before it got there.
absl::CivilDay DayIn(const std::string& iso_day) {
  const auto day = time::ParseDay(iso_day);
  status::Check(day.has_value(), "a stored day is none");
  return *day;
}

v1::Visit& VisitIn(v1::FollowUp& follow_up, int number) {
  for (v1::Visit& visit : *follow_up.mutable_visits()) {
    if (visit.number() == number) return visit;
  }
  status::Fail("an event names a visit that was never planned");
}

absl::Time MissTime(const v1::Visit& visit) {
  return absl::FromCivil(DayIn(visit.planned_date()) + kGraceDays + 1, absl::UTCTimeZone());
}

absl::Status RefuseInactive(const v1::FollowUp& follow_up) {
  if (follow_up.close_reason() == v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED) {
    return Refuse(v1::REASON_CASE_ERASED);
  }
  return Refuse(v1::REASON_FOLLOW_UP_NOT_ACTIVE);
}

v1::FollowUpClosed Closed(const std::string& id, const std::string& case_id,
                          v1::FollowUpCloseReason reason, absl::Time now) {
  v1::FollowUpClosed event;
  event.set_follow_up_id(id);
  event.set_case_id(case_id);
  event.set_close_reason(reason);
  *event.mutable_close_time() = time::ToTimestamp(now);
  return event;
}

v1::CaseFactRecorded Activity(const v1::FollowUp& follow_up, bool ended) {
  v1::CaseFactRecorded event;
  event.set_case_id(follow_up.case_id());
  event.mutable_fact()->mutable_follow_up()->set_id(follow_up.id());
  event.mutable_fact()->mutable_follow_up()->set_ended(ended);
  return event;
}

bool WasCancelled(const v1::CaseFacts& facts, const std::string& grant_id) {
  return std::any_of(facts.grants().begin(), facts.grants().end(), [&](const auto& grant) {
    return grant.grant_id() == grant_id && grant.cancelled();
  });
}

v1::FollowUpPlanned Planned(const v1::PlanFollowUpRequest& request, absl::Time now) {
  v1::FollowUpPlanned event;
  event.set_follow_up_id(request.grant_id());
  event.set_case_id(request.case_id());
  event.set_project_id(request.project_id());
  event.set_programme(request.programme());
  event.set_kind(request.kind());
  event.set_sector(request.sector());
  event.set_start_date(request.start_date());
  std::set<int> months;
  for (const int month : request.months()) {
    if (month > 0 && month <= kMonthsMax) months.insert(month);
  }
  if (months.empty()) months.insert(std::begin(kDefaultMonths), std::end(kDefaultMonths));
  for (const int month : months) {
    if (event.visits_size() == kVisitsMax) break;
    v1::Visit& visit = *event.add_visits();
    visit.set_number(event.visits_size());
    visit.set_months(month);
    visit.set_planned_date(time::FormatDay(time::AddMonths(DayIn(request.start_date()), month)));
    visit.set_state(v1::VISIT_STATE_PLANNED);
  }
  *event.mutable_plan_time() = time::ToTimestamp(now);
  return event;
}

}  // namespace

const v1::Visit* FindVisit(const v1::FollowUp& follow_up, int number) {
  for (const v1::Visit& visit : follow_up.visits()) {
    if (visit.number() == number) return &visit;
  }
  return nullptr;
}

std::string MissedVisitAlertId(const v1::FollowUp& follow_up, const v1::Visit& visit) {
  return absl::StrCat("visit:", follow_up.id(), ":", visit.number(), ":", visit.misses() + 1);
}

// ---- Decide -----------------------------------------------------------------------------------------------------------

engine::Decision FollowUpDecider::Decide(const State& state, const v1::PlanFollowUpRequest& request,
                                         const engine::Context& context) {
  const auto& facts = context.Related<v1::CaseFacts>(request.case_id());
  if (state.state() != v1::FOLLOW_UP_STATE_UNSPECIFIED || facts.erased()) return engine::Events();
  // Funding's events are in order, so this one is replayed: the grant it tells of is no more.
  if (WasCancelled(facts, request.grant_id())) return engine::Events();
  v1::FollowUpPlanned planned = Planned(request, context.now);
  if (facts.visits_ended()) {
    // Registration's event came first: the plan is on record, and nobody is sent out.
    return engine::Emit(std::move(planned),
                        Closed(request.grant_id(), request.case_id(),
                               v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED, context.now));
  }
  v1::FollowUp after;
  Apply(after, planned);
  return engine::Emit(std::move(planned))
      .AddTo<v1::CaseFacts>(request.case_id(), Activity(after, false));
}

engine::Decision FollowUpDecider::Decide(const State& state,
                                         const v1::CancelFollowUpRequest& /*request*/,
                                         const engine::Context& context) {
  if (state.state() != v1::FOLLOW_UP_STATE_ACTIVE) return engine::Events();
  return engine::Emit(Closed(state.id(), state.case_id(),
                             v1::FOLLOW_UP_CLOSE_REASON_GRANT_CANCELLED, context.now))
      .AddTo<v1::CaseFacts>(state.case_id(), Activity(state, true));
}

engine::Decision FollowUpDecider::Decide(const State& state, const v1::RecordVisitRequest& request,
                                         const engine::Context& /*context*/) {
  if (state.state() != v1::FOLLOW_UP_STATE_ACTIVE) return RefuseInactive(state);
  const v1::Visit* visit = FindVisit(state, request.visit_number());
  if (visit == nullptr) return RefuseField(v1::REASON_VISIT_UNKNOWN, "visit_number");
  if (visit->state() == v1::VISIT_STATE_RECORDED) {
    return Refuse(v1::REASON_VISIT_ALREADY_RECORDED);
  }
  const absl::CivilDay day = DayIn(request.visit_date());
  if (day < DayIn(visit->planned_date()) - kEarlyDays) {
    return RefuseField(v1::REASON_VISIT_TOO_EARLY, "visit_date");
  }
  const v1::Visit* next = FindVisit(state, request.visit_number() + 1);
  if (next != nullptr && day >= DayIn(next->planned_date())) {
    return RefuseField(v1::REASON_VISIT_TOO_LATE, "visit_date");
  }
  const bool business = state.kind() == kBusiness;
  const bool said = request.business_status() != v1::BUSINESS_STATUS_UNSPECIFIED;
  if (business && !said) {
    return RefuseField(v1::REASON_BUSINESS_STATUS_REQUIRED, "business_status");
  }
  if (!business && said) {
    return RefuseField(v1::REASON_BUSINESS_STATUS_NOT_APPLICABLE, "business_status");
  }

  v1::VisitRecorded event;
  event.set_follow_up_id(state.id());
  event.set_case_id(state.case_id());
  event.set_visit_number(visit->number());
  event.set_months(visit->months());
  event.set_visit_date(request.visit_date());
  event.set_business_status(request.business_status());
  event.set_jobs(request.jobs());
  event.set_observations(request.observations());
  event.set_next_steps(request.next_steps());
  *event.mutable_documents() = request.documents();

  v1::CaseFactRecorded fact;
  fact.set_case_id(state.case_id());
  v1::VisitFact& seen = *fact.mutable_fact()->mutable_visit();
  seen.set_follow_up_id(state.id());
  seen.set_number(visit->number());
  seen.set_months(visit->months());
  seen.set_date(request.visit_date());
  seen.set_business(business);
  seen.set_running(request.business_status() == v1::BUSINESS_STATUS_RUNNING);
  seen.set_jobs(request.jobs());
  return engine::Emit(std::move(event)).AddTo<v1::CaseFacts>(state.case_id(), std::move(fact));
}

engine::Decision FollowUpDecider::Decide(const State& state,
                                         const v1::RescheduleVisitRequest& request,
                                         const engine::Context& context) {
  if (state.state() != v1::FOLLOW_UP_STATE_ACTIVE) return RefuseInactive(state);
  const v1::Visit* visit = FindVisit(state, request.visit_number());
  if (visit == nullptr) return RefuseField(v1::REASON_VISIT_UNKNOWN, "visit_number");
  if (visit->state() == v1::VISIT_STATE_RECORDED) {
    return Refuse(v1::REASON_VISIT_ALREADY_RECORDED);
  }
  if (visit->reschedules() >= kReschedulesMax) return Refuse(v1::REASON_RESCHEDULES_EXHAUSTED);
  const absl::CivilDay day = DayIn(request.planned_date());
  if (day < time::DayOf(context.now))
    return RefuseField(v1::REASON_VISIT_DATE_PAST, "planned_date");
  const v1::Visit* before = FindVisit(state, visit->number() - 1);
  const v1::Visit* after = FindVisit(state, visit->number() + 1);
  const absl::CivilDay first = time::AddMonths(DayIn(state.start_date()), visit->months());
  if ((before != nullptr && day <= DayIn(before->planned_date())) ||
      (after != nullptr && day >= DayIn(after->planned_date())) ||
      day > first + kRescheduleDaysMax || day <= DayIn(state.start_date())) {
    return RefuseField(v1::REASON_VISIT_ORDER, "planned_date");
  }

  v1::VisitRescheduled event;
  event.set_follow_up_id(state.id());
  event.set_case_id(state.case_id());
  event.set_visit_number(visit->number());
  event.set_previous_date(visit->planned_date());
  event.set_planned_date(request.planned_date());
  return engine::Emit(std::move(event));
}

engine::Decision FollowUpDecider::Decide(const State& state, const v1::MissVisitRequest& request,
                                         const engine::Context& context) {
  const v1::Visit* visit = FindVisit(state, request.visit_number());
  const bool due = state.state() == v1::FOLLOW_UP_STATE_ACTIVE && visit != nullptr &&
                   visit->state() == v1::VISIT_STATE_PLANNED && context.now >= MissTime(*visit);
  if (!due) return engine::Events();

  v1::VisitMissed event;
  event.set_follow_up_id(state.id());
  event.set_case_id(state.case_id());
  event.set_visit_number(visit->number());
  event.set_months(visit->months());
  event.set_planned_date(visit->planned_date());
  event.set_alert_id(MissedVisitAlertId(state, *visit));

  v1::AlertRaised alert;
  alert.set_alert_id(event.alert_id());
  alert.set_case_id(state.case_id());
  alert.set_kind(v1::ALERT_KIND_VISIT_MISSED);
  alert.set_follow_up_id(state.id());
  alert.set_visit_number(visit->number());
  engine::Events events = engine::Emit(std::move(event));
  AddAlert(events, std::move(alert), context);
  return events;
}

engine::Decision FollowUpDecider::Decide(const State& state,
                                         const v1::CloseFollowUpRequest& request,
                                         const engine::Context& context) {
  if (state.state() != v1::FOLLOW_UP_STATE_ACTIVE) return RefuseInactive(state);
  switch (request.close_reason()) {
    case v1::FOLLOW_UP_CLOSE_REASON_COMPLETED: {
      const bool planned = std::any_of(
          state.visits().begin(), state.visits().end(),
          [](const v1::Visit& visit) { return visit.state() == v1::VISIT_STATE_PLANNED; });
      const v1::Visit& last = state.visits(state.visits_size() - 1);
      if (planned || last.state() != v1::VISIT_STATE_RECORDED) {
        return Refuse(v1::REASON_VISITS_REMAINING);
      }
      break;
    }
    case v1::FOLLOW_UP_CLOSE_REASON_LOST:
    case v1::FOLLOW_UP_CLOSE_REASON_REMIGRATED:
    case v1::FOLLOW_UP_CLOSE_REASON_DECLINED: break;
    default: return RefuseField(v1::REASON_VALUE_RESERVED, "close_reason");
  }
  return engine::Emit(Closed(state.id(), state.case_id(), request.close_reason(), context.now))
      .AddTo<v1::CaseFacts>(state.case_id(), Activity(state, true));
}

// ---- Apply ------------------------------------------------------------------------------------------------------------

void FollowUpDecider::Apply(State& state, const v1::FollowUpPlanned& event) {
  state.set_id(event.follow_up_id());
  state.set_case_id(event.case_id());
  state.set_project_id(event.project_id());
  state.set_programme(event.programme());
  state.set_kind(event.kind());
  state.set_sector(event.sector());
  state.set_state(v1::FOLLOW_UP_STATE_ACTIVE);
  state.set_start_date(event.start_date());
  *state.mutable_visits() = event.visits();
  *state.mutable_plan_time() = event.plan_time();
}

void FollowUpDecider::Apply(State& state, const v1::VisitRecorded& event) {
  v1::Visit& visit = VisitIn(state, event.visit_number());
  visit.set_state(v1::VISIT_STATE_RECORDED);
  visit.set_visit_date(event.visit_date());
  visit.set_business_status(event.business_status());
  visit.set_jobs(event.jobs());
  v1::VisitNote& note = *state.add_notes();
  note.set_visit_number(event.visit_number());
  note.set_observations(event.observations());
  note.set_next_steps(event.next_steps());
  *note.mutable_documents() = event.documents();
}

void FollowUpDecider::Apply(State& state, const v1::VisitMissed& event) {
  v1::Visit& visit = VisitIn(state, event.visit_number());
  visit.set_state(v1::VISIT_STATE_MISSED);
  visit.set_misses(visit.misses() + 1);
}

void FollowUpDecider::Apply(State& state, const v1::VisitRescheduled& event) {
  v1::Visit& visit = VisitIn(state, event.visit_number());
  visit.set_state(v1::VISIT_STATE_PLANNED);
  visit.set_planned_date(event.planned_date());
  visit.set_reschedules(visit.reschedules() + 1);
}

void FollowUpDecider::Apply(State& state, const v1::FollowUpClosed& event) {
  state.set_state(v1::FOLLOW_UP_STATE_CLOSED);
  state.set_close_reason(event.close_reason());
  *state.mutable_close_time() = event.close_time();
  for (v1::Visit& visit : *state.mutable_visits()) {
    if (visit.state() == v1::VISIT_STATE_PLANNED) visit.set_state(v1::VISIT_STATE_CANCELLED);
  }
}

// ---- Deadline, projection, binding --------------------------------------------------------------------------------

std::optional<engine::Deadline> FollowUpDecider::NextDeadline(const State& state) {
  if (state.state() != v1::FOLLOW_UP_STATE_ACTIVE) return std::nullopt;
  for (const v1::Visit& visit : state.visits()) {
    if (visit.state() != v1::VISIT_STATE_PLANNED) continue;
    auto command = std::make_shared<v1::MissVisitRequest>();
    command->set_follow_up_id(state.id());
    command->set_visit_number(visit.number());
    return engine::Deadline{.due = MissTime(visit), .command = std::move(command)};
  }
  return std::nullopt;
}

const engine::Table& FollowUpDecider::ProjectTable() {
  static const engine::Table table{
      .name = "visit",
      .columns = {"case_id", "programme", "visit_number", "months", "planned_date", "visit_state",
                  "reschedules", "misses", "visit_date", "business_status", "jobs"},
      .types = {"text", "text", "integer", "integer", "date", "integer", "integer", "integer",
                "date", "integer", "integer"}};
  return table;
}

std::vector<engine::Row> FollowUpDecider::Project(const State& state) {
  std::vector<engine::Row> rows;
  for (const v1::Visit& visit : state.visits()) {
    const auto visit_date =
        visit.visit_date().empty() ? std::nullopt : std::optional<std::string>(visit.visit_date());
    rows.push_back(
        {{state.case_id(), state.programme(), absl::StrCat(visit.number()),
          absl::StrCat(visit.months()), visit.planned_date(),
          absl::StrCat(static_cast<int>(visit.state())), absl::StrCat(visit.reschedules()),
          absl::StrCat(visit.misses()), visit_date,
          absl::StrCat(static_cast<int>(visit.business_status())), absl::StrCat(visit.jobs())}});
  }
  return rows;
}

void BindFollowUp(engine::Registry& registry) {
  using engine::Names;
  const auto follow_up_id = [](const auto& request) { return request.follow_up_id(); };
  const auto grant_id = [](const auto& request) { return request.grant_id(); };
  const auto own_case = [](const auto& /*request*/, const v1::FollowUp& state, Names& names) {
    names.Add<v1::CaseFacts>(state.case_id());
  };
  registry.Command<FollowUpDecider, v1::PlanFollowUpRequest>(
      {.target = engine::Target::kEither,
       .id = grant_id,
       .names = [](const auto& request, const auto& /*state*/, Names& names) {
         names.Add<v1::CaseFacts>(request.case_id());
       }});
  registry.Command<FollowUpDecider, v1::CancelFollowUpRequest>(
      {.target = engine::Target::kEither, .id = grant_id, .names = own_case});
  registry.Command<FollowUpDecider, v1::RecordVisitRequest>(
      {.id = follow_up_id, .names = own_case});
  registry.Command<FollowUpDecider, v1::RescheduleVisitRequest>({.id = follow_up_id});
  registry.Command<FollowUpDecider, v1::CloseFollowUpRequest>(
      {.id = follow_up_id, .names = own_case});
  registry.Command<FollowUpDecider, v1::MissVisitRequest>(
      {.id = follow_up_id, .names = [](const auto& request, const auto& state, Names& names) {
         names.Add<v1::CaseFacts>(state.case_id());
         if (const v1::Visit* visit = FindVisit(state, request.visit_number())) {
           names.Add<v1::Alert>(MissedVisitAlertId(state, *visit));
         }
       }});
}

}  // namespace sankofa::monitoring
