#include "services/funding/budget/budget_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "services/funding/budget/agreement.h"
#include "services/funding/budget/ledger.h"
#include "tests/unit/funding/scenario.h"

namespace sankofa::funding {
namespace {

using test::At;
using test::Office;
using test::Reason;

v1::RecordAgreementRequest Agreement() {
  v1::RecordAgreementRequest request;
  request.set_agreement("eu");
  request.set_funder("eu");
  request.add_origin_countries("TG");
  *request.mutable_committed() = money::Of("EUR", 1'000);
  request.set_valid_from("2017-01-01");
  request.set_valid_until("2017-12-31");
  return request;
}

TEST(RecordAgreement, RefusesWhatMakesNoSense) {
  v1::Agreement agreement;
  auto request = Agreement();
  request.mutable_committed()->set_minor_units(0);
  EXPECT_EQ(Reason(sankofa::test::Run<AgreementDecider>(agreement, request, At())),
            "AMOUNT_NOT_POSITIVE");
  request.mutable_committed()->set_minor_units(-5);
  EXPECT_EQ(Reason(sankofa::test::Run<AgreementDecider>(agreement, request, At())),
            "AMOUNT_NOT_POSITIVE");
  request = Agreement();
  request.set_valid_until("2016-12-31");
  EXPECT_EQ(Reason(sankofa::test::Run<AgreementDecider>(agreement, request, At())),
            "AGREEMENT_DATES");
  request.set_valid_until("2017-01-01");
  EXPECT_EQ(Reason(sankofa::test::Run<AgreementDecider>(agreement, request, At())), "OK");
  EXPECT_EQ(agreement.allocated().minor_units(), 0);
}

v1::OpenBudgetLineRequest Line(std::int64_t cents, const std::string& code = "second") {
  v1::OpenBudgetLineRequest request;
  request.set_budget_line(code);
  request.set_agreement("ofii-minrex");
  *request.mutable_amount() = money::Of("EUR", cents);
  return request;
}

TEST(OpenBudgetLine, TakesItsPartOfTheAgreement) {
  Office office;
  auto& world = office.world();
  auto request = Line(20'000'01);
  EXPECT_EQ(Reason(world.Send(request, At())), "AGREEMENT_EXHAUSTED");
  request.set_agreement("nobody");
  EXPECT_EQ(Reason(world.Send(request, At())), "AGREEMENT_UNKNOWN");
  EXPECT_EQ(Reason(world.Send(Line(0), At())), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Reason(world.Send(Line(-1), At())), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Reason(world.Send(Line(std::numeric_limits<std::int64_t>::max()), At())), "MONEY");
  request = Line(100);
  request.mutable_amount()->set_currency("XAF");
  EXPECT_EQ(Reason(world.Send(request, At())), "CURRENCY_MISMATCH");
  EXPECT_FALSE(world.Has<v1::BudgetLine>("second"));

  ASSERT_EQ(Reason(world.Send(Line(20'000'00), At())), "OK");
  EXPECT_EQ(world.Get<v1::Agreement>("ofii-minrex").allocated().minor_units(), 100'000'00);
  const auto& line = world.Get<v1::BudgetLine>("second");
  EXPECT_EQ(line.available().minor_units(), 20'000'00);
  EXPECT_EQ(line.valid_until(), "2019-12-31");
  const auto* opened = world.Last<v1::BudgetLineOpened>();
  ASSERT_NE(opened, nullptr);
  EXPECT_TRUE(ledger::Balances(opened->batch()));
  EXPECT_EQ(ledger::RowsOf(*opened).size(), 2);
  EXPECT_EQ(world.Send(Line(1), At()).code(), absl::StatusCode::kAlreadyExists);
}

TEST(TransferBudget, MovesWhatIsAvailable) {
  Office office;
  auto& world = office.world();
  office.OpenLine("second", 20'000'00);
  v1::TransferBudgetRequest request;
  request.set_budget_line("cm-2017");
  request.set_to_budget_line("second");
  *request.mutable_amount() = money::Of("EUR", 5'000'00);
  const auto refused = [&](auto change) {
    v1::TransferBudgetRequest bad = request;
    change(bad);
    return Reason(world.Send(bad, At()));
  };
  EXPECT_EQ(refused([](auto& bad) { bad.set_to_budget_line("none"); }), "BUDGET_LINE_UNKNOWN");
  EXPECT_EQ(refused([](auto& bad) { bad.set_to_budget_line("cm-2017"); }), "TRANSFER_NOT_POSSIBLE");
  EXPECT_EQ(refused([](auto& bad) { bad.mutable_amount()->set_minor_units(0); }),
            "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(refused([](auto& bad) { bad.mutable_amount()->set_minor_units(-1); }),
            "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(refused([](auto& bad) { bad.mutable_amount()->set_minor_units(80'000'01); }),
            "BUDGET_EXHAUSTED");
  EXPECT_EQ(refused([](auto& bad) { bad.mutable_amount()->set_currency("XAF"); }),
            "CURRENCY_MISMATCH");
  ASSERT_EQ(Reason(world.Send(request, At())), "OK");
  EXPECT_EQ(world.Get<v1::BudgetLine>("cm-2017").allotted().minor_units(), 75'000'00);
  EXPECT_EQ(world.Get<v1::BudgetLine>("second").available().minor_units(), 25'000'00);

  auto agreement = Agreement();
  ASSERT_TRUE(world.Send(agreement, At()).ok());
  v1::OpenBudgetLineRequest foreign = Line(500, "foreign");
  foreign.set_agreement("eu");
  ASSERT_TRUE(world.Send(foreign, At()).ok());
  EXPECT_EQ(refused([](auto& bad) { bad.set_to_budget_line("foreign"); }), "TRANSFER_NOT_POSSIBLE");
}

TEST(Ledger, LeavesOutZeroesAndCountsPerCurrency) {
  const auto batch = ledger::BatchBuilder(At(), "pay")
                         .Move(v1::ACCOUNT_PAYABLE, v1::ACCOUNT_BANK, "g", money::Of("EUR", 5))
                         .Move(v1::ACCOUNT_PAYABLE, v1::ACCOUNT_BANK, "g", money::Of("XAF", 0))
                         .Close();
  EXPECT_EQ(batch.postings_size(), 2);
  v1::PostingBatch wrong = batch;
  wrong.mutable_postings(0)->mutable_amount()->set_currency("XAF");
  EXPECT_FALSE(ledger::Balances(wrong));
  EXPECT_EQ(ledger::NameOf(v1::ACCOUNT_LINE_AVAILABLE), "line_available");
}

TEST(LedgerDeathTest, EndsTheProcessBeforeAnUnbalancedBatchIsPosted) {
  EXPECT_DEATH((void)ledger::BatchBuilder(At(), "x")
                   .Debit(v1::ACCOUNT_GRANT, "g", money::Of("EUR", 1))
                   .Close(),
               "does not balance");
  EXPECT_DEATH(
      (void)ledger::BatchBuilder(At(), "x").Debit(v1::ACCOUNT_GRANT, "g", money::Of("EUR", -1)),
      "sign");
}

TEST(BudgetLineDeathTest, EndsTheProcessOnAnEventThatLosesMoney) {
  v1::BudgetLine line;
  v1::BudgetLineOpened opened;
  *opened.mutable_amount() = money::Of("EUR", 10);
  BudgetLineDecider::Apply(line, opened);
  v1::BudgetReserved reserved;
  *reserved.mutable_amount() = money::Of("EUR", 11);
  EXPECT_DEATH(BudgetLineDecider::Apply(line, reserved), "below zero");
}

RC_GTEST_PROP(BudgetLines, NoSequenceOfOpeningsAndTransfersMakesOrLosesMoney, ()) {
  Office office;
  auto& world = office.world();
  const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, std::int64_t>>>(
      rc::gen::tuple(rc::gen::inRange(0, 5), rc::gen::inRange(0, 5),
                     rc::gen::inRange<std::int64_t>(-100, 60'000'00)));
  for (const auto& [from, to, cents] : steps) {
    if (from == to) {
      (void)world.Send(Line(cents, absl::StrCat("line-", from)), At());
    } else {
      v1::TransferBudgetRequest request;
      request.set_budget_line(absl::StrCat("line-", from));
      request.set_to_budget_line(absl::StrCat("line-", to));
      *request.mutable_amount() = money::Of("EUR", cents);
      (void)world.Send(request, At());
    }
    std::int64_t allotted = 0;
    for (const auto* line : world.All<v1::BudgetLine>()) {
      RC_ASSERT(line->available().minor_units() >= 0);
      RC_ASSERT(line->available().minor_units() == line->allotted().minor_units());
      allotted += line->allotted().minor_units();
    }
    const auto& agreement = world.Get<v1::Agreement>("ofii-minrex");
    RC_ASSERT(allotted == agreement.allocated().minor_units());
    RC_ASSERT(allotted <= agreement.committed().minor_units());
  }
}

}  // namespace
}  // namespace sankofa::funding
