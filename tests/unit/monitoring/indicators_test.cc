#include "services/monitoring/indicators/indicators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

v1::GetIndicatorsRequest Published() {
  v1::GetIndicatorsRequest request;
  request.set_from_date("2017-01-01");
  request.set_to_date("2017-12-31");
  request.add_group_by(v1::DISAGGREGATION_SEX);
  request.set_published(true);
  return request;
}

v1::GetIndicatorsRequest Internal() {
  v1::GetIndicatorsRequest request;
  request.add_group_by(v1::DISAGGREGATION_SEX);
  return request;
}

std::string Checked(const v1::GetIndicatorsRequest& request, const std::string& role) {
  engine::Actor actor;
  actor.roles = {role};
  return test::Reason(CheckIndicators(request, actor, Noon("2018-07-01")));
}

TEST(CheckIndicators, AStatisticianSeesPublishedFiguresOnly) {
  EXPECT_EQ(Checked(Published(), "statistician"), "OK");
  EXPECT_EQ(Checked(Internal(), "statistician"), "PUBLISHED_ONLY");
  EXPECT_EQ(Checked(Internal(), "programme_manager"), "OK");
  EXPECT_EQ(Checked(Internal(), "auditor"), "OK");
}

TEST(CheckIndicators, PublishedFiguresCannotBeSubtracted) {
  const auto with = [](const std::function<void(v1::GetIndicatorsRequest&)>& change) {
    v1::GetIndicatorsRequest request = Published();
    change(request);
    return Checked(request, "auditor");
  };
  using Request = v1::GetIndicatorsRequest;
  EXPECT_EQ(with([](Request& r) { r.add_group_by(v1::DISAGGREGATION_REGION); }),
            "PUBLISHED_TOO_FINE");
  EXPECT_EQ(
      with([](Request& r) { r.add_filters()->set_disaggregation(v1::DISAGGREGATION_REGION); }),
      "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) { r.clear_from_date(); }), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) { r.clear_to_date(); }), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) { r.set_from_date("2017-01-02"); }), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) { r.set_from_date("2016-01-01"); }), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) {
              r.set_from_date("2018-01-01");  // a year that is not over
              r.set_to_date("2018-12-31");
            }),
            "PUBLISHED_TOO_FINE");
  EXPECT_EQ(with([](Request& r) { r.clear_group_by(); }), "OK");
}

TEST(CheckIndicators, RefusesWhatMakesNoSense) {
  v1::GetIndicatorsRequest request = Internal();
  request.add_group_by(v1::DISAGGREGATION_SEX);
  EXPECT_EQ(Checked(request, "auditor"), "DISAGGREGATION_INVALID");
  request = Internal();
  request.add_group_by(static_cast<v1::Disaggregation>(99));
  EXPECT_EQ(Checked(request, "auditor"), "DISAGGREGATION_INVALID");
  request = Internal();
  request.add_filters()->set_value("x");
  EXPECT_EQ(Checked(request, "auditor"), "DISAGGREGATION_INVALID");
  request = Internal();
  request.set_from_date("2017-02-01");
  request.set_to_date("2017-01-01");
  EXPECT_EQ(Checked(request, "auditor"), "PERIOD_INVALID");
}

TEST(StatementOf, PutsNothingOfTheRequestIntoItsText) {
  v1::GetIndicatorsRequest request = Internal();
  request.add_group_by(v1::DISAGGREGATION_REGION);
  request.set_from_date("2017-01-01");
  for (const char* value : {"'; drop table case_fact --", "littoral"}) {
    request.add_filters()->set_disaggregation(v1::DISAGGREGATION_REGION);
    request.mutable_filters()->rbegin()->set_value(value);
  }
  const IndicatorStatement statement = StatementOf(request);
  EXPECT_THAT(statement.sql, Not(HasSubstr("drop")));
  EXPECT_THAT(statement.sql, HasSubstr("region = any($3::text[])"));
  ASSERT_THAT(statement.params, SizeIs(3));
  EXPECT_EQ(statement.params[1], std::nullopt);
}

IndicatorRow Row(v1::IndicatorKind kind, std::int64_t cases, std::int64_t sum,
                 const std::vector<std::string>& values) {
  return {.kind = kind, .cases = cases, .sum = sum, .total = values.empty(), .values = values};
}

