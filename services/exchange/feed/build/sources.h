#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/exchange/feed/policy.h"
#include "services/platform/engine/engine.h"

namespace sankofa::exchange {

// What the builder of feeds asks of others. All wait, bounded in time. UNAVAILABLE where there is no answer.
class FeedSources {
 public:
  virtual ~FeedSources() = default;
  // What a partner may see for a purpose at `at`; nothing where no consent holds.
  [[nodiscard]] virtual absl::StatusOr<std::optional<registration::v1::Disclosure>> Disclose(
      const std::string& case_id, const std::string& partner, Purpose purpose, absl::Time at) = 0;
  // All events of a case in one service, in order.
  [[nodiscard]] virtual absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(
      const std::string& service, const std::string& case_id) = 0;
  // The cases of a person that were submitted.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::string>> SubmittedCases(
      const std::string& person_id) = 0;
  // Up to `limit` cases that were submitted, in the order of their ids, behind `after`.
  [[nodiscard]] virtual absl::StatusOr<std::vector<std::string>> SubmittedAfter(
      const std::string& after, int limit) = 0;
  // A keyed hash.
  [[nodiscard]] virtual std::string Blind(std::string_view label, std::string_view text) = 0;
};

}  // namespace sankofa::exchange
