#include "services/exchange/erasure/erasure.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/exchange/commands.h"
#include "services/exchange/messages.h"
#include "services/platform/time/time.h"
#include "tests/unit/exchange/fixture.h"

namespace sankofa::exchange {
namespace {

using test::Reason;
using test::World;

const std::string kErasure = engine::DerivedId("erasure");
const std::string kCase = engine::DerivedId("case");

v1::AskErasureRequest Ask(const std::string& partner = "fr") {
  v1::AskErasureRequest request;
  request.set_erasure_id(kErasure);
  request.set_case_id(kCase);
  request.set_partner_id(partner);
  request.add_purposes(registration::v1::CONSENT_PURPOSE_REFERRAL);
  return request;
}

v1::ReceiveErasureReceiptRequest Receipt(const std::string& partner = "fr",
                                         const std::string& receipt = "signed") {
  v1::ReceiveErasureReceiptRequest request;
  request.set_erasure_id(kErasure);
  request.set_partner_id(partner);
  request.set_receipt(receipt);
  request.set_receipt_key_id(KeyId('f'));
  request.set_receipt_signature("signature");
  *request.mutable_erased_time() = time::ToTimestamp(Now().now + absl::Hours(1));
  return request;
}

v1::MarkErasureOverdueRequest Overdue() {
  v1::MarkErasureOverdueRequest request;
  request.set_erasure_id(kErasure);
  return request;
}

engine::Context After(absl::Duration passed) {
  engine::Context context = Now();
  context.now += passed;
  return context;
}

class ErasureTest : public ::testing::Test {
 protected:
  ErasureTest() {
    EXPECT_TRUE(world().Send(RegisterNode("fr", 'f'), Now()).ok());
    EXPECT_TRUE(world().Send(RegisterNode("cm", 'c'), Now()).ok());
  }
  template <class Request>
  std::string Try(Request request, absl::Duration passed = absl::ZeroDuration()) {
    return Reason(world().Send(std::move(request), After(passed)));
  }
  const v1::Erasure& Get() { return world().Get<v1::Erasure>(kErasure); }
  std::unique_ptr<World> fresh_ = std::make_unique<World>(BindCommands);
  World& world() { return *fresh_; }
};

TEST_F(ErasureTest, IsAskedAnsweredAndKept) {
  ASSERT_EQ(Try(Ask()), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_ASKED);
  EXPECT_EQ(time::FromTimestamp(Get().due_time()), Now().now + absl::Hours(24 * 30));
  ASSERT_EQ(Try(Receipt(), absl::Hours(2)), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_DONE);
  EXPECT_EQ(Get().receipt(), "signed");
  EXPECT_EQ(Get().receipt_key_id(), KeyId('f'));
  EXPECT_EQ(time::FromTimestamp(Get().erased_time()), Now().now + absl::Hours(1));
  EXPECT_EQ(time::FromTimestamp(Get().answered_time()), Now().now + absl::Hours(2));
}

TEST_F(ErasureTest, IsOverdueWhenItsTimeIsOver) {
  ASSERT_EQ(Try(Ask()), "OK");
  const auto deadline = ErasureDecider::NextDeadline(Get());
  ASSERT_TRUE(deadline.has_value());
  EXPECT_EQ(deadline->due, Now().now + kAnswerPeriod);
  EXPECT_EQ(Try(Overdue(), kAnswerPeriod - absl::Seconds(1)), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_ASKED);
  EXPECT_EQ(Try(Overdue(), kAnswerPeriod), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_OVERDUE);
  EXPECT_FALSE(ErasureDecider::NextDeadline(Get()).has_value());
  EXPECT_EQ(Try(Receipt(), kAnswerPeriod * 2), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_DONE);
}

TEST_F(ErasureTest, EveryCommandInEveryState) {
  const std::vector<std::function<void()>> reach = {[] {}, [&] { ASSERT_EQ(Try(Ask()), "OK"); },
                                                    [&] {
                                                      ASSERT_EQ(Try(Ask()), "OK");
                                                      ASSERT_EQ(Try(Overdue(), kAnswerPeriod),
                                                                "OK");
                                                    },
                                                    [&] {
                                                      ASSERT_EQ(Try(Ask()), "OK");
                                                      ASSERT_EQ(Try(Receipt()), "OK");
                                                    }};
  const std::vector<std::vector<std::string>> reasons = {
      // ask, receipt, receipt of another partner, another receipt
      {"OK", "ERASURE_NOT_FOUND", "ERASURE_NOT_FOUND", "ERASURE_NOT_FOUND"},
      {"OK", "OK", "ERASURE_NOT_FOUND", "OK"},
      {"OK", "OK", "ERASURE_NOT_FOUND", "OK"},
      {"OK", "OK", "ERASURE_NOT_FOUND", "ERASURE_ANSWERED"}};
  const std::vector<std::function<std::string()>> commands = {
      [&] { return Try(Ask()); }, [&] { return Try(Receipt()); },
      [&] { return Try(Receipt("cm")); }, [&] { return Try(Receipt("fr", "another")); }};
  for (std::size_t state = 0; state < reach.size(); ++state) {
    for (std::size_t command = 0; command < commands.size(); ++command) {
      fresh_ = std::make_unique<World>(BindCommands);
      ASSERT_EQ(Try(RegisterNode("fr", 'f')), "OK");
      ASSERT_EQ(Try(RegisterNode("cm", 'c')), "OK");
      reach[state]();
      EXPECT_EQ(commands[command](), reasons[state][command]) << state << ", " << command;
    }
  }
}

TEST_F(ErasureTest, NobodyUnknownIsAsked) { EXPECT_EQ(Try(Ask("eu")), "PARTNER_NOT_FOUND"); }

TEST_F(ErasureTest, WhoIsSuspendedIsAskedToo) {
  v1::SuspendPartnerRequest suspend;
  suspend.set_partner_id("fr");
  suspend.set_reason("trouble");
  ASSERT_EQ(Try(suspend), "OK");
  EXPECT_EQ(Try(Ask()), "OK");
  EXPECT_EQ(Get().state(), v1::ERASURE_STATE_ASKED);
}

TEST_F(ErasureTest, AskingAgainChangesNothing) {
  ASSERT_EQ(Try(Ask()), "OK");
  const std::string before = Get().SerializeAsString();
  ASSERT_EQ(Try(Ask("cm"), absl::Hours(5)), "OK");
  EXPECT_EQ(Get().SerializeAsString(), before);
  EXPECT_TRUE(world().last().empty());
}

// ---- What goes out and comes in -------------------------------------------------------------------------------------

TEST_F(ErasureTest, GoesOutAsARequestAboutTheCase) {
  ASSERT_EQ(Try(Ask()), "OK");
  const auto outgoing = OutgoingFor(*world().Last<v1::ErasureAsked>(), "tg");
  ASSERT_TRUE(outgoing.has_value());
  EXPECT_EQ(outgoing->partner, "fr");
  EXPECT_EQ(outgoing->subject, "Case/" + kCase);
  const auto& message = dynamic_cast<const v1::ErasureRequested&>(*outgoing->message);
  EXPECT_EQ(message.erasure_id(), kErasure);
  EXPECT_EQ(message.case_id(), kCase);
  EXPECT_EQ(message.purposes_size(), 1);
  EXPECT_EQ(message.due_time().seconds(), Get().due_time().seconds());
}

TEST_F(ErasureTest, OtherEventsTellThePartnerNothing) {
  EXPECT_FALSE(OutgoingFor(v1::ErasureAnswered(), "tg").has_value());
  EXPECT_FALSE(OutgoingFor(v1::ErasureOverdue(), "tg").has_value());
  EXPECT_FALSE(OutgoingFor(v1::PartnerSuspended(), "tg").has_value());
  EXPECT_FALSE(OutgoingFor(v1::FeedAppended(), "tg").has_value());
}

TEST_F(ErasureTest, AReceiptIsKeptAsItWasSigned) {
  ASSERT_EQ(Try(Ask()), "OK");
  v1::ErasureDone done;
  done.set_erasure_id(kErasure);
  done.set_case_id(kCase);
  v1::FeedEvent event;
  event.set_sender("fr");
  event.set_type(v1::ErasureDone::descriptor()->full_name());
  event.set_payload(done.SerializeAsString());
  v1::SignedFeedEvent message;
  message.set_event(event.SerializeAsString());
  message.set_key_id(KeyId('f'));
  message.set_signature("signature");
  engine::Commands commands;
  ASSERT_TRUE(CommandsFor(message, event, commands));
  ASSERT_EQ(commands.requests().size(), 1);
  EXPECT_EQ(Try(dynamic_cast<v1::ReceiveErasureReceiptRequest&>(*commands.requests()[0])), "OK");
  EXPECT_EQ(Get().receipt(), message.event());
  EXPECT_EQ(Get().receipt_signature(), "signature");
}

TEST(Messages, WhatCannotBeReadLeadsToNothing) {
  for (const char* type :
       {"sankofa.exchange.v1.AgreementSigned", "sankofa.exchange.v1.AgreementEnded",
        "sankofa.exchange.v1.ErasureDone"}) {
    v1::FeedEvent event;
    event.set_type(type);
    event.set_payload("\xff\xff\xff");
    engine::Commands commands;
    EXPECT_FALSE(CommandsFor({}, event, commands)) << type;
    EXPECT_TRUE(commands.requests().empty());
  }
  v1::FeedEvent event;
  event.set_type("sankofa.registration.v1.CaseArrived");
  event.set_payload("\xff\xff\xff");
  engine::Commands commands;
  EXPECT_TRUE(CommandsFor({}, event, commands));
  EXPECT_TRUE(commands.requests().empty());
}

// ---- Whatever is done -----------------------------------------------------------------------------------------------

// An erasure is done only by a receipt of the partner that was asked, and stays done with that receipt.
RC_GTEST_PROP(ErasureProperty, IsDoneByAReceiptOfWhoWasAsked, ()) {
  World world(BindCommands);
  RC_ASSERT(world.Send(RegisterNode("fr", 'f'), Now()).ok());
  RC_ASSERT(world.Send(RegisterNode("cm", 'c'), Now()).ok());
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 60));
  absl::Duration passed;
  std::string receipt;
  for (const int step : steps) {
    passed += absl::Hours(step);
    const std::string text = std::string("receipt ") + std::to_string(step);
    if (step < 15) {
      (void)world.Send(Ask(step % 3 == 0 ? "cm" : "fr"), After(passed));
    } else if (step < 30 && world.Has<v1::Erasure>(kErasure)) {
      (void)world.Send(Overdue(), After(passed));
    } else {
      const std::string from = step % 2 == 0 ? "fr" : "cm";
      const bool asked =
          world.Has<v1::Erasure>(kErasure) && world.Get<v1::Erasure>(kErasure).partner_id() == from;
      const bool taken = world.Send(Receipt(from, text), After(passed)).ok();
      RC_ASSERT(!taken || asked);
      if (taken && receipt.empty()) receipt = text;
    }
    if (!world.Has<v1::Erasure>(kErasure)) continue;
    const v1::Erasure& erasure = world.Get<v1::Erasure>(kErasure);
    RC_ASSERT((erasure.state() == v1::ERASURE_STATE_DONE) == !receipt.empty());
    RC_ASSERT(erasure.receipt() == receipt);
    if (erasure.state() == v1::ERASURE_STATE_OVERDUE) {
      RC_ASSERT(Now().now + passed >= time::FromTimestamp(erasure.due_time()));
    }
  }
}

}  // namespace
}  // namespace sankofa::exchange
