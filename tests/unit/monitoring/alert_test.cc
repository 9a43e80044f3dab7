#include "services/monitoring/follow_up/alert.h"

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

v1::RaiseAlertRequest Raise(const std::string& case_id = kCase) {
  v1::RaiseAlertRequest request;
  request.set_request_id("0190d000-0000-7000-8000-000000000001");
  request.set_case_id(case_id);
  request.set_concern("Nobody has seen the family for a month.");
  return request;
}
const std::string kAlert = engine::DerivedId("0190d000-0000-7000-8000-000000000001");

v1::AcknowledgeAlertRequest TakeOn() {
  v1::AcknowledgeAlertRequest request;
  request.set_alert_id(kAlert);
  return request;
}
v1::ResolveAlertRequest Resolve(v1::AlertResolution resolution = v1::ALERT_RESOLUTION_ACTED) {
  v1::ResolveAlertRequest request;
  request.set_alert_id(kAlert);
  request.set_resolution(resolution);
  request.set_resolution_note("Found at her sister's.");
  return request;
}
v1::EscalateAlertRequest Escalate() {
  v1::EscalateAlertRequest request;
  request.set_alert_id(kAlert);
  return request;
}

class AlertTest : public MonitoringTest {
 protected:
  void SetUp() override { ASSERT_TRUE(world.Send(Fact(Header()), On("2017-01-15")).ok()); }
  v1::Alert& alert() { return world.Get<v1::Alert>(kAlert); }
};

TEST_F(AlertTest, HasAnOwnerAndADeadline) {
  ASSERT_EQ(Send(Raise(), "2017-08-01"), "OK");
  EXPECT_EQ(alert().state(), v1::ALERT_STATE_RAISED);
  EXPECT_EQ(alert().kind(), v1::ALERT_KIND_CONCERN);
  EXPECT_EQ(alert().owner_organisation(), "minrex");
  EXPECT_EQ(alert().owner_role(), common::v1::ROLE_FOLLOW_UP_OFFICER);
  EXPECT_EQ(time::FromTimestamp(alert().deadline_time()), Noon("2017-08-08"));
  EXPECT_THAT(facts().open_alerts(), ElementsAre(kAlert));
}

TEST_F(AlertTest, TakesADeadlineAheadOfAtMostAYear) {
  const auto with = [](absl::Time deadline) {
    v1::RaiseAlertRequest request = Raise();
    *request.mutable_deadline_time() = time::ToTimestamp(deadline);
    return request;
  };
  EXPECT_EQ(Send(with(Noon("2017-08-01")), "2017-08-01"), "ALERT_DEADLINE_INVALID");
  EXPECT_EQ(Send(with(Noon("2018-08-03")), "2017-08-01"), "ALERT_DEADLINE_INVALID");
  EXPECT_EQ(Send(with(Noon("2017-08-02")), "2017-08-01"), "OK");
}

TEST_F(AlertTest, IsForACaseThatIsKnownAndNotErased) {
  EXPECT_EQ(Send(Raise(kOtherCase), "2017-08-01"), "CASE_UNKNOWN");
  ASSERT_EQ(Send(Erase(), "2017-08-01"), "OK");
  EXPECT_EQ(Send(Raise(), "2017-08-01"), "CASE_ERASED");
}

TEST_F(AlertTest, IsEscalatedOnceWhenItsDeadlinePasses) {
  ASSERT_EQ(Send(Raise(), "2017-08-01"), "OK");
  ASSERT_EQ(Send(TakeOn(), "2017-08-02"), "OK");
  EXPECT_EQ(alert().owner(), "user-1");
  ASSERT_EQ(Send(Escalate(), "2017-08-07"), "OK");
  EXPECT_THAT(world.last(), IsEmpty());  // not yet
  ASSERT_TRUE(AlertDecider::NextDeadline(alert()).has_value());
  ASSERT_EQ(Send(Escalate(), "2017-08-08"), "OK");
  EXPECT_EQ(alert().state(), v1::ALERT_STATE_ESCALATED);
  EXPECT_EQ(alert().owner_role(), common::v1::ROLE_PROGRAMME_MANAGER);
  EXPECT_EQ(alert().owner(), "");
  ASSERT_EQ(Send(TakeOn(), "2017-08-09"), "OK");
  EXPECT_FALSE(AlertDecider::NextDeadline(alert()).has_value());
  ASSERT_EQ(Send(Resolve(), "2017-08-10"), "OK");
  EXPECT_THAT(facts().open_alerts(), IsEmpty());
}

TEST_F(AlertTest, AnErasedCaseHasNoOpenAlert) {
  ASSERT_EQ(Send(Raise(), "2017-08-01"), "OK");
  ASSERT_EQ(Send(Erase(), "2017-08-02"), "OK");
  EXPECT_EQ(alert().state(), v1::ALERT_STATE_RESOLVED);
  EXPECT_EQ(alert().resolution(), v1::ALERT_RESOLUTION_CASE_ERASED);
}

