#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace sankofa::kafka {

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(100);
  absl::Duration max = absl::Seconds(5);

  // The pause after the n-th failure in a row (1, 2 …): doubles up to `max`.
  [[nodiscard]] absl::Duration After(int failures) const {
    return std::min(max, first * (std::int64_t{1} << std::clamp(failures - 1, 0, 30)));
  }
};

// When to try again.
class Backoff {
 public:
  explicit Backoff(BackoffOptions options) : options_(options) {}
  void Failed(absl::Time now) { until_ = now + options_.After(++failures_); }
  void Succeeded() {
    failures_ = 0;
    until_ = absl::InfinitePast();
  }
  [[nodiscard]] bool Waiting(absl::Time now) const { return now < until_; }
  [[nodiscard]] absl::Time until() const { return until_; }

 private:
  BackoffOptions options_;
  int failures_ = 0;
  absl::Time until_ = absl::InfinitePast();
};

}  // namespace sankofa::kafka
