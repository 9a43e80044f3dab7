#include "services/monitoring/reactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/monitoring/events.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

namespace reg = registration::v1;
namespace fund = funding::v1;

class ReactionsTest : public MonitoringTest {
 protected:
  ReactionsTest() { React(reactions); }

  // Gives the commands that the event leads to, as the engine does.
  template <class Event>
  void Hear(const Event& event, std::int64_t sequence = 1) {
    const auto* handler = reactions.Find(Event::descriptor()->full_name());
    ASSERT_NE(handler, nullptr) << Event::descriptor()->full_name();
    const engine::IncomingEvent incoming = Published("Any", "any", sequence, event);
    engine::Commands commands;
    handler->react(event, incoming.meta, commands);
    for (const auto& request : commands.requests()) {
      if (const auto* fact = dynamic_cast<v1::RecordCaseFactRequest*>(request.get())) {
        ASSERT_TRUE(world.Send(*fact, On("2017-06-30")).ok());
      } else if (const auto* plan = dynamic_cast<v1::PlanFollowUpRequest*>(request.get())) {
        ASSERT_TRUE(world.Send(*plan, On("2017-06-30")).ok());
      } else if (const auto* cancel = dynamic_cast<v1::CancelFollowUpRequest*>(request.get())) {
        ASSERT_TRUE(world.Send(*cancel, On("2017-06-30")).ok());
      } else if (const auto* erase = dynamic_cast<v1::EraseCaseRequest*>(request.get())) {
        ASSERT_TRUE(world.Send(*erase, On("2017-06-30")).ok());
      } else {
        FAIL() << request->GetTypeName();
      }
    }
  }

  engine::Reactions reactions;
};

TEST_F(ReactionsTest, ListensToTheThreeOtherServices) {
  EXPECT_THAT(reactions.sources(), UnorderedElementsAre("registration", "validation", "funding"));
}

TEST_F(ReactionsTest, KeepsTheCaseUpToDate) {
  Hear(Registered());
  EXPECT_EQ(facts().header().registered_date(), "2017-01-15");
  EXPECT_EQ(facts().header().return_type(), "VOLUNTARY_RETURN");
  EXPECT_EQ(facts().profile().sex(), "FEMALE");
  EXPECT_EQ(facts().profile().age_band(), "25_TO_34");
  EXPECT_TRUE(facts().profile().vulnerable());

  reg::CaseHeaderChanged changed;
  changed.set_case_id(kCase);
  changed.mutable_header()->set_programme("eurp-voluntary");
  changed.mutable_header()->set_origin_country("CM");
  Hear(changed);
  EXPECT_EQ(facts().header().programme(), "eurp-voluntary");
  EXPECT_EQ(facts().header().region(), "");
  EXPECT_EQ(facts().header().registered_date(), "2017-01-15");
  EXPECT_EQ(facts().header().responsible_organisation(), "minrex");

  Hear(Arrived());
  Hear(Assessed());
  EXPECT_FALSE(facts().profile().vulnerable());
  std::vector<v1::Stage> stages;
  for (const auto& stage : facts().stages()) stages.push_back(stage.stage());
  EXPECT_THAT(stages, ElementsAre(v1::STAGE_REGISTERED, v1::STAGE_ARRIVED, v1::STAGE_ASSESSED));
}

TEST_F(ReactionsTest, PlansAFollowUpWhenAGrantIsSigned) {
  Hear(Signed(kGrant));
  EXPECT_EQ(follow_up().start_date(), "2017-06-30");
  EXPECT_EQ(follow_up().kind(), "BUSINESS_CREATION");
  ASSERT_THAT(follow_up().visits(), SizeIs(2));
  EXPECT_EQ(follow_up().visits(1).planned_date(), "2017-12-30");
  ASSERT_THAT(facts().grants(), SizeIs(1));
  EXPECT_EQ(facts().grants(0).level(), 3);
  EXPECT_EQ(facts().stages(0).stage(), v1::STAGE_FUNDED);
}

TEST_F(ReactionsTest, EndsAFollowUpWhenItsGrantIsCancelled) {
  Hear(Signed(kGrant));
  fund::GrantCancelled cancelled;
  cancelled.set_grant_id(kGrant);
  cancelled.set_case_id(kCase);
  Hear(cancelled);
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_GRANT_CANCELLED);
  EXPECT_TRUE(facts().grants(0).cancelled());
  // One that was never signed has no follow-up.
  cancelled.set_grant_id("never-signed");
  Hear(cancelled);
  EXPECT_EQ(world.Get<v1::FollowUp>("never-signed").state(), v1::FOLLOW_UP_STATE_UNSPECIFIED);
}

