#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sankofa/funding/v1/budget_line.pb.h"
#include "sankofa/funding/v1/person_funding.pb.h"
#include "services/funding/budget/ledger.h"
#include "services/funding/grant/grant.h"
#include "tests/unit/funding/scenario.h"

namespace sankofa::funding {
namespace {

using test::At;
using test::GoodFacts;
using test::Id;
using test::Office;
using test::Reason;
using test::ReserveRequest;

class Reserve : public ::testing::Test {
 protected:
  Reserve() { office_.Approve(1, money::Of("EUR", 6'000'00)); }

  // The reason for refusing a request or facts that differ from the good ones.
  std::string RefusedRequest(const std::function<void(v1::ReserveGrantRequest&)>& change) {
    auto request = ReserveRequest(5'000'00);
    change(request);
    return Reason(office_.Reserve(request, GoodFacts()));
  }
  std::string RefusedFacts(const std::function<void(v1::GrantFacts&)>& change) {
    auto facts = GoodFacts();
    change(*facts);
    return Reason(office_.Reserve(ReserveRequest(5'000'00), facts));
  }
  // A budget line, project or programme that differs; as found before the command.
  template <class State>
  std::string RefusedState(const std::string& id, const std::function<void(State&)>& change) {
    State& state = office_.world().Get<State>(id);
    const State good = state;
    change(state);
    const std::string reason = Reason(office_.Reserve(ReserveRequest(5'000'00), GoodFacts()));
    state = good;
    return reason;
  }

  Office office_;
};

TEST_F(Reserve, MovesMoneyFromAvailableToReserved) {
  ASSERT_EQ(Reason(office_.Reserve(ReserveRequest(5'581'01), GoodFacts())), "OK");
  const v1::Grant& grant = office_.grant();
  EXPECT_EQ(grant.state(), v1::GRANT_STATE_RESERVED);
  EXPECT_EQ(grant.rule_set_version(), 1);
  EXPECT_EQ(grant.payment_currency(), "EUR");
  ASSERT_EQ(grant.instalments_size(), 2);
  EXPECT_EQ(grant.instalments(0).amount().minor_units(), 3'906'71);
  EXPECT_EQ(grant.instalments(1).amount().minor_units(), 1'674'30);
  const auto& line = office_.world().Get<v1::BudgetLine>("cm-2017");
  EXPECT_EQ(line.reserved().minor_units(), 5'581'01);
  EXPECT_EQ(line.available().minor_units(), 80'000'00 - 5'581'01);
  EXPECT_EQ(office_.world().Get<v1::ApprovedProject>(Id("project")).granted().minor_units(),
            5'581'01);
  EXPECT_EQ(office_.world().Get<v1::PersonFunding>(Id("person")).grants(0).grant_id(), grant.id());
  EXPECT_THAT(grant.follow_up_months(), ::testing::ElementsAre(1, 3, 6, 12));
}

TEST_F(Reserve, RefusesWhatIsNotThere) {
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_case_id(Id("case", 9)); }), "CASE_UNKNOWN");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_project_id(Id("project", 9)); }),
            "PROJECT_NOT_APPROVED");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_programme("none"); }), "PROGRAMME_UNKNOWN");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_budget_line("none"); }), "BUDGET_LINE_UNKNOWN");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_level(4); }), "LEVEL_UNKNOWN");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_person_id(Id("person", 9)); }), "CASE_MISMATCH");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_case_id(""); }), "CASE_MISMATCH");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_person_id(Id("person", 9)); }), "CASE_MISMATCH");
  office_.Approve(2, money::Of("EUR", 6'000'00));
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_project_id(Id("project", 2)); }), "CASE_MISMATCH");
}

