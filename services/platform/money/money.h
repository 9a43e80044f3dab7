#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sankofa/common/v1/money.pb.h"

// Amounts are integers in minor units with an ISO 4217 code; nothing here ever goes through a float. The node keeps
// accounts in three currencies: the euro (2 decimals) and the two CFA francs, XAF and XOF (0 decimals), which are
// different currencies and both fixed at 655.957 to the euro (Council decision 98/683/EC and 1998 protocols).
//
// Every function that can fail answers REASON_MONEY (currencies mixed or unknown, a sum out of range, a negative
// amount where none may be) and names the field `amount`.
namespace sankofa::money {

using common::v1::Money;

// A currency that the platform keeps accounts in.
struct Currency {
  std::string_view code;
  int decimals;
  // One euro in thousandths of a major unit: 1'000 for the euro itself, 655'957 for the francs.
  std::int64_t thousandths_per_euro;
};

// Null for any other code.
[[nodiscard]] const Currency* FindCurrency(std::string_view code);
[[nodiscard]] std::span<const Currency> Currencies();

[[nodiscard]] Money Of(std::string_view currency, std::int64_t minor_units);
[[nodiscard]] Money Zero(std::string_view currency);
[[nodiscard]] bool SameCurrency(const Money& left, const Money& right);

// Checked: same known currency, result within int64.
[[nodiscard]] absl::StatusOr<Money> Add(const Money& left, const Money& right);
[[nodiscard]] absl::StatusOr<Money> Subtract(const Money& left, const Money& right);
[[nodiscard]] absl::StatusOr<Money> Multiply(const Money& amount, std::int64_t factor);
// The sum of `amounts`, all in `currency`; zero for none.
[[nodiscard]] absl::StatusOr<Money> Sum(std::string_view currency, std::span<const Money> amounts);

// The value of a calculation that cannot fail because its inputs were checked before; ends the process if it did.
[[nodiscard]] Money Must(absl::StatusOr<Money> result);

// An amount in another currency, with all that is needed to check it by hand.
struct Conversion {
  Money source;
  Money target;  // rounded half up to the minor unit (a half away from zero for negative amounts)
  std::string rate;  // "655.957"; "1" between the two francs and where nothing was converted
  // target − exact result, in minor units of the target: numerator / denominator, within ±1/2.
  std::int64_t rounding_numerator = 0;
  std::int64_t rounding_denominator = 1;
};

// Converts at the fixed rate, in exact integer arithmetic, and rounds once, at the end. XAF to XOF goes through the
// euro without rounding there, hence at par: rounding to cents on the way would lose up to 3 francs.
[[nodiscard]] absl::StatusOr<Conversion> Convert(const Money& amount, std::string_view currency);

// True where `amount`, converted into the currency of `limit`, is not above it.
[[nodiscard]] absl::StatusOr<bool> AtMost(const Money& amount, const Money& limit);

// Divides `total` (not negative) in proportion to `weights` (not negative, not all zero) so that the parts add up
// exactly: each gets its share rounded down, and what is left goes, a minor unit each, to the largest remainders, the
// earlier first among equals.
[[nodiscard]] absl::StatusOr<std::vector<Money>> Split(const Money& total,
                                                       std::span<const std::int64_t> weights);

// `percent` of `amount`, rounded down.
[[nodiscard]] absl::StatusOr<Money> PercentOf(const Money& amount, int percent);

enum class Language { kEnglish, kFrench };

// For people: "66,972.00 EUR", "43,930,752 XAF"; in French "66 972,00 EUR" with no-break spaces.
[[nodiscard]] std::string Format(const Money& amount, Language language = Language::kEnglish);

// The inverse for files that people write: "4000 EUR", "0.50 EUR", "655957 XAF". Nothing for more decimals than the
// currency has, for an unknown currency and for any other form.
[[nodiscard]] std::optional<Money> Parse(std::string_view text);

}  // namespace sankofa::money
