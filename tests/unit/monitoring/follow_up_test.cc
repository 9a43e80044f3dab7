#include "services/monitoring/follow_up/follow_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <map>

#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using FollowUpTest = MonitoringTest;

TEST(Commands, HoldTogether) {
  engine::Registry registry;
  BindCommands(registry);
  EXPECT_TRUE(registry.Check().ok()) << registry.Check();
}

TEST_F(FollowUpTest, IsPlannedWhenAGrantIsSigned) {
  Begin();
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_ACTIVE);
  std::vector<std::string> days;
  for (const auto& visit : follow_up().visits()) days.push_back(visit.planned_date());
  EXPECT_THAT(days, ElementsAre("2017-07-30", "2017-09-30", "2017-12-30", "2018-06-30"));
  EXPECT_THAT(facts().active_follow_ups(), ElementsAre(kGrant));

  // A second telling of the same changes nothing.
  EXPECT_EQ(Send(Plan(), "2017-06-30"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());
}

TEST_F(FollowUpTest, TakesItsMonthsFromTheGrant) {
  v1::PlanFollowUpRequest plan = Plan();
  for (const int month : {12, 2, 2, 0, -3, 100'000}) plan.add_months(month);
  ASSERT_EQ(Send(plan, "2017-06-30"), "OK");
  ASSERT_THAT(follow_up().visits(), SizeIs(2));
  EXPECT_EQ(follow_up().visits(0).planned_date(), "2017-08-30");
  EXPECT_EQ(follow_up().visits(1).months(), 12);
}

TEST_F(FollowUpTest, IsNotPlannedForAnErasedCase) {
  ASSERT_EQ(Send(Erase(), "2017-06-01"), "OK");
  ASSERT_EQ(Send(Plan(), "2017-06-30"), "OK");
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_UNSPECIFIED);
}

TEST_F(FollowUpTest, IsPlannedAndEndedForACaseThatEndedBefore) {
  ASSERT_EQ(Send(Ended(true), "2017-06-01"), "OK");
  ASSERT_EQ(Send(Plan(), "2017-06-30"), "OK");
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED);
  EXPECT_THAT(facts().active_follow_ups(), IsEmpty());
}

TEST_F(FollowUpTest, RecordsAVisitAndCountsIt) {
  Begin();
  ASSERT_EQ(Send(Visited(1, "2017-07-31"), "2017-08-02"), "OK");
  const v1::Visit& visit = follow_up().visits(0);
  EXPECT_EQ(visit.state(), v1::VISIT_STATE_RECORDED);
  EXPECT_EQ(visit.visit_date(), "2017-07-31");
  ASSERT_THAT(follow_up().notes(), SizeIs(1));
  EXPECT_EQ(follow_up().notes(0).observations(), "The shop is open and well stocked.");
  ASSERT_THAT(facts().visits(), SizeIs(1));
  EXPECT_TRUE(facts().visits(0).running());
  EXPECT_EQ(facts().visits(0).jobs(), 2);
}

TEST_F(FollowUpTest, AVisitMissedRaisesAnAlertAndCanBeMadeUpFor) {
  Begin();
  const auto deadline = FollowUpDecider::NextDeadline(follow_up());
  ASSERT_TRUE(deadline.has_value());
  // Two weeks and the day itself after 30 July.
  EXPECT_EQ(deadline->due, absl::FromCivil(absl::CivilDay(2017, 8, 14), absl::UTCTimeZone()));

  ASSERT_EQ(Send(Missed(1), "2017-08-13"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());  // not yet
  ASSERT_EQ(Send(Missed(1), "2017-08-14"), "OK");
  EXPECT_EQ(follow_up().visits(0).state(), v1::VISIT_STATE_MISSED);
  const auto* alert = world.Last<v1::AlertRaised>();
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->owner_organisation(), "minrex");
  EXPECT_EQ(alert->kind(), v1::ALERT_KIND_VISIT_MISSED);
  EXPECT_THAT(facts().open_alerts(), ElementsAre(alert->alert_id()));

  ASSERT_EQ(Send(Moved(1, "2017-08-25"), "2017-08-15"), "OK");
  ASSERT_EQ(Send(Missed(1), "2017-09-09"), "OK");
  EXPECT_EQ(follow_up().visits(0).misses(), 2);
  EXPECT_THAT(world.All<v1::Alert>(), SizeIs(2));  // each miss has its own
  ASSERT_EQ(Send(Visited(1, "2017-09-10"), "2017-09-10"), "OK");
  EXPECT_EQ(follow_up().visits(0).state(), v1::VISIT_STATE_RECORDED);
}