TEST(Assemble, PutsTotalsAndPartsTogether) {
  const auto response =
      Assemble(Internal(), {Row(v1::INDICATOR_KIND_REGISTERED, 30, 30, {}),
                            Row(v1::INDICATOR_KIND_REGISTERED, 27, 27, {"MALE"}),
                            Row(v1::INDICATOR_KIND_REGISTERED, 3, 3, {"FEMALE"}),
                            Row(v1::INDICATOR_KIND_BUSINESS_RUNNING, 9, 6, {}),
                            Row(v1::INDICATOR_KIND_SCORE_COMPOSITE, 2, 1001, {})});
  ASSERT_THAT(response.indicators(), SizeIs(3));
  EXPECT_EQ(response.indicators(0).total().cases(), 30);
  ASSERT_THAT(response.indicators(0).cells(), SizeIs(2));
  EXPECT_EQ(response.indicators(0).cells(1).cases(), 3);  // inside the node all is seen
  EXPECT_EQ(response.indicators(0).cells(1).values(0).value(), "FEMALE");
  EXPECT_EQ(response.indicators(1).total().mean_thousandths(), 667);
  EXPECT_EQ(response.indicators(2).total().mean_thousandths(), 501);
}

TEST(Assemble, WithholdsSmallCellsWhereTheFiguresArePublished) {
  const std::vector<IndicatorRow> rows = {
      Row(v1::INDICATOR_KIND_REGISTERED, 96, 96, {}),
      Row(v1::INDICATOR_KIND_REGISTERED, 20, 20, {"MALE"}),
      Row(v1::INDICATOR_KIND_REGISTERED, 23, 23, {"OTHER"}),
      Row(v1::INDICATOR_KIND_REGISTERED, 23, 23, {"FEMALE"}),
      Row(v1::INDICATOR_KIND_REGISTERED, 30, 30, {"UNKNOWN"}),
      Row(v1::INDICATOR_KIND_AMOUNT_PAID, 63, 900, {}),
      Row(v1::INDICATOR_KIND_AMOUNT_PAID, 20, 500, {"MALE"}),
      Row(v1::INDICATOR_KIND_AMOUNT_PAID, 10, 300, {"OTHER"}),
      Row(v1::INDICATOR_KIND_AMOUNT_PAID, 3, 100, {"FEMALE"}),
      Row(v1::INDICATOR_KIND_AMOUNT_PAID, 30, 100, {"UNKNOWN"})};
  v1::GetIndicatorsResponse response = Assemble(Published(), rows);
  EXPECT_EQ(response.minimum_cell(), 5);
  const v1::Indicator& indicator = response.indicators(1);
  EXPECT_FALSE(indicator.total().suppressed());
  EXPECT_EQ(indicator.cells(0).sum(), 500);
  for (const int hidden : {1, 2}) {
    EXPECT_TRUE(indicator.cells(hidden).suppressed());
    EXPECT_EQ(indicator.cells(hidden).cases(), 0);
    EXPECT_EQ(indicator.cells(hidden).sum(), 0);
    EXPECT_EQ(indicator.cells(hidden).values_size(), 1);
  }
  // The threshold can be raised, not lowered.
  v1::GetIndicatorsRequest request = Published();
  request.set_minimum_cell(1);
  EXPECT_EQ(Assemble(request, rows).minimum_cell(), 5);
  request.set_minimum_cell(12);
  response = Assemble(request, rows);
  EXPECT_EQ(response.minimum_cell(), 12);
  EXPECT_TRUE(response.indicators(1).cells(1).suppressed());
}

TEST(Assemble, AShareOfAllButAFewIsWithheld) {
  const auto response =
      Assemble(Published(), {Row(v1::INDICATOR_KIND_BUSINESS_RUNNING, 30, 29, {}),
                             Row(v1::INDICATOR_KIND_BUSINESS_RUNNING, 30, 29, {"MALE"})});
  EXPECT_TRUE(response.indicators(0).total().suppressed());
  EXPECT_EQ(response.indicators(0).total().mean_thousandths(), 0);
}

}  // namespace
}  // namespace sankofa::monitoring
