#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/decider.h"

namespace sankofa::engine {

// What a command's `facts` function may use to learn what a decision needs from elsewhere. Runs before the command is
// queued, on a thread that may wait. What it returns is as old as its reading: carry the version, and let the decider
// compare.
class FactCall {
 public:
  virtual ~FactCall() = default;
  [[nodiscard]] virtual const Actor& actor() const = 0;
  [[nodiscard]] virtual absl::Time now() const = 0;
  [[nodiscard]] virtual absl::Time deadline() const = 0;

  // One of the service's own aggregates, read without a lock and without personal fields.
  template <class State>
  [[nodiscard]] absl::StatusOr<State> Load(const std::string& id) {
    auto loaded = LoadState(KeyOf<State>(id));
    if (!loaded.ok()) return loaded.status();
    return static_cast<State&>(**loaded);
  }

  // Calls another service on the service's own account. `method`: "sankofa.x.v1.XService/Method". UNAVAILABLE with
  // reason DEPENDENCY_UNAVAILABLE where it can't be reached.
  [[nodiscard]] virtual absl::Status Call(const std::string& method,
                                          const google::protobuf::Message& request,
                                          google::protobuf::Message& response) = 0;

 protected:
  [[nodiscard]] virtual absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const StreamKey& key) = 0;
};

}  // namespace sankofa::engine
