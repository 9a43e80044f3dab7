#include "services/monitoring/follow_up/case_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/indicators.pb.h"
#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using CaseFactsTest = MonitoringTest;

v1::CaseFact Stage(v1::Stage stage, const std::string& date) {
  v1::CaseFact fact;
  fact.mutable_stage()->set_stage(stage);
  fact.mutable_stage()->set_date(date);
  return fact;
}

v1::CaseFact Profile(const std::string& sex, bool vulnerable) {
  v1::CaseFact fact;
  fact.mutable_profile()->set_sex(sex);
  fact.mutable_profile()->set_age_band("25_TO_34");
  fact.mutable_profile()->set_vulnerable(vulnerable);
  return fact;
}

v1::CaseFact Project(const std::string& id, std::int64_t approved) {
  v1::CaseFact fact;
  v1::ProjectFact& project = *fact.mutable_project();
  project.set_project_id(id);
  project.set_kind("BUSINESS_CREATION");
  project.set_sector("agriculture");
  project.set_jobs(2);
  if (approved > 0) {
    project.mutable_approved()->set_currency("EUR");
    project.mutable_approved()->set_minor_units(approved);
  }
  return fact;
}

v1::CaseFact Grant(const std::string& id, std::int64_t amount,
                   const std::string& currency = "EUR") {
  v1::CaseFact fact;
  v1::GrantFact& grant = *fact.mutable_grant();
  grant.set_grant_id(id);
  grant.set_kind("BUSINESS_CREATION");
  grant.set_sector("trade");
  grant.set_programme("ofii-cm-2017");
  grant.set_level(3);
  grant.mutable_amount()->set_currency(currency);
  grant.mutable_amount()->set_minor_units(amount);
  return fact;
}

v1::CaseFact Cancelled(const std::string& id) {
  v1::CaseFact fact;
  fact.mutable_grant()->set_grant_id(id);
  fact.mutable_grant()->set_cancelled(true);
  return fact;
}

v1::CaseFact Payment(const std::string& grant, int instalment, std::int64_t amount) {
  v1::CaseFact fact;
  fact.mutable_payment()->set_grant_id(grant);
  fact.mutable_payment()->set_instalment(instalment);
  fact.mutable_payment()->mutable_amount()->set_currency("EUR");
  fact.mutable_payment()->mutable_amount()->set_minor_units(amount);
  return fact;
}

v1::CaseFact Visit(const std::string& follow_up, int number, int months, bool running, int jobs) {
  v1::CaseFact fact;
  v1::VisitFact& visit = *fact.mutable_visit();
  visit.set_follow_up_id(follow_up);
  visit.set_number(number);
  visit.set_months(months);
  visit.set_business(true);
  visit.set_running(running);
  visit.set_jobs(jobs);
  return fact;
}

// What the rows say, by "indicator/months/currency".
std::map<std::string, std::string> Figures(const v1::CaseFacts& facts) {
  std::map<std::string, std::string> figures;
  for (const engine::Row& row : CaseFactsDecider::Project(facts)) {
    const auto kind = static_cast<v1::IndicatorKind>(std::stoi(*row.values[0]));
    if (kind == v1::INDICATOR_KIND_UNSPECIFIED) continue;
    figures[absl::StrCat(v1::IndicatorKind_Name(kind).substr(15), "/", *row.values[1], "/",
                         *row.values[2])] = *row.values[3];
  }
  return figures;
}