// Put aside, and replayed by an operator when later events of its stream have taken effect.
TEST_F(ReactionsTest, AGrantSignedThatIsReplayedAfterItsCancellationPlansNothing) {
  fund::GrantCancelled cancelled;
  cancelled.set_grant_id(kGrant);
  cancelled.set_case_id(kCase);
  Hear(cancelled, 3);
  Hear(Signed(kGrant), 2);
  EXPECT_EQ(follow_up().state(), v1::FOLLOW_UP_STATE_UNSPECIFIED);
  ASSERT_THAT(facts().grants(), SizeIs(1));
  EXPECT_TRUE(facts().grants(0).cancelled());
  EXPECT_EQ(facts().grants(0).level(), 3) << "what only the older one says is added";
}

TEST_F(ReactionsTest, AProjectSubmittedThatIsReplayedLateTakesNothingBack) {
  auto first = Submitted("p1");
  first.set_sector("trade");
  first.set_region("ouest");
  first.set_jobs(1);
  auto second = Approved("p1");
  second.set_sector("agriculture");
  second.set_jobs(4);
  second.clear_region();
  Hear(second, 7);
  Hear(first, 2);
  ASSERT_THAT(facts().projects(), SizeIs(1));
  EXPECT_EQ(facts().projects(0).sector(), "agriculture");
  EXPECT_EQ(facts().projects(0).jobs(), 4);
  EXPECT_EQ(facts().projects(0).region(), "ouest");
  EXPECT_EQ(facts().projects(0).approved().minor_units(), 500'000);
  EXPECT_EQ(facts().projects(0).sequence(), 7);
}

class ClosingTest : public ReactionsTest, public ::testing::WithParamInterface<int> {};

TEST_P(ClosingTest, EndsTheVisitsUnlessAllWentWell) {
  Hear(Signed(kGrant));
  reg::CaseClosed closed;
  closed.set_case_id(kCase);
  closed.set_reason(static_cast<reg::CloseReason>(GetParam()));
  Hear(closed);
  const bool completed = closed.reason() == reg::CLOSE_REASON_COMPLETED;
  EXPECT_EQ(follow_up().state(),
            completed ? v1::FOLLOW_UP_STATE_ACTIVE : v1::FOLLOW_UP_STATE_CLOSED);
  EXPECT_FALSE(facts().close_reason().empty());
  reg::CaseReopened reopened;
  reopened.set_case_id(kCase);
  Hear(reopened);
  EXPECT_TRUE(facts().close_reason().empty());
  EXPECT_FALSE(facts().visits_ended());
}
INSTANTIATE_TEST_SUITE_P(AllReasons, ClosingTest, ::testing::Range(1, reg::CloseReason_MAX + 1));

TEST_F(ReactionsTest, CountsProjectsPaymentsAndRefunds) {
  Hear(Submitted("p1"));
  EXPECT_FALSE(facts().projects(0).has_approved());
  Hear(Approved("p1"));
  ASSERT_THAT(facts().projects(), SizeIs(1));
  EXPECT_EQ(facts().projects(0).approved().minor_units(), 500'000);
  Hear(InstalmentEvent<fund::InstalmentPaid>("g1", 1));
  fund::RefundRecorded refund;
  refund.set_grant_id("g1");
  refund.set_case_id(kCase);
  *refund.mutable_amount() = Euros(50'000);
  Hear(refund, 9);
  ASSERT_THAT(facts().payments(), SizeIs(2));
  EXPECT_EQ(facts().payments(1).amount().minor_units(), -50'000);
  reg::ReferralSent referral;
  referral.set_referral_id("r1");
  referral.set_case_id(kCase);
  Hear(referral);
  EXPECT_THAT(facts().referrals(), SizeIs(1));
}

TEST_F(ReactionsTest, AnErasedCaseIsForgottenWhateverComesAfter) {
  Hear(Registered());
  Hear(Signed(kGrant));
  Hear(Erased());
  EXPECT_TRUE(facts().erased());
  EXPECT_EQ(follow_up().close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED);
  const std::string before = facts().SerializeAsString();
  Hear(Assessed());
  Hear(Signed("another"));
  EXPECT_EQ(facts().SerializeAsString(), before);
  EXPECT_THAT(world.last(), IsEmpty());
}

}  // namespace
}  // namespace sankofa::monitoring
