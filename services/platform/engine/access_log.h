#pragma once

#include "sankofa/common/v1/access_log.pb.h"
#include "services/platform/engine/registry.h"

namespace sankofa::engine {

// Reads as events: each case has a stream of its reads in each service, chained and kept like every other stream but
// never published. The state is a counter; who and when stand in the journal row.
struct AccessLogDecider {
  using State = common::v1::AccessLog;
  using EventTypes = engine::EventTypes<common::v1::ReadRecorded>;

  static Decision Decide(const State& state, const common::v1::RecordReadRequest& request,
                         const Context& context);
  static void Apply(State& state, const common::v1::ReadRecorded& event);
};

// Binds RecordRead; part of every service.
void RegisterAccessLog(Registry& registry);

}  // namespace sankofa::engine
