#include "services/monitoring/indicators/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sankofa/common/v1/options.pb.h"
#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

v1::PublishStatisticsRequest PublishYear(const std::string& code = "cm-2017",
                                         const std::string& year = "2017") {
  v1::PublishStatisticsRequest request;
  request.set_code(code);
  request.set_from_date(year + "-01-01");
  request.set_until_date(year + "-12-31");
  return request;
}

v1::StatisticsTables Computed(const v1::PublishStatisticsRequest& request) {
  v1::StatisticsTables tables;
  tables.set_from_date(request.from_date());
  tables.set_until_date(request.until_date());
  tables.set_minimum_cell(5);
  v1::StatisticsMeasure& measure = *tables.add_measures();
  measure.set_kind(v1::INDICATOR_KIND_REGISTERED);
  measure.mutable_total()->set_cases(30);
  measure.mutable_total()->set_sum(30);
  v1::StatisticsFigure& figure = *measure.add_breakdowns()->add_figures();
  figure.set_value("FEMALE");
  figure.set_suppressed(true);
  return tables;
}

class StatisticsTest : public MonitoringTest {
 protected:
  std::string SendWith(const v1::PublishStatisticsRequest& request,
                       const v1::StatisticsTables& tables, const std::string& day = "2018-02-01") {
    engine::Context context = test::At(Noon(day), {"statistician"});
    context.facts = std::make_shared<v1::StatisticsTables>(tables);
    return test::Reason(world.Send(request, context));
  }
  std::string Publish(const v1::PublishStatisticsRequest& request,
                      const std::string& day = "2018-02-01") {
    return SendWith(request, Computed(request), day);
  }
};

TEST_F(StatisticsTest, AreKeptAsTheyWerePublished) {
  EXPECT_EQ(Publish(PublishYear()), "OK");
  const auto& statistics = world.Get<v1::Statistics>("cm-2017");
  EXPECT_EQ(statistics.id(), "cm-2017");
  EXPECT_EQ(statistics.tables().SerializeAsString(), Computed(PublishYear()).SerializeAsString());
  EXPECT_EQ(time::FromTimestamp(statistics.publish_time()), Noon("2018-02-01"));
  EXPECT_EQ(world.Get<v1::StatisticsYear>("2017").code(), "cm-2017");
  const auto rows = StatisticsDecider::Project(statistics);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].values.size(), StatisticsDecider::ProjectTable().columns.size());
}

TEST_F(StatisticsTest, ACodeIsPublishedOnceAndSoIsAYear) {
  EXPECT_EQ(Publish(PublishYear()), "OK");
  EXPECT_EQ(Publish(PublishYear()), "STATISTICS_PUBLISHED");
  EXPECT_EQ(Publish(PublishYear("cm-2016", "2016")), "OK");
  EXPECT_EQ(Publish(PublishYear("again", "2017")), "STATISTICS_YEAR_PUBLISHED");
}