TEST_F(CaseFactsTest, KnownFactsAreAcknowledgedWithoutAnEvent) {
  EXPECT_EQ(Send(Fact(Header()), "2017-01-15"), "OK");
  EXPECT_THAT(world.last(), SizeIs(1));
  EXPECT_EQ(Send(Fact(Header()), "2017-01-15"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());
  EXPECT_EQ(Send(Fact(v1::CaseFact()), "2017-01-15"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());
}

TEST_F(CaseFactsTest, TheFirstDayOfAStageCounts) {
  ASSERT_EQ(Send(Fact(Stage(v1::STAGE_ARRIVED, "2017-03-02")), "2017-03-02"), "OK");
  ASSERT_EQ(Send(Fact(Stage(v1::STAGE_ARRIVED, "2017-03-05")), "2017-03-05"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());
  ASSERT_EQ(Send(Fact(Stage(v1::STAGE_ARRIVED, "2017-03-01")), "2017-03-06"), "OK");
  ASSERT_THAT(facts().stages(), SizeIs(1));
  EXPECT_EQ(facts().stages(0).date(), "2017-03-01");
}

TEST_F(CaseFactsTest, ProjectsTheFiguresOfACase) {
  for (const v1::CaseFact& fact :
       {Header(), Profile("FEMALE", true), Stage(v1::STAGE_ARRIVED, "2017-03-01"), Project("p1", 0),
        Project("p1", 500'000), Grant("g1", 500'000), Grant("g2", 100'000),
        Grant("g3", 65'000, "XAF"), Cancelled("g2"), Payment("g1", 1, 350'000),
        Visit("g1", 1, 6, false, 1), Visit("g3", 1, 6, true, 4), Visit("g1", 2, 12, false, 3)}) {
    ASSERT_EQ(Send(Fact(fact), "2017-06-01"), "OK");
  }
  const std::map<std::string, std::string> expected = {{"REGISTERED/0/", "1"},
                                                       {"ARRIVED/0/", "1"},
                                                       {"AMOUNT_APPROVED/0/EUR", "500000"},
                                                       {"AMOUNT_GRANTED/0/EUR", "500000"},
                                                       {"AMOUNT_GRANTED/0/XAF", "65000"},
                                                       {"AMOUNT_PAID/0/EUR", "350000"},
                                                       {"JOBS_PLANNED/0/", "2"},
                                                       {"BUSINESS_RUNNING/6/", "1"},
                                                       {"BUSINESS_RUNNING/12/", "0"},
                                                       {"JOBS/0/", "7"}};
  EXPECT_EQ(Figures(facts()), expected);
  // Every row carries the case's one value of each disaggregation.
  for (const engine::Row& row : CaseFactsDecider::Project(facts())) {
    ASSERT_EQ(row.values.size(), CaseFactsDecider::ProjectTable().columns.size());
    const std::vector<std::optional<std::string>> values(row.values.begin() + 4, row.values.end());
    EXPECT_THAT(values,
                ElementsAre("2017-01-15", "FEMALE", "25_TO_34", "CM", "FR", "VOLUNTARY_RETURN",
                            "ofii-cm-2017", "BUSINESS_CREATION", "littoral", "trade", "true", "3"));
  }
}

TEST_F(CaseFactsTest, CountsNothingBeforeTheCaseIsKnown) {
  ASSERT_EQ(Send(Fact(Grant("g1", 1)), "2017-01-15"), "OK");
  // Known, and nothing more.
  const auto rows = CaseFactsDecider::Project(facts());
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].values[0], "0");
  EXPECT_EQ(rows[0].values[4], std::nullopt);
  ASSERT_EQ(Send(Fact(Header()), "2017-01-15"), "OK");
  EXPECT_TRUE(Figures(facts()).contains("AMOUNT_GRANTED/0/EUR"));
}

// An event that was put aside is replayed when others of its stream have taken effect.
TEST_F(CaseFactsTest, WhatComesLateTakesNothingBack) {
  Begin();
  const auto tell = [&](v1::RecordCaseFactRequest request, int sequence) {
    request.set_sequence(sequence);
    ASSERT_EQ(Send(request, "2017-07-03"), "OK");
  };
  v1::CaseFact changed = Header("");
  changed.mutable_header()->set_region("ouest");
  changed.mutable_header()->clear_responsible_organisation();
  tell(Fact(changed), 3);
  tell(Fact(Header("2017-01-14")), 1);
  EXPECT_EQ(facts().header().region(), "ouest");
  EXPECT_EQ(facts().header().registered_date(), "2017-01-14");
  EXPECT_EQ(facts().header().responsible_organisation(), "minrex");

  tell(Fact(Profile("FEMALE", true)), 6);
  tell(Fact(Profile("FEMALE", false)), 1);
  EXPECT_TRUE(facts().profile().vulnerable());

  v1::CaseFact opened;
  opened.mutable_closure();
  tell(Fact(opened), 9);
  tell(Ended(true), 8);
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_ACTIVE);
  EXPECT_EQ(facts().close_reason(), "");
  tell(Ended(true), 10);
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED);
}

TEST_F(CaseFactsTest, AnEndEndsTheVisitsAndAnOrdinaryClosingDoesNot) {
  Begin();
  ASSERT_EQ(Send(Ended(false), "2017-07-01"), "OK");
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_ACTIVE);
  ASSERT_EQ(Send(Ended(true), "2017-07-02"), "OK");
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED);
}