TEST_F(Reserve, RefusesWhoIsNotEligible) {
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_erased(true); }), "PERSON_ERASED");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_case_open(false); }), "CASE_NOT_OPEN");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_duplicate_open(true); }), "DUPLICATE_OPEN");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_return_type(v1::RETURN_TYPE_FORCED); }),
            "RETURN_TYPE_NOT_ELIGIBLE");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_return_date("2016-03-01"); }), "FILED_TOO_LATE");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_project_approved(false); }), "PROJECT_NOT_APPROVED");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_project_version(2); }), "PROJECT_CHANGED");
  EXPECT_EQ(RefusedFacts([](auto& f) { f.set_approved_version(2); }), "PROJECT_CHANGED");
  EXPECT_EQ(RefusedState<v1::CaseFile>(Id("case"), [](auto& file) { file.set_erased(true); }),
            "PERSON_ERASED");
  EXPECT_EQ(RefusedState<v1::ApprovedProject>(
                Id("project"), [](auto& project) { project.set_kind(v1::PROJECT_KIND_SOCIAL); }),
            "KIND_NOT_ELIGIBLE");
  EXPECT_EQ(RefusedState<v1::ApprovedProject>(
                Id("project"), [](auto& project) { project.set_programme("eurp-voluntary"); }),
            "PROGRAMME_MISMATCH");
  EXPECT_EQ(
      RefusedState<v1::CaseFile>(Id("case"), [](auto& file) { file.set_filed_date("2014-12-31"); }),
      "RULE_SET_NOT_IN_FORCE");
}

TEST_F(Reserve, ChecksAgeStayAndNationalityByTheRuleSet) {
  const auto with = [&](auto rules, auto facts) {
    auto& programme = office_.world().Get<v1::Programme>("ofii-cm-2017");
    const v1::Programme good = programme;
    rules(*programme.mutable_rule_sets(0));
    const std::string reason = RefusedFacts(facts);
    programme = good;
    return reason;
  };
  EXPECT_EQ(
      with([](auto& r) { r.set_maximum_age_years(65); }, [](auto& f) { f.set_age_years(66); }),
      "AGE_NOT_ELIGIBLE");
  EXPECT_EQ(
      with([](auto& r) { r.set_minimum_age_years(18); }, [](auto& f) { f.set_age_years(17); }),
      "AGE_NOT_ELIGIBLE");
  EXPECT_EQ(with([](auto& r) { r.set_minimum_stay_months(6); },
                 [](auto& f) { f.set_months_in_host_country(5); }),
            "STAY_TOO_SHORT");
  EXPECT_EQ(with([](auto& r) { r.add_excluded_nationalities("FR"); },
                 [](auto& f) { f.add_nationalities("FR"); }),
            "NATIONALITY_EXCLUDED");
  EXPECT_EQ(
      with([](auto& r) { r.set_maximum_age_years(65); }, [](auto& f) { f.set_age_years(65); }),
      "OK");
}

TEST_F(Reserve, ChecksTheBudgetLine) {
  using Line = v1::BudgetLine;
  EXPECT_EQ(RefusedState<Line>("cm-2017", [](Line& l) { l.set_valid_until("2017-06-29"); }),
            "AGREEMENT_NOT_VALID");
  EXPECT_EQ(RefusedState<Line>("cm-2017", [](Line& l) { l.set_valid_from("2017-07-01"); }),
            "AGREEMENT_NOT_VALID");
  EXPECT_EQ(RefusedState<Line>("cm-2017", [](Line& l) { l.add_programmes("eurp-forced"); }),
            "PROGRAMME_NOT_ON_LINE");
  EXPECT_EQ(RefusedState<Line>("cm-2017", [](Line& l) { l.set_host_countries(0, "DE"); }),
            "COUNTRY_NOT_COVERED");
  EXPECT_EQ(RefusedState<Line>("cm-2017", [](Line& l) { l.set_origin_countries(0, "TG"); }),
            "COUNTRY_NOT_COVERED");
  office_.OpenLine("small", 4'999'99);
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_budget_line("small"); }), "BUDGET_EXHAUSTED");
}

TEST_F(Reserve, ChecksTheAmount) {
  const auto amount = [&](std::int64_t cents, const char* currency = "EUR") {
    return RefusedRequest([&](auto& r) { *r.mutable_amount() = money::Of(currency, cents); });
  };
  EXPECT_EQ(amount(0), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(amount(-1), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(amount(6'000'01), "ABOVE_APPROVED");
  EXPECT_EQ(amount(std::numeric_limits<std::int64_t>::max()), "ABOVE_APPROVED");
  EXPECT_EQ(amount(1'000'000, "XAF"), "CURRENCY_MISMATCH");
  EXPECT_EQ(amount(1), "AMOUNT_TOO_SMALL");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_payment_currency("USD"); }), "MONEY");
  office_.Approve(1, money::Of("EUR", 9'000'00));
  EXPECT_EQ(amount(7'000'01), "ABOVE_CEILING");
  EXPECT_EQ(amount(7'000'00), "OK");
}

