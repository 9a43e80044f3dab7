#include "services/exchange/ingest/received_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "services/exchange/ingest/evidence.h"
#include "tests/unit/exchange/sender.h"
#include "tests/unit/harness.h"

namespace sankofa::exchange {
namespace {

// The receiver's end of one chain, in memory.
struct Receiver {
  Receiver() { partner = sender.Partner(); }

  absl::Status Take(const v1::SignedFeedEvent& message,
                    const std::vector<registration::v1::Disclosure>& disclosures = {},
                    const v1::AppliedMessage* facts = nullptr) {
    v1::ReceiveUpdateRequest request;
    *request.mutable_message() = message;
    status::Check(request.mutable_event()->ParseFromString(message.event()), "an event");
    request.set_feed_id(ReceivedFeedId("tg", request.event().subject()));
    for (const auto& disclosure : disclosures) *request.add_disclosures() = disclosure;
    engine::Context context = test::At(Noon());
    context.related[engine::KeyOf<v1::Partner>("tg")] = &partner;
    if (facts != nullptr) context.facts = std::make_shared<v1::AppliedMessage>(*facts);
    return test::Run<ReceivedFeedDecider>(feed, request, context);
  }
  absl::Status Erase() {
    v1::EraseReceivedRequest request;
    request.set_feed_id(feed.id());
    return test::Run<ReceivedFeedDecider>(feed, request, test::At(Noon()));
  }

  Sender sender;
  v1::Partner partner;
  v1::ReceivedFeed feed;
};

TEST(ReceivedFeedTest, TakesTheNextMessageThatFollows) {
  Receiver receiver;
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(test::Reason(receiver.Take(receiver.sender.Append())), "OK");
    EXPECT_EQ(receiver.feed.sequence(), i);
  }
  EXPECT_EQ(receiver.feed.id(), absl::StrCat("tg:Case/", kCaseId));
  EXPECT_EQ(receiver.feed.subject_id(), kCaseId);
  EXPECT_EQ(receiver.feed.sender(), "tg");
}

TEST(ReceivedFeedTest, TakesNothingElse) {
  Receiver receiver;
  const auto first = receiver.sender.Append();
  const auto second = receiver.sender.Append();
  const auto third = receiver.sender.Append();
  EXPECT_EQ(test::Reason(receiver.Take(second)), "MESSAGES_MISSING");
  EXPECT_EQ(test::Reason(receiver.Take(first)), "OK");
  EXPECT_EQ(test::Reason(receiver.Take(first)), "MESSAGE_REPEATED");
  EXPECT_EQ(test::Reason(receiver.Take(third)), "MESSAGES_MISSING");
  EXPECT_EQ(test::Reason(receiver.Take(second)), "OK");

  // The same sequence with another content.
  v1::FeedEvent event;
  ASSERT_TRUE(event.ParseFromString(second.event()));
  event.set_source("funding");
  EXPECT_EQ(test::Reason(receiver.Take(receiver.sender.Sign(event))), "MESSAGE_REPLAYED");
  // The next one, but of another past.
  ASSERT_TRUE(event.ParseFromString(third.event()));
  event.set_previous_hash(std::string(32, 'x'));
  EXPECT_EQ(test::Reason(receiver.Take(receiver.sender.Sign(event))), "CHAIN_BROKEN");
  EXPECT_EQ(receiver.feed.sequence(), 2);
}

TEST(ReceivedFeedTest, FurtherBackTheFactsTellARepeatFromAForgery) {
  Receiver receiver;
  const auto first = receiver.sender.Append();
  ASSERT_TRUE(receiver.Take(first).ok());
  ASSERT_TRUE(receiver.Take(receiver.sender.Append()).ok());
  v1::AppliedMessage facts;
  EXPECT_EQ(test::Reason(receiver.Take(first)), "LOOK_AGAIN");
  facts.set_sequence(2);
  EXPECT_EQ(test::Reason(receiver.Take(first, {}, &facts)), "LOOK_AGAIN");
  facts.set_sequence(1);
  facts.set_hash(crypto::Hash(first.event()));
  EXPECT_EQ(test::Reason(receiver.Take(first, {}, &facts)), "MESSAGE_REPEATED");
  facts.set_hash(std::string(32, 'x'));
  EXPECT_EQ(test::Reason(receiver.Take(first, {}, &facts)), "MESSAGE_REPLAYED");
}

TEST(ReceivedFeedTest, APartnerHasToBeActive) {
  Receiver receiver;
  const auto first = receiver.sender.Append();
  receiver.partner.set_state(v1::PARTNER_STATE_SUSPENDED);
  EXPECT_EQ(test::Reason(receiver.Take(first)), "PARTNER_SUSPENDED");
  receiver.partner.Clear();
  EXPECT_EQ(test::Reason(receiver.Take(first)), "PARTNER_NOT_FOUND");
}

TEST(ReceivedFeedTest, ABoxReplacesWhatEarlierOnesSaid) {
  Receiver receiver;
  ASSERT_TRUE(receiver.Take(receiver.sender.Append(), {receiver.sender.Disclosure("ama")}).ok());
  EXPECT_EQ(receiver.feed.disclosures(0).person().id(), "ama");
  ASSERT_TRUE(receiver.Take(receiver.sender.Append()).ok());
  EXPECT_EQ(receiver.feed.disclosures(0).person().id(), "ama");
  ASSERT_TRUE(receiver.Take(receiver.sender.Append(), {receiver.sender.Disclosure("koffi")}).ok());
  ASSERT_EQ(receiver.feed.disclosures_size(), 1);
  EXPECT_EQ(receiver.feed.disclosures(0).person().id(), "koffi");
}

TEST(ReceivedFeedTest, AfterAnErasureALaterBoxGetsAKeyOfItsOwn) {
  Receiver receiver;
  ASSERT_TRUE(receiver.Take(receiver.sender.Append(), {receiver.sender.Disclosure("ama")}).ok());
  const std::string first_key = receiver.feed.key_subject();
  EXPECT_EQ(first_key, receiver.feed.id());
  ASSERT_TRUE(receiver.Erase().ok());
  EXPECT_TRUE(receiver.feed.erased());
  EXPECT_EQ(receiver.feed.disclosures_size(), 0);
  EXPECT_EQ(receiver.feed.erasures(), 1);
  ASSERT_TRUE(receiver.Erase().ok());  // once more: nothing
  EXPECT_EQ(receiver.feed.erasures(), 1);

  ASSERT_TRUE(receiver.Take(receiver.sender.Append()).ok());
  EXPECT_TRUE(receiver.feed.erased());  // an update without a box discloses nothing
  ASSERT_TRUE(receiver.Take(receiver.sender.Append(), {receiver.sender.Disclosure("ama")}).ok());
  EXPECT_FALSE(receiver.feed.erased());
  EXPECT_NE(receiver.feed.key_subject(), first_key);
}

// However messages come, again, out of order, forged, or not at all: what took effect is a beginning of what was sent.
RC_GTEST_PROP(ReceivedFeedProperty, WhatTookEffectIsABeginningOfWhatWasSent, ()) {
  Receiver receiver;
  std::vector<v1::SignedFeedEvent> sent;
  std::vector<std::string> taken;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    if (sent.empty() || *rc::gen::inRange(0, 3) == 0) sent.push_back(receiver.sender.Append());
    v1::SignedFeedEvent message = sent[*rc::gen::inRange<std::size_t>(0, sent.size())];
    if (*rc::gen::inRange(0, 5) == 0) {
      v1::FeedEvent event;
      RC_ASSERT(event.ParseFromString(message.event()));
      switch (*rc::gen::inRange(0, 3)) {
        case 0: event.set_source_sequence(event.source_sequence() + 1); break;
        case 1: event.set_previous_hash(std::string(32, 'x')); break;
        default: event.set_sequence(event.sequence() + *rc::gen::inRange(1, 4));
      }
      // A forger who has the key: the chain alone stands against it, for what was sent before.
      message = receiver.sender.Sign(event);
      if (event.sequence() == receiver.feed.sequence() + 1 &&
          event.previous_hash() == receiver.feed.last_hash()) {
        continue;
      }
    }
    const std::int64_t before = receiver.feed.sequence();
    const absl::Status status = receiver.Take(message);
    if (status.ok()) {
      RC_ASSERT(receiver.feed.sequence() == before + 1);
      taken.push_back(message.event());
    } else {
      RC_ASSERT(receiver.feed.sequence() == before);
    }
  }
  RC_ASSERT(taken.size() <= sent.size());
  for (std::size_t i = 0; i < taken.size(); ++i) RC_ASSERT(taken[i] == sent[i].event());
}

