#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/engine.h"
#include "services/platform/rpc/client.h"

namespace sankofa::monitoring {

// The journals of all services, for one case at a time. Thread-safe.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // All published events of a case, each stream in its order. UNAVAILABLE where one of the services can't be reached:
  // half a case is not shown as a whole one.
  [[nodiscard]] virtual absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(
      const std::string& case_id, absl::Time deadline) = 0;
};

// More events than this are no case of ours.
inline constexpr int kCaseEventsMax = 20'000;

// Asks each service's NodeService.
class RpcEventSource final : public EventSource {
 public:
  explicit RpcEventSource(const rpc::Clients& clients) : clients_(clients) {}
  [[nodiscard]] absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(
      const std::string& case_id, absl::Time deadline) override;

 private:
  const rpc::Clients& clients_;
};

}  // namespace sankofa::monitoring