TEST_F(Reserve, CountsWhatEarlierGrantsTookOfTheApproval) {
  auto& programme = office_.world().Get<v1::Programme>("ofii-cm-2017");
  programme.mutable_rule_sets(0)->set_once_per_person(false);
  ASSERT_EQ(Reason(office_.Reserve(ReserveRequest(3'500'00), GoodFacts())), "OK");
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(2'500'01), GoodFacts())), "ABOVE_APPROVED");
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(2'500'00), GoodFacts())), "OK");
}

TEST_F(Reserve, HelpsAPersonOnce) {
  ASSERT_EQ(Reason(office_.Reserve(ReserveRequest(1'000'00), GoodFacts())), "OK");
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(1'000'00), GoodFacts())),
            "PROGRAMME_ALREADY_USED");
}

TEST_F(Reserve, PaysAShareOfTheCosts) {
  office_.Approve(2, money::Of("EUR", 4'000'00), 1, v1::PROJECT_KIND_EMPLOYMENT);
  const auto reserve = [&](std::optional<common::v1::Money> total_cost) {
    auto request = ReserveRequest(3'000'00, 2);
    request.set_level(2);
    if (total_cost) *request.mutable_total_cost() = *total_cost;
    return Reason(office_.Reserve(request, GoodFacts(2)));
  };
  EXPECT_EQ(reserve(std::nullopt), "TOTAL_COST_REQUIRED");
  EXPECT_EQ(reserve(money::Of("EUR", 0)), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(reserve(money::Of("EUR", 5'999'99)), "ABOVE_COST_SHARE");
  EXPECT_EQ(reserve(money::Of("USD", 6'000'00)), "MONEY");
  EXPECT_EQ(reserve(money::Of("EUR", 6'000'00)), "OK");
}

TEST_F(Reserve, ChecksHowHelpIsDelivered) {
  auto& programme = office_.world().Get<v1::Programme>("ofii-cm-2017");
  auto& level = *programme.mutable_rule_sets(0)->mutable_levels(2);
  level.clear_delivery_modes();
  level.add_delivery_modes(v1::DELIVERY_MODE_IN_KIND);
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_means(v1::PAYMENT_MEANS_BANK_TRANSFER); }),
            "DELIVERY_NOT_ALLOWED");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_means(v1::PAYMENT_MEANS_MOBILE_MONEY); }),
            "DELIVERY_NOT_ALLOWED");
  EXPECT_EQ(RefusedRequest([](auto& r) { r.set_means(v1::PAYMENT_MEANS_SUPPLIER); }), "OK");
}

TEST_F(Reserve, ComparesAnApprovalInFrancs) {
  // What a committee wrote down in francs is the same amount in euros, up to the rounding.
  office_.Approve(3, money::Of("XAF", 3'661'556));  // 5,582.00 EUR = 3,661,551.97 francs
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(5'582'01, 3), GoodFacts(3))), "ABOVE_APPROVED");
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(5'582'00, 3), GoodFacts(3))), "OK");
}

TEST_F(Reserve, TakesTheRuleSetOfTheDayOfFiling) {
  v1::PublishRuleSetRequest stricter;
  stricter.set_programme("ofii-cm-2017");
  *stricter.mutable_structured() = office_.world().Get<v1::Programme>("ofii-cm-2017").rule_sets(0);
  stricter.mutable_structured()->clear_version();
  stricter.mutable_structured()->set_effective_date("2017-06-30");
  *stricter.mutable_structured()->mutable_levels(2)->mutable_per_household() =
      money::Of("EUR", 100'00);
  ASSERT_TRUE(office_.world().Send(stricter, At()).ok());
  EXPECT_EQ(
      RefusedState<v1::CaseFile>(Id("case"), [](auto& file) { file.set_filed_date("2017-06-30"); }),
      "ABOVE_CEILING");
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(5'000'00), GoodFacts())), "OK");
  EXPECT_EQ(office_.grant().rule_set_version(), 1);
}

TEST_F(Reserve, NeedsFacts) {
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(5'000'00), nullptr)), "INTERNAL");
}

}  // namespace
}  // namespace sankofa::funding
