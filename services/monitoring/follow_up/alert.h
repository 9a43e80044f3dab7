#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "sankofa/monitoring/v1/alert.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_internal.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

// How long an alert may wait before it is escalated, where nobody said otherwise.
inline constexpr absl::Duration kAlertPeriod = absl::Hours(24 * 7);
inline constexpr absl::Duration kAlertPeriodMax = absl::Hours(24 * 366);

// Something that somebody must look after by a deadline.
//
//     RAISED ──▶ ACKNOWLEDGED ──▶ RESOLVED        RAISED or ACKNOWLEDGED ──deadline, once──▶ ESCALATED
//     ESCALATED ──▶ ACKNOWLEDGED or RESOLVED      any but RESOLVED ──▶ RESOLVED
struct AlertDecider {
  using State = v1::Alert;
  using EventTypes = engine::EventTypes<v1::AlertRaised, v1::AlertAcknowledged, v1::AlertEscalated,
                                        v1::AlertResolved>;

  static engine::Decision Decide(const State&, const v1::RaiseAlertRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AcknowledgeAlertRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::ResolveAlertRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::EscalateAlertRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::AlertRaised&);
  static void Apply(State&, const v1::AlertAcknowledged&);
  static void Apply(State&, const v1::AlertEscalated&);
  static void Apply(State&, const v1::AlertResolved&);

  static std::optional<engine::Deadline> NextDeadline(const State&);
  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

// Adds the events that raise `alert` (its id, case and kind are set): the organisation responsible for the case owns
// it, and its deadline is a week away unless it has one. The command has named the alert and the CaseFacts.
void AddAlert(engine::Events& events, v1::AlertRaised alert, const engine::Context& context);

void BindAlert(engine::Registry& registry);

}  // namespace sankofa::monitoring
