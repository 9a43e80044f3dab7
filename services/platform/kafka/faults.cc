#include "services/platform/kafka/faults.h"

#include <utility>

namespace sankofa::kafka {

void Faults::FailNth(Operation operation, int n, absl::Status failure) {
  const std::lock_guard lock(mutex_);
  plans_[operation] = Plan{.calls = 0, .fail_at = n, .failure = std::move(failure)};
}

void Faults::Clear() {
  const std::lock_guard lock(mutex_);
  plans_.clear();
}

int Faults::calls(Operation operation) const {
  const std::lock_guard lock(mutex_);
  const auto plan = plans_.find(operation);
  return plan == plans_.end() ? 0 : plan->second.calls;
}

absl::Status Faults::Next(Operation operation) {
  const std::lock_guard lock(mutex_);
  Plan& plan = plans_[operation];
  return ++plan.calls == plan.fail_at ? plan.failure : absl::OkStatus();
}

}  // namespace sankofa::kafka
