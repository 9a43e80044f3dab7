#pragma once

#include "sankofa/funding/v1/funding_events.pb.h"
#include "services/platform/engine/decider.h"

namespace sankofa::funding {

// A programme is a list of dated rule sets. Rules change by decree; a case keeps the version in force on the day when
// it was filed, so a version is never changed and never slipped in before today.
struct ProgrammeDecider {
  using State = v1::Programme;
  using EventTypes = engine::EventTypes<v1::ProgrammeLoaded, v1::RuleSetPublished>;

  static engine::Decision Decide(const State& programme, const v1::LoadProgrammeRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& programme, const v1::PublishRuleSetRequest& request,
                                 const engine::Context& context);

  static void Apply(State& programme, const v1::ProgrammeLoaded& event);
  static void Apply(State& programme, const v1::RuleSetPublished& event);

  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& programme);
};

}  // namespace sankofa::funding
