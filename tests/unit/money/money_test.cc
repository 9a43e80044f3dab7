#include "services/platform/money/money.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "services/platform/status/refuse.h"

namespace sankofa::money {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

template <class T>
std::string ReasonFor(const absl::StatusOr<T>& result) {
  return result.ok() ? "OK" : status::ReasonOf(result.status());
}

std::vector<std::int64_t> MinorUnits(const std::vector<Money>& parts) {
  std::vector<std::int64_t> units;
  for (const Money& part : parts) units.push_back(part.minor_units());
  return units;
}

rc::Gen<std::string> AnyCurrency() {
  return rc::gen::element(std::string("EUR"), std::string("XAF"), std::string("XOF"));
}

// Amounts up to a thousand billion francs: more than any programme will ever hold.
rc::Gen<std::int64_t> AnyAmount() { return rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000); }

TEST(Money, KnowsThreeCurrencies) {
  EXPECT_EQ(FindCurrency("EUR")->decimals, 2);
  EXPECT_EQ(FindCurrency("XAF")->decimals, 0);
  EXPECT_EQ(FindCurrency("XOF")->decimals, 0);
  for (const char* unknown : {"", "eur", "USD", "FCFA", "EUR "}) {
    EXPECT_EQ(FindCurrency(unknown), nullptr) << unknown;
  }
}

TEST(Money, AddsOneCurrencyOnly) {
  EXPECT_EQ(Add(Of("EUR", 150), Of("EUR", 50))->minor_units(), 200);
  EXPECT_EQ(Subtract(Of("EUR", 50), Of("EUR", 150))->minor_units(), -100);
  EXPECT_EQ(ReasonFor(Add(Of("XAF", 1), Of("XOF", 1))), "MONEY");
  EXPECT_EQ(ReasonFor(Subtract(Of("EUR", 1), Of("XAF", 1))), "MONEY");
  EXPECT_EQ(ReasonFor(Add(Of("USD", 1), Of("USD", 1))), "MONEY");
  EXPECT_EQ(ReasonFor(Add(Money(), Money())), "MONEY");
}

TEST(Money, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(ReasonFor(Add(Of("XAF", kMost), Of("XAF", 1))), "MONEY");
  EXPECT_EQ(ReasonFor(Add(Of("XAF", kLeast), Of("XAF", -1))), "MONEY");
  EXPECT_EQ(ReasonFor(Subtract(Of("XAF", kLeast), Of("XAF", 1))), "MONEY");
  EXPECT_EQ(ReasonFor(Multiply(Of("XAF", kMost / 2), 3)), "MONEY");
  EXPECT_EQ(ReasonFor(Convert(Of("EUR", kMost), "XAF")), "MONEY");
  EXPECT_EQ(ReasonFor(Convert(Of("EUR", kLeast), "XOF")), "MONEY");
  EXPECT_EQ(Add(Of("XAF", kMost), Of("XAF", kLeast))->minor_units(), -1);
}

TEST(Money, SumsAList) {
  const std::vector<Money> amounts = {Of("EUR", 1), Of("EUR", 2), Of("EUR", 3)};
  EXPECT_EQ(Sum("EUR", amounts)->minor_units(), 6);
  EXPECT_EQ(Sum("XAF", {})->currency(), "XAF");
  EXPECT_EQ(ReasonFor(Sum("XAF", amounts)), "MONEY");
  EXPECT_EQ(ReasonFor(Sum("USD", {})), "MONEY");
  const std::vector<Money> too_much = {Of("XAF", kMost), Of("XAF", 1)};
  EXPECT_EQ(ReasonFor(Sum("XAF", too_much)), "MONEY");
}

TEST(Convert, GivesThePublishedFigureOfTheCameroonSitting) {
  const auto conversion = Convert(Of("EUR", 66'972'00), "XAF");
  ASSERT_TRUE(conversion.ok());
  EXPECT_EQ(conversion->target.minor_units(), 43'930'752);
  EXPECT_EQ(conversion->target.currency(), "XAF");
  EXPECT_EQ(conversion->rate, "655.957");
  // 66,972 × 655.957 = 43,930,752.204: rounded down by 0.204.
  EXPECT_EQ(conversion->rounding_numerator * 1000, -204 * conversion->rounding_denominator);
}