TEST_F(CaseFactsTest, ErasureEndsEverythingAndForgetsTheProfile) {
  Begin();
  ASSERT_EQ(Send(Fact(Profile("FEMALE", true)), "2017-07-01"), "OK");
  ASSERT_EQ(Send(Fact(Payment("g1", 1, 1000)), "2017-07-01"), "OK");
  ASSERT_EQ(Send(Missed(1), "2017-08-20"), "OK");
  ASSERT_EQ(Send(Erase(), "2017-09-01"), "OK");
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED);
  EXPECT_EQ(world.All<v1::Alert>()[0]->resolution(), v1::ALERT_RESOLUTION_CASE_ERASED);
  EXPECT_TRUE(facts().erased());
  EXPECT_FALSE(facts().has_profile());
  EXPECT_TRUE(Figures(facts()).contains("AMOUNT_PAID/0/EUR"));  // money is accounted for

  // The event carries the option by which the engine destroys the case's key.
  EXPECT_TRUE(v1::CaseFactsErased::descriptor()->options().GetExtension(common::v1::erases));
  EXPECT_EQ(world.Last<v1::CaseFactsErased>()->case_id(), kCase);
  EXPECT_EQ(Send(Erase(), "2017-09-02"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());
}

TEST_F(CaseFactsTest, ListsAreLimited) {
  for (int i = 0; i < kFactsMax + 5; ++i) {
    ASSERT_EQ(Send(Fact(Payment("g1", i, 1)), "2017-07-01"), "OK");
  }
  EXPECT_THAT(facts().payments(), SizeIs(kFactsMax));
}

TEST(CaseFactsTable, EveryStateAndEveryCommand) {
  for (const std::string state : {"none", "known", "ended", "erased"}) {
    for (const std::string command : {"fact", "end", "erase"}) {
      test::World world(BindAll);
      if (state != "none") {
        ASSERT_TRUE(world.Send(Fact(Header()), On("2017-01-15")).ok());
      }
      if (state == "ended") {
        ASSERT_TRUE(world.Send(Ended(true), On("2017-01-15")).ok());
      }
      if (state == "erased") {
        ASSERT_TRUE(world.Send(Erase(), On("2017-01-15")).ok());
      }
      const absl::Status status = command == "fact"
                                      ? world.Send(Fact(Grant("g", 1)), On("2017-01-16"))
                                  : command == "end" ? world.Send(Ended(true), On("2017-01-16"))
                                                     : world.Send(Erase(), On("2017-01-16"));
      EXPECT_TRUE(status.ok()) << state << " × " << command;
      // Reactions are never refused; what comes too late takes no effect.
      const bool silent = state == "erased" || (state == "ended" && command == "end");
      EXPECT_EQ(world.last().empty(), silent) << state << " × " << command;
    }
  }
}

v1::CaseFact AnyFact() {
  const std::string id = *rc::gen::element<std::string>("a", "b");
  switch (*rc::gen::inRange(0, 8)) {
    case 0: return Header(*rc::gen::element<std::string>("2017-01-15"));
    case 1:
      return Stage(static_cast<v1::Stage>(*rc::gen::inRange(2, 7)),
                   *rc::gen::element<std::string>("2017-03-01", "2017-04-01"));
    case 2: return Project(id, *rc::gen::inRange(0, 3));
    case 3: return Grant(id, 100);
    case 4: return Cancelled(id);
    case 5: return Payment(id, *rc::gen::inRange(1, 3), 50);
    case 6: return Visit(id, *rc::gen::inRange(1, 3), 6, *rc::gen::arbitrary<bool>(), 1);
    default: return Profile(*rc::gen::element<std::string>("FEMALE", "MALE"), false);
  }
}

// Facts of one kind come in order from their service; those of different kinds in any order. The figures don't depend
// on it, and telling all again changes nothing.
RC_GTEST_PROP(CaseFactsProperty, TheOrderBetweenServicesDoesNotMatter, ()) {
  std::map<int, std::vector<v1::CaseFact>> streams;
  const int count = *rc::gen::inRange(1, 25);
  for (int i = 0; i < count; ++i) {
    const v1::CaseFact fact = AnyFact();
    streams[fact.fact_case()].push_back(fact);
  }
  const auto tell = [&streams](bool shuffled) {
    test::World world(BindAll);
    std::map<int, size_t> next;
    std::vector<int> turns;
    for (const auto& [kind, facts] : streams) turns.insert(turns.end(), facts.size(), kind);
    if (shuffled) {
      for (size_t i = turns.size(); i > 1; --i) {
        std::swap(turns[i - 1], turns[*rc::gen::inRange<size_t>(0, i)]);
      }
    }
    for (const int kind : turns) {
      RC_ASSERT(world.Send(Fact(streams[kind][next[kind]++]), On("2017-06-01")).ok());
    }
    const auto figures = Figures(world.Get<v1::CaseFacts>(kCase));
    // Told again from the last: no event.
    for (const auto& [kind, facts] : streams) {
      RC_ASSERT(world.Send(Fact(facts.back()), On("2017-06-02")).ok());
    }
    RC_ASSERT(Figures(world.Get<v1::CaseFacts>(kCase)) == figures);
    return figures;
  };
  RC_ASSERT(tell(false) == tell(true));
}

}  // namespace
}  // namespace sankofa::monitoring
