#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sankofa/common/v1/money.pb.h"
#include "sankofa/validation/v1/life_project.pb.h"
#include "services/platform/engine/decider.h"

// What a project costs. Sums are exact: integers in minor units, one currency, no overflow.
namespace sankofa::validation {

// A budget's sums, in minor units of `currency`.
struct Budget {
  std::string currency;
  std::int64_t items = 0;
  std::int64_t own = 0;
  std::int64_t requested = 0;
};

// Adds up what is there, also of a draft that is not complete. Refuses amounts that are not positive
// (AMOUNT_NOT_POSITIVE), a second currency and sums out of range (MONEY), each with the field's path.
[[nodiscard]] absl::StatusOr<Budget> AddUp(const v1::ProjectContent& content);

// Whether the content can be frozen: complete (PROJECT_INCOMPLETE), and items = requested + own contributions
// (BUDGET_DOES_NOT_ADD_UP, with both sums).
[[nodiscard]] absl::Status CheckFreezable(const v1::ProjectContent& content);

// Refuses an amount given by a caller that is not more than zero or in a currency that no accounts are kept in.
[[nodiscard]] absl::Status CheckAmount(const common::v1::Money& amount, const std::string& field);

// The content's hash as it stands in a frozen version: keyed by the node, since the description is personal.
[[nodiscard]] std::string ContentHash(const v1::ProjectContent& content,
                                      const std::string& description,
                                      const engine::Context& context);

}  // namespace sankofa::validation
