#include "services/platform/money/money.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"

namespace sankofa::money {
namespace {

// Products of two 64-bit numbers and a rate of 20 bits need more than 64.
__extension__ using Wide = __int128;

constexpr std::array<Currency, 3> kCurrencies = {{
    {"EUR", 2, 1'000},
    {"XAF", 0, 655'957},
    {"XOF", 0, 655'957},
}};
constexpr std::string_view kRate = "655.957";

absl::Status RefuseMoney(std::string description) {
  return status::RefuseField(common::v1::REASON_MONEY, "amount", std::move(description));
}

bool Fits(Wide value) {
  return value >= std::numeric_limits<std::int64_t>::min() &&
         value <= std::numeric_limits<std::int64_t>::max();
}

absl::StatusOr<Money> Checked(const std::string& currency, Wide minor_units) {
  if (!Fits(minor_units)) return RefuseMoney("out of range");
  return Of(currency, static_cast<std::int64_t>(minor_units));
}

absl::Status CheckPair(const Money& left, const Money& right) {
  if (FindCurrency(left.currency()) == nullptr) {
    return RefuseMoney(absl::StrCat("unknown currency '", left.currency(), "'"));
  }
  if (!SameCurrency(left, right)) {
    return RefuseMoney(absl::StrCat(left.currency(), " and ", right.currency()));
  }
  return absl::OkStatus();
}

// 10^decimals: minor units in a major one.
std::int64_t MinorPerMajor(const Currency& currency) {
  std::int64_t factor = 1;
  for (int i = 0; i < currency.decimals; ++i) factor *= 10;
  return factor;
}

// numerator / denominator rounded to the nearest, a half away from zero.
Wide RoundHalfUp(Wide numerator, Wide denominator) {
  const bool negative = numerator < 0;
  const Wide magnitude = negative ? -numerator : numerator;
  const Wide rounded = (2 * magnitude + denominator) / (2 * denominator);
  return negative ? -rounded : rounded;
}

// "1234567" → "1,234,567".
std::string Grouped(const std::string& digits, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out.append(separator);
    out.push_back(digits[i]);
  }
  return out;
}

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

const Currency* FindCurrency(std::string_view code) {
  const auto* found = std::find_if(kCurrencies.begin(), kCurrencies.end(),
                                   [&](const Currency& currency) { return currency.code == code; });
  return found == kCurrencies.end() ? nullptr : &*found;
}

std::span<const Currency> Currencies() { return kCurrencies; }

Money Of(std::string_view currency, std::int64_t minor_units) {
  Money money;
  money.set_currency(std::string(currency));
  money.set_minor_units(minor_units);
  return money;
}

Money Zero(std::string_view currency) { return Of(currency, 0); }

bool SameCurrency(const Money& left, const Money& right) {
  return left.currency() == right.currency();
}

absl::StatusOr<Money> Add(const Money& left, const Money& right) {
  if (auto status = CheckPair(left, right); !status.ok()) return status;
  return Checked(left.currency(), Wide{left.minor_units()} + right.minor_units());
}

absl::StatusOr<Money> Subtract(const Money& left, const Money& right) {
  if (auto status = CheckPair(left, right); !status.ok()) return status;
  return Checked(left.currency(), Wide{left.minor_units()} - right.minor_units());
}

absl::StatusOr<Money> Multiply(const Money& amount, std::int64_t factor) {
  if (auto status = CheckPair(amount, amount); !status.ok()) return status;
  return Checked(amount.currency(), Wide{amount.minor_units()} * factor);
}

absl::StatusOr<Money> Sum(std::string_view currency, std::span<const Money> amounts) {
  // Each is checked against the sum so far, so an overflow in between is refused even where a later amount would
  // bring the sum back into range: such a list is not realistic money.
  absl::StatusOr<Money> sum = Zero(currency);
  if (FindCurrency(currency) == nullptr) {
    return RefuseMoney(absl::StrCat("unknown currency '", status::Absl(currency), "'"));
  }
  for (const Money& amount : amounts) {
    sum = Add(*sum, amount);
    if (!sum.ok()) return sum;
  }
  return sum;
}

Money Must(absl::StatusOr<Money> result) {
  status::Check(result.ok(), "a sum of money that was checked before has failed");
  return *std::move(result);
}

absl::StatusOr<Conversion> Convert(const Money& amount, std::string_view currency) {
  const Currency* from = FindCurrency(amount.currency());
  const Currency* to = FindCurrency(currency);
  if (from == nullptr || to == nullptr) {
    return RefuseMoney(
        absl::StrCat("no rate from '", amount.currency(), "' to '", status::Absl(currency), "'"));
  }
  // minor → major → euro → major → minor, as one fraction, reduced so that equal rates cancel out to par.
  std::int64_t factor = to->thousandths_per_euro * MinorPerMajor(*to);
  std::int64_t divisor = from->thousandths_per_euro * MinorPerMajor(*from);
  const std::int64_t common = std::gcd(factor, divisor);
  factor /= common;
  divisor /= common;

  const Wide exact = Wide{amount.minor_units()} * factor;
  const Wide rounded = RoundHalfUp(exact, divisor);
  if (!Fits(rounded)) return RefuseMoney("out of range");
  Conversion conversion;
  conversion.source = amount;
  conversion.target = Of(currency, static_cast<std::int64_t>(rounded));
  conversion.rate = from->thousandths_per_euro == to->thousandths_per_euro ? "1" : kRate;
  conversion.rounding_numerator = static_cast<std::int64_t>(rounded * divisor - exact);
  conversion.rounding_denominator = divisor;
  return conversion;
}

absl::StatusOr<bool> AtMost(const Money& amount, const Money& limit) {
  const auto converted = Convert(amount, limit.currency());
  if (!converted.ok()) return converted.status();
  return converted->target.minor_units() <= limit.minor_units();
}

absl::StatusOr<std::vector<Money>> Split(const Money& total,
                                         std::span<const std::int64_t> weights) {
  if (FindCurrency(total.currency()) == nullptr || total.minor_units() < 0) {
    return RefuseMoney("only a known currency and an amount not below zero can be split");
  }
  Wide sum = 0;
  for (const std::int64_t weight : weights) {
    if (weight < 0) return RefuseMoney("a weight is negative");
    sum += weight;
  }
  // Weights are percentages or counts. The bound keeps amount × weight within 128 bits.
  if (sum == 0 || !Fits(sum)) return RefuseMoney("the weights add up to nothing or too much");

  std::vector<Money> parts;
  std::vector<std::pair<Wide, size_t>> remainders;  // negated, so that the largest sorts first
  std::int64_t left = total.minor_units();
  for (size_t i = 0; i < weights.size(); ++i) {
    const Wide share = Wide{total.minor_units()} * weights[i];
    parts.push_back(Of(total.currency(), static_cast<std::int64_t>(share / sum)));
    left -= parts.back().minor_units();
    remainders.emplace_back(-(share % sum), i);
  }
  std::sort(remainders.begin(), remainders.end());
  for (const auto& [_, i] : remainders) {
    if (left == 0) break;
    parts[i].set_minor_units(parts[i].minor_units() + 1);
    --left;
  }
  return parts;
}

absl::StatusOr<Money> PercentOf(const Money& amount, int percent) {
  if (FindCurrency(amount.currency()) == nullptr || amount.minor_units() < 0 || percent < 0) {
    return RefuseMoney("only a share of a known currency and of an amount not below zero");
  }
  return Checked(amount.currency(), Wide{amount.minor_units()} * percent / 100);
}

std::string Format(const Money& amount, Language language) {
  const Currency* currency = FindCurrency(amount.currency());
  const size_t decimals = currency == nullptr ? 0 : static_cast<size_t>(currency->decimals);
  const bool french = language == Language::kFrench;
  // Through unsigned, since the smallest int64 has no positive counterpart.
  const auto bits = static_cast<std::uint64_t>(amount.minor_units());
  std::string digits = absl::StrCat(amount.minor_units() < 0 ? ~bits + 1 : bits);
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  const std::string minor = digits.substr(digits.size() - decimals);
  digits.erase(digits.size() - decimals);

  std::string out = amount.minor_units() < 0 ? "-" : "";
  out.append(Grouped(digits, french ? "\u00A0" : ","));
  if (decimals > 0) out.append(french ? "," : ".").append(minor);
  return out.append(french ? "\u00A0" : " ").append(amount.currency());
}

std::optional<Money> Parse(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const Currency* currency = FindCurrency(text.substr(space + 1));
  if (currency == nullptr) return std::nullopt;
  const std::string_view number = text.substr(0, space);
  const size_t point = number.find('.');
  const std::string_view major = number.substr(0, point);
  const std::string_view minor =
      point == std::string_view::npos ? std::string_view() : number.substr(point + 1);
  const auto decimals = static_cast<size_t>(currency->decimals);
  if (!AllDigits(major)) return std::nullopt;
  if (point != std::string_view::npos && (!AllDigits(minor) || minor.size() > decimals)) {
    return std::nullopt;
  }
  std::string digits(major);
  digits.append(minor).append(decimals - minor.size(), '0');
  std::int64_t minor_units = 0;
  if (!absl::SimpleAtoi(digits, &minor_units)) return std::nullopt;
  return Of(currency->code, minor_units);
}

}  // namespace sankofa::money
