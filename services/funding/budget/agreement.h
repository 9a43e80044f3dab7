#pragma once

#include "sankofa/funding/v1/agreement.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "services/platform/engine/decider.h"

namespace sankofa::funding {

// What a funder has committed. Budget lines take their parts of it and never more than all.
struct AgreementDecider {
  using State = v1::Agreement;
  using EventTypes = engine::EventTypes<v1::AgreementRecorded, v1::AgreementAllotted>;

  static engine::Decision Decide(const State& agreement, const v1::RecordAgreementRequest& request,
                                 const engine::Context& context);

  static void Apply(State& agreement, const v1::AgreementRecorded& event);
  static void Apply(State& agreement, const v1::AgreementAllotted& event);

  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& agreement);
};

}  // namespace sankofa::funding
