#include "services/monitoring/follow_up/alert.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/monitoring/v1/case_facts.pb.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

v1::CaseFactRecorded Activity(const std::string& alert_id, const std::string& case_id, bool ended) {
  v1::CaseFactRecorded event;
  event.set_case_id(case_id);
  event.mutable_fact()->mutable_alert()->set_id(alert_id);
  event.mutable_fact()->mutable_alert()->set_ended(ended);
  return event;
}

}  // namespace

void AddAlert(engine::Events& events, v1::AlertRaised alert, const engine::Context& context) {
  const auto& facts = context.Related<v1::CaseFacts>(alert.case_id());
  const std::string& responsible = facts.header().responsible_organisation();
  alert.set_owner_organisation(responsible.empty() ? context.actor.organisation : responsible);
  alert.set_owner_role(common::v1::ROLE_FOLLOW_UP_OFFICER);
  if (!alert.has_deadline_time()) {
    *alert.mutable_deadline_time() = time::ToTimestamp(context.now + kAlertPeriod);
  }
  *alert.mutable_raise_time() = time::ToTimestamp(context.now);
  const std::string id = alert.alert_id();
  const std::string case_id = alert.case_id();
  events.AddTo<v1::Alert>(id, std::move(alert));
  events.AddTo<v1::CaseFacts>(case_id, Activity(id, case_id, false));
}

// ---- Decide -----------------------------------------------------------------------------------------------------------

engine::Decision AlertDecider::Decide(const State& /*state*/, const v1::RaiseAlertRequest& request,
                                      const engine::Context& context) {
  const auto& facts = context.Related<v1::CaseFacts>(request.case_id());
  if (facts.case_id().empty()) return RefuseField(v1::REASON_CASE_UNKNOWN, "case_id");
  if (facts.erased()) return Refuse(v1::REASON_CASE_ERASED);
  v1::AlertRaised alert;
  if (request.has_deadline_time()) {
    const absl::Time deadline = time::FromTimestamp(request.deadline_time());
    if (deadline <= context.now || deadline > context.now + kAlertPeriodMax) {
      return RefuseField(v1::REASON_ALERT_DEADLINE_INVALID, "deadline_time");
    }
    *alert.mutable_deadline_time() = request.deadline_time();
  }
  alert.set_alert_id(context.NewId());
  alert.set_case_id(request.case_id());
  alert.set_kind(v1::ALERT_KIND_CONCERN);
  alert.set_concern(request.concern());
  engine::Events events;
  AddAlert(events, std::move(alert), context);
  return events;
}

