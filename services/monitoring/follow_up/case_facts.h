#pragma once

#include <vector>

#include "sankofa/monitoring/v1/case_facts.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_internal.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

// The longest list in a CaseFacts. The services that own the facts set far lower limits; what is beyond is not counted.
inline constexpr int kFactsMax = 500;

// What monitoring holds of one case. Facts come from several services in any order between them, so each says its own
// part, and a fact that is known already is acknowledged without an event. Projected to one row a figure ("case_fact"),
// which is what the indicators are computed from.
struct CaseFactsDecider {
  using State = v1::CaseFacts;
  using EventTypes = engine::EventTypes<v1::CaseFactRecorded, v1::CaseFactsErased>;

  static engine::Decision Decide(const State&, const v1::RecordCaseFactRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::EraseCaseRequest&, const engine::Context&);

  static void Apply(State&, const v1::CaseFactRecorded&);
  static void Apply(State&, const v1::CaseFactsErased&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

void BindCaseFacts(engine::Registry& registry);

}  // namespace sankofa::monitoring
