#include "services/platform/engine/access_log.h"

namespace sankofa::engine {

Decision AccessLogDecider::Decide(const State& /*state*/,
                                  const common::v1::RecordReadRequest& request,
                                  const Context& /*context*/) {
  common::v1::ReadRecorded event;
  event.set_method(request.method());
  event.set_personal(request.personal());
  event.set_purpose(request.purpose());
  Events events;
  for (const std::string& key : request.partition_keys()) events.AddTo<State>(key, event);
  return events;
}

void AccessLogDecider::Apply(State& state, const common::v1::ReadRecorded& /*event*/) {
  state.set_reads(state.reads() + 1);
}

void RegisterAccessLog(Registry& registry) {
  registry.Command<AccessLogDecider, common::v1::RecordReadRequest>(
      {.target = Target::kEither,
       .id = [](const auto& request) { return request.partition_keys(0); },
       .names =
           [](const auto& request, const auto& /*state*/, Names& names) {
             for (const std::string& key : request.partition_keys()) {
               names.Add<common::v1::AccessLog>(key);
             }
           }});
}

}  // namespace sankofa::engine