TEST_F(FollowUpTest, AVisitMustStandForItsMonth) {
  Begin();
  EXPECT_EQ(Send(Visited(3, "2017-12-14"), "2017-12-31"), "VISIT_TOO_EARLY");
  EXPECT_EQ(Send(Visited(3, "2017-12-15"), "2017-12-31"), "OK");
  EXPECT_EQ(Send(Visited(2, "2017-12-30"), "2017-12-31"), "VISIT_TOO_LATE");
  EXPECT_EQ(Send(Visited(2, "2017-12-29"), "2017-12-31"), "OK");
  EXPECT_EQ(Send(Visited(5, "2017-12-29"), "2017-12-31"), "VISIT_UNKNOWN");
  EXPECT_EQ(Send(Visited(0, "2017-12-29"), "2017-12-31"), "VISIT_UNKNOWN");
}

TEST_F(FollowUpTest, SaysOfABusinessWhetherItRunsAndOfNothingElse) {
  Begin();
  v1::RecordVisitRequest visit = Visited(1, "2017-07-30");
  visit.clear_business_status();
  EXPECT_EQ(Send(visit, "2017-07-30"), "BUSINESS_STATUS_REQUIRED");

  test::World training(BindAll);
  ASSERT_TRUE(training.Send(Plan("TRAINING"), On("2017-06-30")).ok());
  EXPECT_EQ(test::Reason(training.Send(Visited(1, "2017-07-30"), On("2017-07-30"))),
            "BUSINESS_STATUS_NOT_APPLICABLE");
  EXPECT_TRUE(training.Send(visit, On("2017-07-30")).ok());
  EXPECT_FALSE(training.Get<v1::CaseFacts>(kCase).visits(0).business());
}

TEST_F(FollowUpTest, ANewDateLiesAheadAndBetweenTheNeighbours) {
  Begin();
  EXPECT_EQ(Send(Moved(2, "2017-07-30"), "2017-07-01"), "VISIT_ORDER");  // the first visit's day
  EXPECT_EQ(Send(Moved(2, "2017-12-30"), "2017-07-01"), "VISIT_ORDER");  // the third's
  EXPECT_EQ(Send(Moved(4, "2018-09-29"), "2017-07-01"), "VISIT_ORDER");  // 91 days later
  EXPECT_EQ(Send(Moved(4, "2018-09-28"), "2017-07-01"), "OK");
  EXPECT_EQ(Send(Moved(1, "2017-06-30"), "2017-06-30"), "VISIT_ORDER");  // the day of the start
  EXPECT_EQ(Send(Moved(1, "2017-07-14"), "2017-07-15"), "VISIT_DATE_PAST");
  EXPECT_EQ(Send(Moved(9, "2017-07-20"), "2017-07-15"), "VISIT_UNKNOWN");
  for (const char* day : {"2017-08-01", "2017-08-02", "2017-08-03"}) {
    EXPECT_EQ(Send(Moved(1, day), "2017-07-15"), "OK");
  }
  EXPECT_EQ(Send(Moved(1, "2017-08-04"), "2017-07-15"), "RESCHEDULES_EXHAUSTED");
}

TEST_F(FollowUpTest, IsCompletedWhenNoVisitIsLeft) {
  Begin();
  ASSERT_EQ(Send(Visited(1, "2017-07-30"), "2017-07-30"), "OK");
  ASSERT_EQ(Send(Missed(2), "2017-11-01"), "OK");
  ASSERT_EQ(Send(Visited(3, "2017-12-30"), "2017-12-30"), "OK");
  EXPECT_EQ(Send(Close(v1::FOLLOW_UP_CLOSE_REASON_COMPLETED), "2018-01-01"), "VISITS_REMAINING");
  ASSERT_EQ(Send(Missed(4), "2018-08-01"), "OK");
  EXPECT_EQ(Send(Close(v1::FOLLOW_UP_CLOSE_REASON_COMPLETED), "2018-08-01"), "VISITS_REMAINING");
  ASSERT_EQ(Send(Visited(4, "2018-08-02"), "2018-08-02"), "OK");
  EXPECT_EQ(Send(Close(v1::FOLLOW_UP_CLOSE_REASON_COMPLETED), "2018-08-02"), "OK");
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_CLOSED);
  EXPECT_THAT(facts().active_follow_ups(), IsEmpty());
  EXPECT_FALSE(FollowUpDecider::NextDeadline(follow_up()).has_value());
}