engine::Decision AlertDecider::Decide(const State& state,
                                      const v1::AcknowledgeAlertRequest& /*request*/,
                                      const engine::Context& context) {
  if (state.state() == v1::ALERT_STATE_RESOLVED) return Refuse(v1::REASON_ALERT_ALREADY_RESOLVED);
  if (state.state() == v1::ALERT_STATE_ACKNOWLEDGED) {
    return Refuse(v1::REASON_ALERT_ALREADY_ACKNOWLEDGED);
  }
  v1::AlertAcknowledged event;
  event.set_alert_id(state.id());
  event.set_case_id(state.case_id());
  event.set_owner(context.actor.subject);
  *event.mutable_acknowledge_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

engine::Decision AlertDecider::Decide(const State& state, const v1::ResolveAlertRequest& request,
                                      const engine::Context& context) {
  if (state.state() == v1::ALERT_STATE_RESOLVED) return Refuse(v1::REASON_ALERT_ALREADY_RESOLVED);
  if (request.resolution() != v1::ALERT_RESOLUTION_ACTED &&
      request.resolution() != v1::ALERT_RESOLUTION_UNFOUNDED) {
    return RefuseField(v1::REASON_VALUE_RESERVED, "resolution");
  }
  v1::AlertResolved event;
  event.set_alert_id(state.id());
  event.set_case_id(state.case_id());
  event.set_resolution(request.resolution());
  *event.mutable_resolve_time() = time::ToTimestamp(context.now);
  event.set_resolution_note(request.resolution_note());
  return engine::Emit(std::move(event))
      .AddTo<v1::CaseFacts>(state.case_id(), Activity(state.id(), state.case_id(), true));
}

engine::Decision AlertDecider::Decide(const State& state,
                                      const v1::EscalateAlertRequest& /*request*/,
                                      const engine::Context& context) {
  const auto deadline = NextDeadline(state);
  if (!deadline || context.now < deadline->due) return engine::Events();
  v1::AlertEscalated event;
  event.set_alert_id(state.id());
  event.set_case_id(state.case_id());
  event.set_owner_role(common::v1::ROLE_PROGRAMME_MANAGER);
  *event.mutable_escalate_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

// ---- Apply ------------------------------------------------------------------------------------------------------------

void AlertDecider::Apply(State& state, const v1::AlertRaised& event) {
  state.set_id(event.alert_id());
  state.set_case_id(event.case_id());
  state.set_kind(event.kind());
  state.set_state(v1::ALERT_STATE_RAISED);
  state.set_owner_organisation(event.owner_organisation());
  state.set_owner_role(event.owner_role());
  *state.mutable_deadline_time() = event.deadline_time();
  *state.mutable_raise_time() = event.raise_time();
  state.set_follow_up_id(event.follow_up_id());
  state.set_visit_number(event.visit_number());
  state.set_window_months(event.window_months());
  *state.mutable_low_scores() = event.low_scores();
  state.set_concern(event.concern());
}

void AlertDecider::Apply(State& state, const v1::AlertAcknowledged& event) {
  state.set_state(v1::ALERT_STATE_ACKNOWLEDGED);
  state.set_owner(event.owner());
  *state.mutable_acknowledge_time() = event.acknowledge_time();
}

void AlertDecider::Apply(State& state, const v1::AlertEscalated& event) {
  state.set_state(v1::ALERT_STATE_ESCALATED);
  state.set_owner_role(event.owner_role());
  state.clear_owner();
  *state.mutable_escalate_time() = event.escalate_time();
}

void AlertDecider::Apply(State& state, const v1::AlertResolved& event) {
  state.set_state(v1::ALERT_STATE_RESOLVED);
  state.set_resolution(event.resolution());
  state.set_resolution_note(event.resolution_note());
  *state.mutable_resolve_time() = event.resolve_time();
}

// ---- Deadline, projection, binding --------------------------------------------------------------------------------

std::optional<engine::Deadline> AlertDecider::NextDeadline(const State& state) {
  const bool waits =
      state.state() == v1::ALERT_STATE_RAISED || state.state() == v1::ALERT_STATE_ACKNOWLEDGED;
  if (!waits || state.has_escalate_time()) return std::nullopt;
  auto command = std::make_shared<v1::EscalateAlertRequest>();
  command->set_alert_id(state.id());
  return engine::Deadline{.due = time::FromTimestamp(state.deadline_time()),
                          .command = std::move(command)};
}

const engine::Table& AlertDecider::ProjectTable() {
  static const engine::Table table{
      .name = "alert",
      .columns = {"case_id", "kind", "alert_state", "owner_organisation", "owner_role", "owner",
                  "deadline_time", "raise_time", "follow_up_id", "visit_number", "window_months",
                  "low_scores"},
      .types = {"text", "integer", "integer", "text", "integer", "text", "timestamptz",
                "timestamptz", "text", "integer", "integer", "text"}};
  return table;
}

std::vector<engine::Row> AlertDecider::Project(const State& state) {
  const auto text_time = [](const google::protobuf::Timestamp& stamp) {
    return absl::FormatTime("%Y-%m-%d %H:%M:%E6S+00", time::FromTimestamp(stamp),
                            absl::UTCTimeZone());
  };
  return {{{state.case_id(), absl::StrCat(static_cast<int>(state.kind())),
            absl::StrCat(static_cast<int>(state.state())), state.owner_organisation(),
            absl::StrCat(static_cast<int>(state.owner_role())), state.owner(),
            text_time(state.deadline_time()), text_time(state.raise_time()), state.follow_up_id(),
            absl::StrCat(state.visit_number()), absl::StrCat(state.window_months()),
            absl::StrJoin(state.low_scores(), ",")}}};
}

void BindAlert(engine::Registry& registry) {
  using engine::Names;
  const auto alert_id = [](const auto& request) { return request.alert_id(); };
  registry.Command<AlertDecider, v1::RaiseAlertRequest>(
      {.target = engine::Target::kNew,
       .names = [](const auto& request, const auto& /*state*/, Names& names) {
         names.Add<v1::Alert>(engine::DerivedId(request.request_id()));
         names.Add<v1::CaseFacts>(request.case_id());
       }});
  registry.Command<AlertDecider, v1::AcknowledgeAlertRequest>({.id = alert_id});
  registry.Command<AlertDecider, v1::ResolveAlertRequest>(
      {.id = alert_id, .names = [](const auto& /*request*/, const auto& state, Names& names) {
         names.Add<v1::CaseFacts>(state.case_id());
       }});
  registry.Command<AlertDecider, v1::EscalateAlertRequest>({.id = alert_id});
}

}  // namespace sankofa::monitoring
