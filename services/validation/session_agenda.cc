#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/committee.pb.h"
#include "sankofa/validation/v1/life_project.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/validation/budget.h"
#include "services/validation/session.h"
#include "services/validation/voting.h"

// A sitting that is planned: its day, its cap, its agenda.
namespace sankofa::validation {
namespace {

using engine::Context;
using engine::Decision;
using engine::Events;
using internal::IsBefore;
using internal::NeedState;
using status::Refuse;
using status::RefuseField;

bool IsSchedulable(const v1::LifeProject& project) {
  return project.state() == v1::PROJECT_STATE_FEASIBLE ||
         project.state() == v1::PROJECT_STATE_ADJOURNED ||
         project.state() == v1::PROJECT_STATE_APPEALED;
}

v1::AgendaItem ItemOf(const v1::LifeProject& project) {
  v1::AgendaItem item;
  item.set_project_id(project.id());
  item.set_case_id(project.case_id());
  item.set_case_reference(project.case_reference());
  item.set_title(project.content().title());
  item.set_kind(project.kind());
  item.set_version(project.version());
  item.set_content_hash(project.versions().rbegin()->content_hash());
  *item.mutable_requested() = project.content().requested();
  return item;
}

v1::AgendaItemRemoved RemovalOf(const v1::Session& session, const std::string& project_id) {
  v1::AgendaItemRemoved event;
  event.set_session_id(session.id());
  event.set_project_id(project_id);
  return event;
}

v1::ProjectUnscheduled UnscheduledOf(const v1::Session& session, const v1::LifeProject& project,
                                     const Context& context) {
  v1::ProjectUnscheduled event;
  event.set_project_id(project.id());
  event.set_case_id(project.case_id());
  event.set_session_id(session.id());
  *event.mutable_unscheduled_time() = time::ToTimestamp(context.now);
  return event;
}

absl::Status CheckCurrencies(const v1::Session& session, const v1::LifeProject& project,
                             const v1::AddToAgendaRequest& request) {
  const common::v1::Money& requested = project.content().requested();
  if (session.has_cap() && !money::SameCurrency(session.cap(), requested)) {
    return Refuse(v1::REASON_CURRENCY_DIFFERS, {.fields = {},
                                                .metadata = {{"cap", session.cap().currency()},
                                                             {"requested", requested.currency()}}});
  }
  if (!request.has_ceiling()) return absl::OkStatus();
  if (auto amount = CheckAmount(request.ceiling(), "ceiling"); !amount.ok()) return amount;
  if (!money::SameCurrency(request.ceiling(), requested)) {
    return RefuseField(v1::REASON_CURRENCY_DIFFERS, "ceiling.currency",
                       absl::StrCat("expected ", requested.currency()));
  }
  return absl::OkStatus();
}

}  // namespace

Decision SessionDecider::Decide(const State& /*session*/, const v1::ScheduleSessionRequest& request,
                                const Context& context) {
  const auto& committee = context.Related<v1::Committee>(request.committee_code());
  if (committee.id().empty()) return RefuseField(v1::REASON_COMMITTEE_UNKNOWN, "committee_code");
  const auto day = time::ParseDay(request.date());
  if (!day) return RefuseField(common::v1::REASON_INVALID_FIELD, "date");
  if (*day < time::DayOf(context.now)) {
    return RefuseField(v1::REASON_SESSION_DATE_PASSED, "date");
  }
  if (request.has_cap()) {
    if (auto cap = CheckAmount(request.cap(), "cap"); !cap.ok()) return cap;
  }
  v1::SessionScheduled event;
  event.set_session_id(context.NewId());
  event.set_committee_code(committee.id());
  event.set_committee_name(committee.name());
  event.set_date(request.date());
  event.set_place(request.place());
  if (request.has_cap()) {
    *event.mutable_cap() = request.cap();
  } else if (committee.has_default_cap()) {
    *event.mutable_cap() = committee.default_cap();
  }
  *event.mutable_scheduled_time() = time::ToTimestamp(context.now);
  return engine::Emit(event);
}

// A project that was on this agenda and got a new version since takes its old item's place.
Decision SessionDecider::Decide(const State& session, const v1::AddToAgendaRequest& request,
                                const Context& context) {
  if (auto state = NeedState(session, v1::SESSION_STATE_SCHEDULED); !state.ok()) return state;
  const auto& project = context.Related<v1::LifeProject>(request.project_id());
  if (project.id().empty()) return RefuseField(v1::REASON_PROJECT_UNKNOWN, "project_id");
  if (!IsSchedulable(project)) return Refuse(v1::REASON_PROJECT_NOT_SCHEDULABLE);
  const bool stale = FindItem(session, project.id()) != nullptr;
  if (!stale && session.agenda_size() >= kAgendaMax) return Refuse(v1::REASON_AGENDA_FULL);
  if (auto money = CheckCurrencies(session, project, request); !money.ok()) return money;

  v1::AgendaItemAdded added;
  added.set_session_id(session.id());
  *added.mutable_item() = ItemOf(project);
  if (request.has_ceiling()) *added.mutable_item()->mutable_ceiling() = request.ceiling();
  v1::ProjectScheduled scheduled;
  scheduled.set_project_id(project.id());
  scheduled.set_case_id(project.case_id());
  scheduled.set_version(project.version());
  scheduled.set_session_id(session.id());
  scheduled.set_session_date(session.date());
  *scheduled.mutable_scheduled_time() = time::ToTimestamp(context.now);

  Events events;
  if (stale) events.Add(RemovalOf(session, project.id()));
  events.Add(std::move(added));
  events.AddTo<v1::LifeProject>(project.id(), scheduled);
  return events;
}

Decision SessionDecider::Decide(const State& session, const v1::RemoveFromAgendaRequest& request,
                                const Context& context) {
  if (auto state = NeedState(session, v1::SESSION_STATE_SCHEDULED); !state.ok()) return state;
  if (FindItem(session, request.project_id()) == nullptr) {
    return RefuseField(v1::REASON_PROJECT_NOT_ON_AGENDA, "project_id");
  }
  const auto& project = context.Related<v1::LifeProject>(request.project_id());
  Events events;
  events.Add(RemovalOf(session, request.project_id()));
  if (IsBefore(session, project)) {
    events.AddTo<v1::LifeProject>(project.id(), UnscheduledOf(session, project, context));
  }
  return events;
}

Decision SessionDecider::Decide(const State& session, const v1::CancelSessionRequest& request,
                                const Context& context) {
  if (auto state = NeedState(session, v1::SESSION_STATE_SCHEDULED); !state.ok()) return state;
  v1::SessionCancelled cancelled;
  cancelled.set_session_id(session.id());
  cancelled.set_reason(request.reason());
  *cancelled.mutable_cancelled_time() = time::ToTimestamp(context.now);
  Events events;
  events.Add(cancelled);
  for (const v1::AgendaItem& item : session.agenda()) {
    const auto& project = context.Related<v1::LifeProject>(item.project_id());
    if (!IsBefore(session, project)) continue;
    events.AddTo<v1::LifeProject>(project.id(), UnscheduledOf(session, project, context));
  }
  return events;
}

}  // namespace sankofa::validation
