#pragma once

#include <vector>

#include "sankofa/monitoring/v1/instrument.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

inline constexpr int kInstrumentVersionsMax = 20;

// A survey instrument with all its versions; its id is its code. A version is published once, after the one before it,
// and never changes: surveys name the version that they were taken with.
struct InstrumentDecider {
  using State = v1::Instrument;
  using EventTypes = engine::EventTypes<v1::InstrumentPublished>;

  static engine::Decision Decide(const State&, const v1::PublishInstrumentRequest&,
                                 const engine::Context&);
  static void Apply(State&, const v1::InstrumentPublished&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

void BindInstrument(engine::Registry& registry);

}  // namespace sankofa::monitoring
