#include <gtest/gtest.h>

#include "services/funding/budget/ledger.h"
#include "services/funding/grant/grant.h"
#include "tests/unit/funding/scenario.h"

// The published sitting of Cameroon 2017 as funding sees it: 12 grants, 66,972 EUR in all, 70 % first. How the sum
// divides among the twelve was not published; these amounts are invented and add up to it.
namespace sankofa::funding {
namespace {

using test::GoodFacts;
using test::Id;
using test::Office;
using test::Reason;
using test::ReserveRequest;

constexpr std::int64_t kCents[] = {7'000'00, 6'950'37, 6'800'00, 6'543'21, 6'200'11, 5'900'00,
                                   5'581'01, 5'250'75, 4'999'99, 4'500'03, 4'000'00, 3'246'53};

TEST(Sitting, TwelveGrantsAndTheirFirstInstalments) {
  Office office;
  std::int64_t total = 0;
  std::int64_t first = 0;
  std::int64_t francs = 0;
  std::vector<std::string> grants;
  for (int i = 0; i < 12; ++i) {
    const int number = i + 1;
    office.Approve(number, money::Of("EUR", kCents[i]));
    auto request = ReserveRequest(kCents[i], number);
    request.set_payment_currency("XAF");
    ASSERT_EQ(Reason(office.Reserve(request, GoodFacts(number))), "OK");
    grants.push_back(office.grant_id());
    const v1::Grant& grant = office.grant();
    total += grant.amount().minor_units();
    const std::int64_t part = grant.instalments(0).amount().minor_units();
    // 70 % to the cent, rounded to the nearest: with two parts that is what the largest remainder gives.
    EXPECT_EQ(part, (grant.amount().minor_units() * 70 + 50) / 100);
    first += part;
  }
  EXPECT_EQ(total, 66'972'00);
  EXPECT_EQ(money::Convert(money::Of("EUR", total), "XAF")->target.minor_units(), 43'930'752);
  // 70 % of the whole is 46,880.40 EUR; each of the twelve roundings moves it by half a cent at most.
  EXPECT_LE(std::abs(first - 46'880'40), 6);
  const auto& line = office.world().Get<v1::BudgetLine>("cm-2017");
  EXPECT_EQ(line.reserved().minor_units(), 66'972'00);

  for (int i = 0; i < 12; ++i) {
    Office::Must(office.On<v1::SignGrantRequest>(grants[i], 1, "manager"));
    office.PayAndProve(grants[i], 1, i + 1);
    francs +=
        office.world().Get<v1::Grant>(grants[i]).instalments(0).payment_amount().minor_units();
  }
  EXPECT_EQ(line.spent().minor_units(), first);
  EXPECT_EQ(line.reserved().minor_units(), 66'972'00 - first);
  EXPECT_LE(std::abs(francs - money::Convert(money::Of("EUR", first), "XAF")->target.minor_units()),
            6);
}

}  // namespace
}  // namespace sankofa::funding