TEST_F(FollowUpTest, ReasonsOfTheNodeAreNotForPeople) {
  Begin();
  for (const auto reason :
       {v1::FOLLOW_UP_CLOSE_REASON_GRANT_CANCELLED, v1::FOLLOW_UP_CLOSE_REASON_CASE_ENDED,
        v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED, v1::FOLLOW_UP_CLOSE_REASON_UNSPECIFIED,
        static_cast<v1::FollowUpCloseReason>(77)}) {
    EXPECT_EQ(Send(Close(reason), "2017-07-01"), "VALUE_RESERVED") << reason;
  }
}

// ---- All states × all commands ----------------------------------------------------------------------------------------

// How a follow-up gets into each state, and what each command then says.
TEST(FollowUpTable, EveryStateAndEveryCommand) {
  using Steps = std::function<void(test::World&)>;
  const auto begin = [](test::World& world) {
    ASSERT_TRUE(world.Send(Plan(), On("2017-06-30")).ok());
  };
  const auto then = [&begin](auto request, std::string day) -> Steps {
    return [=](test::World& world) {
      begin(world);
      ASSERT_TRUE(world.Send(request, On(day)).ok());
    };
  };
  const std::map<std::string, Steps> states = {
      {"none", [](test::World& /*world*/) {}},
      {"planned", begin},
      {"recorded", then(Visited(1, "2017-07-30"), "2017-07-30")},
      {"missed", then(Missed(1), "2017-08-20")},
      {"closed", then(Close(v1::FOLLOW_UP_CLOSE_REASON_LOST), "2017-07-01")},
      {"cancelled", then(Cancel(), "2017-07-01")},
      {"case ended", then(Ended(true), "2017-07-01")},
      {"erased", then(Erase(), "2017-07-01")},
  };
  using Command = std::function<absl::Status(test::World&)>;
  const auto send = [](auto request) -> Command {
    return [=](test::World& world) { return world.Send(request, On("2017-08-20")); };
  };
  const std::map<std::string, Command> commands = {
      {"plan", send(Plan())},
      {"record", send(Visited(1, "2017-08-20"))},
      {"reschedule", send(Moved(1, "2017-08-21"))},
      {"miss", send(Missed(1))},
      {"close", send(Close(v1::FOLLOW_UP_CLOSE_REASON_DECLINED))},
      {"complete", send(Close(v1::FOLLOW_UP_CLOSE_REASON_COMPLETED))},
      {"cancel", send(Cancel())},
  };
  // What is not named is "OK"; a command on nothing is refused by the platform.
  const std::string none = absl::NotFoundError("FollowUp").ToString();
  const std::map<std::pair<std::string, std::string>, std::string> refused = {
      {{"none", "record"}, none},
      {{"none", "reschedule"}, none},
      {{"none", "miss"}, none},
      {{"none", "close"}, none},
      {{"none", "complete"}, none},
      {{"planned", "complete"}, "VISITS_REMAINING"},
      {{"recorded", "record"}, "VISIT_ALREADY_RECORDED"},
      {{"recorded", "reschedule"}, "VISIT_ALREADY_RECORDED"},
      {{"recorded", "complete"}, "VISITS_REMAINING"},
      {{"missed", "complete"}, "VISITS_REMAINING"},
      {{"closed", "record"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"closed", "reschedule"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"closed", "close"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"closed", "complete"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"cancelled", "record"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"cancelled", "reschedule"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"cancelled", "close"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"cancelled", "complete"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"case ended", "record"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"case ended", "reschedule"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"case ended", "close"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"case ended", "complete"}, "FOLLOW_UP_NOT_ACTIVE"},
      {{"erased", "record"}, "CASE_ERASED"},
      {{"erased", "reschedule"}, "CASE_ERASED"},
      {{"erased", "close"}, "CASE_ERASED"},
      {{"erased", "complete"}, "CASE_ERASED"},
  };
  for (const auto& [state, steps] : states) {
    for (const auto& [name, command] : commands) {
      test::World world(BindAll);
      steps(world);
      const std::string before = world.Get<v1::FollowUp>(kGrant).SerializeAsString();
      test::World fresh(BindAll);
      steps(fresh);
      const absl::Status status = command(fresh);
      const auto expected = refused.find({state, name});
      EXPECT_EQ(test::Reason(status), expected == refused.end() ? "OK" : expected->second)
          << state << " × " << name;
      if (!status.ok()) {
        EXPECT_EQ(fresh.Get<v1::FollowUp>(kGrant).SerializeAsString(), before)
            << state << " × " << name;
      }
    }
  }
}

// ---- Properties -----------------------------------------------------------------------------------------------------

std::string DayAfterStart(int days) { return time::FormatDay(absl::CivilDay(2017, 6, 30) + days); }