TEST_F(StatisticsTest, AreOfAWholeYearThatIsOver) {
  v1::PublishStatisticsRequest request = PublishYear();
  request.set_until_date("2017-12-30");
  EXPECT_EQ(Publish(request), "PUBLISHED_TOO_FINE");
  request = PublishYear();
  request.set_from_date("2016-01-01");
  EXPECT_EQ(Publish(request), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(Publish(PublishYear("early"), "2017-12-31"), "PUBLISHED_TOO_FINE");
  EXPECT_EQ(Publish(PublishYear("in-time"), "2018-01-01"), "OK");
}

TEST_F(StatisticsTest, DisaggregationsDoNotTellOfEachOther) {
  const auto with = [](std::initializer_list<v1::Disaggregation> disaggregations) {
    v1::PreviewStatisticsRequest request;
    request.set_from_date("2017-01-01");
    request.set_until_date("2017-12-31");
    for (const auto one : disaggregations) request.add_disaggregations(one);
    return test::Reason(CheckStatistics(request, Noon("2018-02-01")).status());
  };
  EXPECT_EQ(with({}), "OK");
  EXPECT_EQ(with({v1::DISAGGREGATION_SEX, v1::DISAGGREGATION_PROGRAMME}), "OK");
  EXPECT_EQ(with({v1::DISAGGREGATION_SEX, v1::DISAGGREGATION_SEX}), "DISAGGREGATION_INVALID");
  EXPECT_EQ(with({v1::DISAGGREGATION_UNSPECIFIED}), "DISAGGREGATION_INVALID");
  EXPECT_EQ(with({static_cast<v1::Disaggregation>(99)}), "DISAGGREGATION_INVALID");
  EXPECT_EQ(with({v1::DISAGGREGATION_HOST_COUNTRY, v1::DISAGGREGATION_PROGRAMME}),
            "DISAGGREGATIONS_LINKED");
  EXPECT_EQ(with({v1::DISAGGREGATION_PROGRAMME, v1::DISAGGREGATION_HOST_COUNTRY}),
            "DISAGGREGATIONS_LINKED");
  EXPECT_EQ(with({v1::DISAGGREGATION_SECTOR, v1::DISAGGREGATION_SEX, v1::DISAGGREGATION_KIND}),
            "DISAGGREGATIONS_LINKED");
  // The usual ones don't.
  v1::PreviewStatisticsRequest request;
  request.set_from_date("2017-01-01");
  request.set_until_date("2017-12-31");
  const auto usual = CheckStatistics(request, Noon("2018-02-01"));
  for (const auto one : *usual) request.add_disaggregations(one);
  EXPECT_EQ(*CheckStatistics(request, Noon("2018-02-01")), *usual);
}

TEST_F(StatisticsTest, NothingLeavesThatWasNotAskedForOrTellsOfTooFew) {
  const v1::PublishStatisticsRequest request = PublishYear();
  v1::StatisticsTables tables = Computed(request);
  tables.set_until_date("2016-12-31");
  EXPECT_EQ(SendWith(request, tables), "INTERNAL");
  tables = Computed(request);
  tables.set_minimum_cell(3);
  EXPECT_EQ(SendWith(request, tables), "INTERNAL");
  tables = Computed(request);
  tables.mutable_measures(0)->mutable_breakdowns(0)->mutable_figures(0)->set_cases(2);
  EXPECT_EQ(SendWith(request, tables), "INTERNAL");
  tables.mutable_measures(0)->mutable_breakdowns(0)->mutable_figures(0)->set_suppressed(false);
  EXPECT_EQ(SendWith(request, tables), "INTERNAL");
  tables = Computed(request);
  tables.clear_measures();
  EXPECT_EQ(SendWith(request, tables), "STATISTICS_EMPTY");
  EXPECT_EQ(test::Reason(world.Send(request, test::At(Noon("2018-02-01"), {"statistician"}))),
            "INTERNAL");
  EXPECT_EQ(Publish(request), "OK");
}

TEST(StatisticsStatement, GivesTotalsAndBreakdownsAtOnce) {
  v1::PreviewStatisticsRequest request;
  request.set_from_date("2017-01-01");
  request.set_until_date("'; drop table case_fact --");
  const auto statement =
      StatisticsStatementOf(request, {v1::DISAGGREGATION_SEX, v1::DISAGGREGATION_REGION});
  EXPECT_THAT(statement.sql, Not(HasSubstr("drop")));
  EXPECT_THAT(statement.sql,
              HasSubstr("grouping sets ((indicator, months, currency), (indicator, months, "
                        "currency, sex), (indicator, months, currency, region))"));
  EXPECT_THAT(statement.params, SizeIs(2));
}

// Whatever is added to the message later has to be thought about: all of it goes to everybody.
void ExpectPublic(const google::protobuf::Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    EXPECT_EQ(field->options().GetExtension(common::v1::visibility), common::v1::VISIBILITY_PUBLIC)
        << field->full_name();
    EXPECT_THAT(field->name(), Not(HasSubstr("case_id")));
    EXPECT_THAT(field->name(), Not(HasSubstr("person")));
    const auto* message = field->message_type();
    if (message != nullptr && message->file()->package() == "sankofa.monitoring.v1") {
      ExpectPublic(*message);
    }
  }
}
TEST(StatisticsPublished, IsPublicAllThrough) {
  ExpectPublic(*v1::StatisticsPublished::descriptor());
}

// Codes and years in any order, published and refused: each code and each year is published once, and stays.
RC_GTEST_PROP(StatisticsProperty, WhatWasPublishedStays, ()) {
  test::World world(BindAll);
  std::map<std::string, std::string> published;  // code → year
  for (int i = 0; i < 12; ++i) {
    const std::string code = *rc::gen::element<std::string>("a", "b", "c");
    const std::string year = *rc::gen::element<std::string>("2015", "2016", "2017");
    const v1::PublishStatisticsRequest request = PublishYear(code, year);
    v1::StatisticsTables tables = Computed(request);
    tables.mutable_measures(0)->mutable_total()->set_cases(100 + i);
    engine::Context context = test::At(Noon("2018-02-01"), {"statistician"});
    context.facts = std::make_shared<v1::StatisticsTables>(tables);
    std::map<std::string, std::string> before;
    for (const auto& [known, _] : published) {
      before[known] = world.Get<v1::Statistics>(known).SerializeAsString();
    }
    const bool year_taken = std::any_of(published.begin(), published.end(),
                                        [&year](const auto& one) { return one.second == year; });
    const std::string reason = test::Reason(world.Send(request, context));
    RC_ASSERT(reason == (published.contains(code) ? "STATISTICS_PUBLISHED"
                         : year_taken             ? "STATISTICS_YEAR_PUBLISHED"
                                                  : "OK"));
    if (reason == "OK") published[code] = year;
    for (const auto& [known, bytes] : before) {
      RC_ASSERT(world.Get<v1::Statistics>(known).SerializeAsString() == bytes);
    }
  }
}

}  // namespace
}  // namespace sankofa::monitoring
