#pragma once

#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/engine/engine.h"

namespace sankofa::service {

class Runtime;

// Gives the commands of an event that was put aside once more, with the request ids that they had: what took effect then
// is not done again. The refusal where one is refused.
[[nodiscard]] absl::Status ApplyAgain(Runtime& runtime, const engine::IncomingEvent& event,
                                      absl::Time deadline);

// During an upgrade a service may meet an event that only the next version knows. It puts it aside and goes on with the
// other cases; once this process knows the event's type, it is applied without anybody asking. Of one that is refused for
// another reason the operator decides, as of every dead letter. Used by one thread.
class LateKnown {
 public:
  explicit LateKnown(Runtime& runtime) : runtime_(runtime) {}
  // Looks now, and then once a minute.
  void ApplyIfDue();

 private:
  [[nodiscard]] absl::Status Apply();

  Runtime& runtime_;
  absl::Time next_ = absl::InfinitePast();
  std::set<std::int64_t> refused_;
};

}  // namespace sankofa::service