// One random command; refusals are part of the game.
void RandomStep(test::World& world, int& today) {
  today += *rc::gen::inRange(0, 40);
  const std::string now = DayAfterStart(today);
  const int number = *rc::gen::inRange(0, 6);
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      (void)world.Send(Visited(number, DayAfterStart(today - *rc::gen::inRange(0, 30))), On(now));
      break;
    case 1:
      (void)world.Send(Moved(number, DayAfterStart(today + *rc::gen::inRange(-10, 100))), On(now));
      break;
    case 2:
      (void)world.Send(Close(static_cast<v1::FollowUpCloseReason>(*rc::gen::inRange(0, 9))),
                       On(now));
      break;
    case 3:
      if (*rc::gen::inRange(0, 10) == 0) (void)world.Send(Erase(), On(now));
      break;
    case 4:
      if (*rc::gen::inRange(0, 10) == 0) (void)world.Send(Ended(true), On(now));
      break;
    case 5: (void)world.Send(Plan(), On(now)); break;
    default: (void)world.Send(Missed(number), On(now)); break;
  }
}

RC_GTEST_PROP(FollowUpProperty, NoSequenceOfCommandsBreaksThePlan, ()) {
  test::World world(BindAll);
  RC_ASSERT(world.Send(Fact(Header()), On("2017-01-15")).ok());
  RC_ASSERT(world.Send(Plan(), On("2017-06-30")).ok());
  v1::FollowUp& follow_up = world.Get<v1::FollowUp>(kGrant);
  const v1::CaseFacts& facts = world.Get<v1::CaseFacts>(kCase);
  int today = 0;
  const int steps = *rc::gen::inRange(1, 40);
  for (int i = 0; i < steps; ++i) {
    const v1::FollowUp before = follow_up;
    RandomStep(world, today);
    RC_ASSERT(follow_up.visits_size() == 4);
    int recorded = 0;
    int misses = 0;
    for (int v = 0; v < 4; ++v) {
      const v1::Visit& visit = follow_up.visits(v);
      const v1::Visit& was = before.visits(v);
      if (v > 0) RC_ASSERT(follow_up.visits(v - 1).planned_date() < visit.planned_date());
      RC_ASSERT(visit.reschedules() <= kReschedulesMax);
      RC_ASSERT(visit.months() == was.months());
      // What was recorded stays as it was recorded.
      if (was.state() == v1::VISIT_STATE_RECORDED) {
        RC_ASSERT(visit.SerializeAsString() == was.SerializeAsString());
      }
      recorded += visit.state() == v1::VISIT_STATE_RECORDED ? 1 : 0;
      misses += visit.misses();
    }
    RC_ASSERT(follow_up.notes_size() == recorded);
    RC_ASSERT(facts.visits_size() == recorded);
    // Every miss has its alert, and only a miss has one.
    RC_ASSERT(static_cast<int>(world.All<v1::Alert>().size()) == misses);
    // The end is the end.
    if (before.state() == v1::FOLLOW_UP_STATE_CLOSED) {
      RC_ASSERT(follow_up.SerializeAsString() == before.SerializeAsString());
    }
    const bool active = follow_up.state() == v1::FOLLOW_UP_STATE_ACTIVE;
    RC_ASSERT(facts.active_follow_ups_size() == (active ? 1 : 0));
    RC_ASSERT(active || !FollowUpDecider::NextDeadline(follow_up).has_value());
    if (facts.erased()) RC_ASSERT(!active);
  }
}

// A deadline that is due always takes effect, or it would come again for ever.
RC_GTEST_PROP(FollowUpProperty, ADueDeadlineTakesEffect, ()) {
  test::World world(BindAll);
  RC_ASSERT(world.Send(Plan(), On("2017-06-30")).ok());
  int today = 0;
  const int steps = *rc::gen::inRange(0, 20);
  for (int i = 0; i < steps; ++i) RandomStep(world, today);
  v1::FollowUp& follow_up = world.Get<v1::FollowUp>(kGrant);
  for (int rounds = 0; rounds < 5; ++rounds) {
    const auto deadline = FollowUpDecider::NextDeadline(follow_up);
    if (!deadline) return;
    const auto& command = static_cast<const v1::MissVisitRequest&>(*deadline->command);
    RC_ASSERT(world.Send(command, test::At(deadline->due)).ok());
    RC_ASSERT(world.Last<v1::VisitMissed>() != nullptr);
  }
  RC_FAIL("four visits have at most four deadlines");
}

}  // namespace
}  // namespace sankofa::monitoring