TEST_F(AlertTest, ReasonsOfTheNodeAreNotForPeople) {
  ASSERT_EQ(Send(Raise(), "2017-08-01"), "OK");
  EXPECT_EQ(Send(Resolve(v1::ALERT_RESOLUTION_CASE_ERASED), "2017-08-01"), "VALUE_RESERVED");
  EXPECT_EQ(Send(Resolve(v1::ALERT_RESOLUTION_UNSPECIFIED), "2017-08-01"), "VALUE_RESERVED");
}

TEST(AlertTable, EveryStateAndEveryCommand) {
  using Step = std::function<absl::Status(test::World&)>;
  const auto send = [](auto request, const std::string& day) -> Step {
    return [=](test::World& world) { return world.Send(request, On(day)); };
  };
  const Step raise = send(Raise(), "2017-08-01");
  const std::map<std::string, std::vector<Step>> states = {
      {"none", {}},
      {"raised", {raise}},
      {"acknowledged", {raise, send(TakeOn(), "2017-08-02")}},
      {"escalated", {raise, send(Escalate(), "2017-08-08")}},
      {"resolved", {raise, send(Resolve(), "2017-08-02")}},
  };
  const std::map<std::string, Step> commands = {
      {"raise", send(Raise(), "2017-08-09")},
      {"acknowledge", send(TakeOn(), "2017-08-09")},
      {"resolve", send(Resolve(), "2017-08-09")},
      {"escalate", send(Escalate(), "2017-08-09")},
  };
  const std::string none = absl::NotFoundError("Alert").ToString();
  const std::string there = absl::AlreadyExistsError("Alert").ToString();
  const std::map<std::pair<std::string, std::string>, std::string> refused = {
      {{"none", "acknowledge"}, none},
      {{"none", "resolve"}, none},
      {{"none", "escalate"}, none},
      {{"raised", "raise"}, there},
      {{"acknowledged", "raise"}, there},
      {{"acknowledged", "acknowledge"}, "ALERT_ALREADY_ACKNOWLEDGED"},
      {{"escalated", "raise"}, there},
      {{"resolved", "raise"}, there},
      {{"resolved", "acknowledge"}, "ALERT_ALREADY_RESOLVED"},
      {{"resolved", "resolve"}, "ALERT_ALREADY_RESOLVED"},
  };
  for (const auto& [state, steps] : states) {
    for (const auto& [name, command] : commands) {
      test::World world(BindAll);
      ASSERT_TRUE(world.Send(Fact(Header()), On("2017-01-15")).ok());
      for (const Step& step : steps) ASSERT_TRUE(step(world).ok()) << state;
      const auto expected = refused.find({state, name});
      EXPECT_EQ(test::Reason(command(world)), expected == refused.end() ? "OK" : expected->second)
          << state << " × " << name;
    }
  }
}

RC_GTEST_PROP(AlertProperty, EndsOnceAndIsEscalatedAtMostOnce, ()) {
  test::World world(BindAll);
  RC_ASSERT(world.Send(Fact(Header()), On("2017-01-15")).ok());
  RC_ASSERT(world.Send(Raise(), On("2017-08-01")).ok());
  const v1::Alert& alert = world.Get<v1::Alert>(kAlert);
  const v1::CaseFacts& facts = world.Get<v1::CaseFacts>(kCase);
  int escalations = 0;
  absl::Time now = Noon("2017-08-01");
  const int steps = *rc::gen::inRange(1, 15);
  for (int i = 0; i < steps; ++i) {
    now += absl::Hours(*rc::gen::inRange(0, 100));
    const v1::Alert before = alert;
    absl::Status status;
    switch (*rc::gen::inRange(0, 4)) {
      case 0: status = world.Send(TakeOn(), test::At(now)); break;
      case 1:
        status = world.Send(Resolve(static_cast<v1::AlertResolution>(*rc::gen::inRange(0, 5))),
                            test::At(now));
        break;
      default:
        status = world.Send(Escalate(), test::At(now));
        if (status.ok() && world.Last<v1::AlertEscalated>() != nullptr) ++escalations;
        break;
    }
    RC_ASSERT(escalations <= 1);
    if (before.state() == v1::ALERT_STATE_RESOLVED) {
      RC_ASSERT(alert.SerializeAsString() == before.SerializeAsString());
    }
    const bool open = alert.state() != v1::ALERT_STATE_RESOLVED;
    RC_ASSERT(facts.open_alerts_size() == (open ? 1 : 0));
    // A deadline that is due takes effect.
    if (const auto deadline = AlertDecider::NextDeadline(alert); deadline && deadline->due <= now) {
      RC_ASSERT(world.Send(Escalate(), test::At(now)).ok());
      RC_ASSERT(world.Last<v1::AlertEscalated>() != nullptr);
      ++escalations;
    }
  }
}

}  // namespace
}  // namespace sankofa::monitoring