TEST(Convert, RoundsHalfUp) {
  // 5.00 EUR = 3,279.785 francs; 1,000 EUR = 655,957 exactly; 500 EUR = 327,978.5.
  EXPECT_EQ(Convert(Of("EUR", 5'00), "XOF")->target.minor_units(), 3280);
  EXPECT_EQ(Convert(Of("EUR", 1'000'00), "XOF")->target.minor_units(), 655'957);
  EXPECT_EQ(Convert(Of("EUR", 500'00), "XAF")->target.minor_units(), 327'979);
  EXPECT_EQ(Convert(Of("EUR", -500'00), "XAF")->target.minor_units(), -327'979);
  EXPECT_EQ(Convert(Of("XAF", 1), "EUR")->target.minor_units(), 0);
  EXPECT_EQ(Convert(Of("XAF", 4), "EUR")->target.minor_units(), 1);
  EXPECT_EQ(Convert(Of("XAF", 655'957), "EUR")->target.minor_units(), 1'000'00);
}

TEST(Convert, FrancsAreAtPar) {
  const auto conversion = Convert(Of("XAF", 12'345'679), "XOF");
  ASSERT_TRUE(conversion.ok());
  EXPECT_EQ(conversion->target.minor_units(), 12'345'679);
  EXPECT_EQ(conversion->target.currency(), "XOF");
  EXPECT_EQ(conversion->rate, "1");
  EXPECT_EQ(conversion->rounding_numerator, 0);
}

TEST(Convert, RefusesCurrenciesWithoutARate) {
  EXPECT_EQ(ReasonFor(Convert(Of("EUR", 1), "USD")), "MONEY");
  EXPECT_EQ(ReasonFor(Convert(Of("USD", 1), "EUR")), "MONEY");
  EXPECT_EQ(ReasonFor(Convert(Money(), "EUR")), "MONEY");
  EXPECT_EQ(ReasonFor(AtMost(Of("USD", 1), Of("EUR", 1))), "MONEY");
}

RC_GTEST_PROP(Convert, IsExactUpToItsRecordedRounding, ()) {
  const auto from = *AnyCurrency();
  const auto to = *AnyCurrency();
  const auto minor = *AnyAmount() * *rc::gen::element(1, -1);
  const auto conversion = Convert(Of(from, minor), to);
  RC_ASSERT(conversion.ok());
  // target × euro-rate of the source − source × euro-rate of the target = rounding, all as exact integers.
  __extension__ using Wide = __int128;
  const auto weight = [](const std::string& code) {
    const Currency& currency = *FindCurrency(code);
    return Wide{currency.thousandths_per_euro} * (currency.decimals == 2 ? 100 : 1);
  };
  const Wide difference =
      Wide{conversion->target.minor_units()} * weight(from) - minor * weight(to);
  RC_ASSERT(difference * conversion->rounding_denominator ==
            Wide{conversion->rounding_numerator} * weight(from));
  RC_ASSERT(2 * std::abs(conversion->rounding_numerator) <= conversion->rounding_denominator);
  RC_ASSERT(conversion->source.minor_units() == minor);
}

RC_GTEST_PROP(Convert, EurosSurviveTheWayToFrancsAndBack, ()) {
  const auto euro = Of("EUR", *AnyAmount());
  const auto franc = *rc::gen::element(std::string("XAF"), std::string("XOF"));
  const auto there = Convert(euro, franc);
  RC_ASSERT(there.ok());
  RC_ASSERT(Convert(there->target, "EUR")->target.minor_units() == euro.minor_units());
}

RC_GTEST_PROP(Convert, KeepsTheOrder, ()) {
  const auto from = *AnyCurrency();
  const auto to = *AnyCurrency();
  const auto low = *AnyAmount();
  const auto high = low + *AnyAmount();
  RC_ASSERT(Convert(Of(from, low), to)->target.minor_units() <=
            Convert(Of(from, high), to)->target.minor_units());
}

TEST(AtMost, ComparesAcrossCurrencies) {
  EXPECT_TRUE(*AtMost(Of("EUR", 66'972'00), Of("XAF", 43'930'752)));
  EXPECT_TRUE(*AtMost(Of("XAF", 43'930'752), Of("EUR", 66'972'00)));
  EXPECT_FALSE(*AtMost(Of("EUR", 66'972'01), Of("XAF", 43'930'752)));
  EXPECT_FALSE(*AtMost(Of("XAF", 43'930'760), Of("EUR", 66'972'00)));
}

TEST(Split, GivesWhatIsLeftToTheLargestRemainders) {
  const std::vector<std::int64_t> plan = {70, 30};
  EXPECT_THAT(MinorUnits(*Split(Of("EUR", 66'972'00), plan)), ElementsAre(46'880'40, 20'091'60));
  EXPECT_THAT(MinorUnits(*Split(Of("XAF", 101), plan)), ElementsAre(71, 30));
  const std::vector<std::int64_t> thirds = {1, 1, 1};
  EXPECT_THAT(MinorUnits(*Split(Of("EUR", 100), thirds)), ElementsAre(34, 33, 33));
  EXPECT_THAT(MinorUnits(*Split(Of("EUR", 2), thirds)), ElementsAre(1, 1, 0));
  const std::vector<std::int64_t> uneven = {50, 25, 25, 0};
  EXPECT_THAT(MinorUnits(*Split(Of("XOF", 3), uneven)), ElementsAre(1, 1, 1, 0));
  EXPECT_THAT(MinorUnits(*Split(Of("XAF", kMost), plan)),
              ElementsAre(6'456'360'425'798'343'065, 2'767'011'611'056'432'742));
}

TEST(Split, RefusesWhatCannotBeSplit) {
  const std::vector<std::int64_t> none;
  const std::vector<std::int64_t> zero = {0, 0};
  const std::vector<std::int64_t> negative = {70, -30};
  const std::vector<std::int64_t> huge = {kMost, kMost};
  const std::vector<std::int64_t> half = {1, 1};
  for (const auto& weights : {none, zero, negative, huge}) {
    EXPECT_EQ(ReasonFor(Split(Of("EUR", 100), weights)), "MONEY");
  }
  EXPECT_EQ(ReasonFor(Split(Of("EUR", -1), half)), "MONEY");
  EXPECT_EQ(ReasonFor(Split(Of("USD", 1), half)), "MONEY");
}

RC_GTEST_PROP(Split, AddsUpAndIsFair, ()) {
  const auto total = Of(*AnyCurrency(), *AnyAmount());
  auto weights = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 1000)));
  weights.front() += 1;
  const auto parts = Split(total, weights);
  RC_ASSERT(parts.ok());
  RC_ASSERT(parts->size() == weights.size());
  RC_ASSERT(Sum(total.currency(), *parts)->minor_units() == total.minor_units());
  std::int64_t sum = 0;
  for (const auto weight : weights) sum += weight;
  for (size_t i = 0; i < weights.size(); ++i) {
    // Never further than one minor unit from the exact share, nothing where the weight is zero.
    const std::int64_t difference =
        (*parts)[i].minor_units() * sum - total.minor_units() * weights[i];
    RC_ASSERT(std::abs(difference) < sum);
    if (weights[i] == 0) RC_ASSERT((*parts)[i].minor_units() == 0);
  }
}

TEST(PercentOf, RoundsDown) {
  EXPECT_EQ(PercentOf(Of("EUR", 199), 50)->minor_units(), 99);
  EXPECT_EQ(PercentOf(Of("XAF", kMost), 100)->minor_units(), kMost);
  EXPECT_EQ(ReasonFor(PercentOf(Of("XAF", kMost), 101)), "MONEY");
  EXPECT_EQ(ReasonFor(PercentOf(Of("EUR", -1), 50)), "MONEY");
}

TEST(Format, ReadsAsPeopleWriteIt) {
  EXPECT_EQ(Format(Of("EUR", 66'972'00)), "66,972.00 EUR");
  EXPECT_EQ(Format(Of("XAF", 43'930'752)), "43,930,752 XAF");
  EXPECT_EQ(Format(Of("EUR", 5)), "0.05 EUR");
  EXPECT_EQ(Format(Of("EUR", -100'005)), "-1,000.05 EUR");
  EXPECT_EQ(Format(Of("XOF", 0)), "0 XOF");
  EXPECT_EQ(Format(Of("EUR", 66'972'00), Language::kFrench), "66\u00A0972,00\u00A0EUR");
  EXPECT_EQ(Format(Of("XAF", kLeast)), "-9,223,372,036,854,775,808 XAF");
}

TEST(Parse, TakesOneFormOnly) {
  EXPECT_EQ(Parse("4000 EUR")->minor_units(), 4000'00);
  EXPECT_EQ(Parse("0.5 EUR")->minor_units(), 50);
  EXPECT_EQ(Parse("0.05 EUR")->minor_units(), 5);
  EXPECT_EQ(Parse("655957 XAF")->minor_units(), 655'957);
  for (const char* bad : {"", "EUR", "4000", "4000EUR", "4,000 EUR", "4000 USD", "-1 EUR", "+1 EUR",
                          "1.005 EUR", "1. EUR", ".5 EUR", "1.0 XAF", "1 EUR ", " 1 EUR", "1  EUR",
                          "1e3 EUR", "99999999999999999999 XAF", "١ EUR"}) {
    EXPECT_FALSE(Parse(bad).has_value()) << bad;
  }
}

RC_GTEST_PROP(Parse, ReadsWhatWasFormattedWithoutItsCommas, ()) {
  const auto amount = Of(*AnyCurrency(), *AnyAmount());
  std::string text = Format(amount);
  std::erase(text, ',');
  const auto parsed = Parse(text);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->minor_units() == amount.minor_units());
  RC_ASSERT(parsed->currency() == amount.currency());
}

}  // namespace
}  // namespace sankofa::money