// ---- Evidence -------------------------------------------------------------------------------------------------------

v1::RefuseMessageRequest Refusal(const std::string& type = "sankofa.registration.v1.CaseArrived") {
  v1::RefuseMessageRequest request;
  request.set_evidence_id(std::string(64, 'e'));
  request.set_partner_id("tg");
  request.mutable_receipt()->set_subject("Case/x");
  request.mutable_receipt()->set_sequence(7);
  request.mutable_receipt()->set_because(v1::REFUSED_BECAUSE_SIGNATURE);
  request.mutable_receipt()->set_type(type);
  request.set_event(std::string(100'000, 'x'));
  return request;
}

TEST(EvidenceTest, IsKeptOnceAndCounted) {
  v1::Evidence evidence;
  ASSERT_TRUE(test::Run<EvidenceDecider>(evidence, Refusal(), test::At(Noon())).ok());
  ASSERT_TRUE(
      test::Run<EvidenceDecider>(evidence, Refusal(), test::At(Noon() + absl::Hours(1))).ok());
  EXPECT_EQ(evidence.times(), 2);
  EXPECT_EQ(evidence.reason(), "SIGNATURE");
  EXPECT_EQ(evidence.sequence(), 7);
  EXPECT_EQ(evidence.event().size(), kEvidenceBytesMax);
  EXPECT_EQ(time::FromTimestamp(evidence.first_time()), Noon());
  EXPECT_EQ(time::FromTimestamp(evidence.last_time()), Noon() + absl::Hours(1));
}

TEST(EvidenceTest, TheSenderGetsAReceiptInAChainOfItsOwn) {
  v1::MessageRefused refused;
  refused.set_partner_id("tg");
  *refused.mutable_receipt() = Refusal().receipt();
  const auto outgoing = OutgoingFor(refused, "fr");
  ASSERT_TRUE(outgoing);
  EXPECT_EQ(outgoing->partner, "tg");
  EXPECT_EQ(outgoing->subject, "Refusals/tg");
  EXPECT_EQ(dynamic_cast<const v1::FeedRefused&>(*outgoing->message).sequence(), 7);
}

TEST(EvidenceTest, AReceiptThatIsRefusedIsNotAnswered) {
  v1::MessageRefused refused;
  refused.set_partner_id("tg");
  *refused.mutable_receipt() = Refusal("sankofa.exchange.v1.FeedRefused").receipt();
  EXPECT_FALSE(OutgoingFor(refused, "fr"));
}

}  // namespace
}  // namespace sankofa::exchange
