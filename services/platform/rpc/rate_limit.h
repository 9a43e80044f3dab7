#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/engine/decider.h"
#include "services/platform/time/time.h"

// How many calls one caller may make, so that a program that runs wild, or a partner that does, can't keep others from
// being served. The node's own services are not limited.
//
// Calls are counted by minute, and the minute before weighs as much as of it is left in the last sixty seconds. Counting
// never waits. Several processes of a node add their counts up in a place that they share, about once a second; with
// that place away each goes on with its own, and a caller may make at most as many calls as there are processes, times
// the limit.
namespace sankofa::rpc {

struct RateLimits {
  int person_per_minute = 0;   // by subject of the token; 0: no limit
  int partner_per_minute = 0;  // by partner's certificate, where there is no person
};

// Where processes add their counts up.
class SharedCounts {
 public:
  struct Count {
    std::string key;
    std::int64_t added = 0;
  };
  virtual ~SharedCounts() = default;
  // Adds each count and gives what all have added to its key, in order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::int64_t>> Add(
      const std::vector<Count>& counts) = 0;
};

// Thread-safe.
class RateLimiter {
 public:
  explicit RateLimiter(RateLimits limits, const time::Clock& clock = time::WallClock())
      : limits_(limits), clock_(clock) {}

  // Counts a call. OK, or RATE_LIMITED with the seconds after which it makes sense to try again.
  [[nodiscard]] absl::Status Take(const engine::Actor& actor);

  // Tells others what was counted here since the last time, and learns what they counted.
  [[nodiscard]] absl::Status Share(SharedCounts& counts);

 private:
  struct Caller {
    std::int64_t here = 0;    // this minute, in this process
    std::int64_t told = 0;    // of these, what others know
    std::int64_t others = 0;  // this minute, in other processes
    std::int64_t before = 0;  // the minute before, everywhere
  };

  // Callers as of `minute`; their counts move on with it.
  void Turn(std::int64_t minute);

  const RateLimits limits_;
  const time::Clock& clock_;
  std::mutex mutex_;
  std::int64_t minute_ = 0;
  std::map<std::string, Caller> callers_;
};

}  // namespace sankofa::rpc
