#include "services/exchange/feed/feed.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "services/exchange/feed/access.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/feed/shared_case.h"
#include "services/platform/kafka/memory_broker.h"
#include "tests/unit/exchange/fixture.h"

namespace sankofa::exchange {
namespace {

using test::Reason;

v1::AppendToFeedRequest Message(std::int64_t source_sequence = 1) {
  v1::AppendToFeedRequest request;
  request.set_feed_id("fr:Case/c");
  request.set_receiver("fr");
  request.set_subject("Case/c");
  request.set_type("sankofa.registration.v1.CaseArrived");
  request.set_payload("payload");
  request.set_source("registration");
  request.set_source_stream("Case/c");
  request.set_source_sequence(source_sequence);
  request.set_agreement_id("a:2");
  request.add_purposes(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
  request.set_disclosed("hash");
  request.set_sealed("box");
  request.set_sealed_sequence(source_sequence);
  request.set_sealing_key_id("key");
  return request;
}

struct Known {
  Known() {
    partner.set_id("fr");
    partner.set_state(v1::PARTNER_STATE_ACTIVE);
    agreement.set_id("a:2");
    agreement.set_partner_id("fr");
    agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
    *agreement.mutable_signed_time() = time::ToTimestamp(absl::FromUnixSeconds(1'577'836'800));
    agreement.mutable_terms()->set_from_date("2026-06-01");
    agreement.mutable_terms()->set_until_date("2026-06-30");
  }
  engine::Context At() {
    engine::Context context = Now();
    context.related[engine::KeyOf<v1::Partner>("fr")] = &partner;
    context.related[engine::KeyOf<v1::SharingAgreement>("a:2")] = &agreement;
    return context;
  }
  v1::Partner partner;
  v1::SharingAgreement agreement;
};

TEST(FeedTest, AppendsASignedMessage) {
  Known known;
  v1::Feed feed;
  ASSERT_EQ(Reason(test::Run<FeedDecider>(feed, Message(1), known.At())), "OK");
  const auto decision = FeedDecider::Decide(feed, Message(2), known.At());
  ASSERT_TRUE(decision.ok());
  const auto& appended = static_cast<const v1::FeedAppended&>(*decision->entries()[0].event);
  EXPECT_TRUE(crypto::Verifies(Signer('t').public_key(), kFeedSignature, appended.event(),
                               appended.signature()));
  v1::FeedEvent event;
  ASSERT_TRUE(event.ParseFromString(appended.event()));
  EXPECT_EQ(event.sequence(), 2);
  EXPECT_EQ(event.previous_hash(), feed.last_hash());
  EXPECT_EQ(event.agreement_id(), "a");
  EXPECT_EQ(event.agreement_version(), 2);
  EXPECT_EQ(event.sealed_hash(), crypto::Hash("box"));
  EXPECT_EQ(event.payload(), "payload");
}

TEST(FeedTest, LooksAgainUnderLock) {
  const auto reason = [](const std::function<void(Known&, v1::AppendToFeedRequest&)>& change,
                         v1::Feed feed = {}) {
    Known known;
    auto request = Message();
    change(known, request);
    return Reason(test::Run<FeedDecider>(feed, request, known.At()));
  };
  EXPECT_EQ(reason([](auto&, auto&) {}), "OK");
  EXPECT_EQ(reason([](auto& k, auto&) { k.partner.set_state(v1::PARTNER_STATE_SUSPENDED); }),
            "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto& k, auto&) { k.partner.Clear(); }), "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto& k, auto&) { k.agreement.set_state(v1::AGREEMENT_STATE_REPLACED); }),
            "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto& k, auto&) { k.agreement.clear_signed_time(); }), "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto& k, auto&) { k.agreement.set_partner_id("de"); }), "LOOK_AGAIN");
  EXPECT_EQ(
      reason([](auto& k, auto&) { k.agreement.mutable_terms()->set_until_date("2026-05-31"); }),
      "LOOK_AGAIN");
  EXPECT_EQ(
      reason([](auto& k, auto&) { k.agreement.mutable_terms()->set_from_date("2026-06-02"); }),
      "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto& k, auto&) { k.agreement.set_end_date("2026-05-31"); }), "LOOK_AGAIN");
  EXPECT_EQ(reason([](auto&, auto& r) { r.set_sealed_sequence(2); }), "LOOK_AGAIN");
  // Without a box nothing depends on the sequence; without an agreement, nothing on that.
  EXPECT_EQ(reason([](auto&, auto& r) {
              r.clear_sealed();
              r.set_sealed_sequence(7);
            }),
            "OK");
  EXPECT_EQ(reason([](auto& k, auto& r) {
              k.agreement.Clear();
              r.clear_agreement_id();
            }),
            "OK");
  EXPECT_EQ(reason([](auto&, auto& r) { r.set_payload(std::string(1 << 20, 'x')); }),
            "MESSAGE_TOO_LARGE");
}

TEST(FeedTest, NeedsAKey) {
  Known known;
  v1::Feed feed;
  engine::Context context = known.At();
  context.sign = nullptr;
  EXPECT_EQ(Reason(test::Run<FeedDecider>(feed, Message(), context)), "NO_SIGNING_KEY");
}

TEST(FeedTest, AStopIsRememberedUntilSomethingIsDisclosedAgain) {
  Known known;
  v1::Feed feed;
  ASSERT_TRUE(test::Run<FeedDecider>(feed, Message(1), known.At()).ok());
  v1::AppendToFeedRequest stop;
  stop.set_feed_id("fr:Case/c");
  stop.set_receiver("fr");
  stop.set_subject("Case/c");
  stop.set_stops(true);
  ASSERT_TRUE(test::Run<FeedDecider>(feed, stop, known.At()).ok());
  EXPECT_TRUE(feed.stopped());
  EXPECT_EQ(feed.disclosed(), "");
  stop.set_stops(false);  // a receipt
  ASSERT_TRUE(test::Run<FeedDecider>(feed, stop, known.At()).ok());
  EXPECT_TRUE(feed.stopped());
  auto again = Message(2);
  again.set_sealed_sequence(4);
  ASSERT_TRUE(test::Run<FeedDecider>(feed, again, known.At()).ok());
  EXPECT_FALSE(feed.stopped());
}

RC_GTEST_PROP(FeedProperty, WhateverComesTheChainHoldsAndNothingIsSentTwice, ()) {
  Known known;
  v1::Feed feed;
  std::string last_hash;
  std::set<std::pair<std::string, std::int64_t>> sent;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    auto request = Message(*rc::gen::inRange(1, 12));
    request.set_source_stream(*rc::gen::element<std::string>("Case/c", "LifeProject/p"));
    request.set_sealed_sequence(feed.sequence() + *rc::gen::inRange(0, 3));
    if (*rc::gen::inRange(0, 3) == 0) request.clear_sealed();
    const auto decision = FeedDecider::Decide(feed, request, known.At());
    if (!decision.ok()) {
      RC_ASSERT(Reason(decision.status()) == "LOOK_AGAIN");
      continue;
    }
    if (decision->empty()) continue;
    const auto& appended = static_cast<const v1::FeedAppended&>(*decision->entries()[0].event);
    v1::FeedEvent event;
    RC_ASSERT(event.ParseFromString(appended.event()));
    RC_ASSERT(event.previous_hash() == last_hash);
    RC_ASSERT(event.sequence() == feed.sequence() + 1);
    RC_ASSERT(sent.insert({event.source_stream(), event.source_sequence()}).second);
    FeedDecider::Apply(feed, appended);
    last_hash = feed.last_hash();
  }
}

TEST(SharedCaseTest, KeepsWhatIsKnown) {
  v1::SharedCase of;
  v1::NoteCaseRequest request;
  request.mutable_shared_case()->set_id("c");
  request.mutable_shared_case()->set_programme("arv");
  ASSERT_TRUE(test::Run<SharedCaseDecider>(of, request, Now()).ok());
  v1::NoteCaseRequest submitted;
  submitted.mutable_shared_case()->set_id("c");
  submitted.mutable_shared_case()->set_submitted(true);
  ASSERT_TRUE(test::Run<SharedCaseDecider>(of, submitted, Now()).ok());
  EXPECT_EQ(of.programme(), "arv");
  EXPECT_TRUE(of.submitted());
  const auto again = SharedCaseDecider::Decide(of, submitted, Now());
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->empty());
}

TEST(RouteTest, OnlyMessagesGoToFeeds) {
  engine::JournalRow row;
  row.event_type = "sankofa.exchange.v1.PartnerRegistered";
  EXPECT_FALSE(FeedRecordOf(row));
  Known known;
  const auto decision = FeedDecider::Decide(v1::Feed(), Message(), known.At());
  ASSERT_TRUE(decision.ok());
  row.event_type = v1::FeedAppended::descriptor()->full_name();
  row.payload = decision->entries()[0].event->SerializeAsString();
  row.traceparent = "00-trace";
  const auto record = FeedRecordOf(row);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->topic, "feed.fr");
  EXPECT_EQ(record->key, "c");
  const auto header = [&](const std::string& name) {
    const auto found = std::find_if(record->headers.begin(), record->headers.end(),
                                    [&](const kafka::Header& h) { return h.name == name; });
    return found == record->headers.end() ? "none" : found->value;
  };
  EXPECT_EQ(header("ce_id"), "tg/fr/Case/c/1");
  EXPECT_EQ(header("ce_source"), "//tg.sankofa/exchange");
  EXPECT_EQ(header("ce_type"), "sankofa.registration.v1.CaseArrived");
  EXPECT_EQ(header("ce_subject"), "Case/c");
  EXPECT_EQ(header("ce_sequence"), "1");
  EXPECT_EQ(header("ce_specversion"), "1.0");
  EXPECT_EQ(header("ce_partitionkey"), "c");
  EXPECT_EQ(header("content-type"), "application/protobuf");
  EXPECT_EQ(header("traceparent"), "00-trace");
  EXPECT_EQ(header("sankofa_key_id"), KeyId('t'));
}

TEST(FeedRightsTest, FollowWhoIsActive) {
  kafka::MemoryBroker broker;
  const auto admin = broker.MakeAdmin();
  FeedRights rights(*admin);
  Snapshot snapshot;
  for (const char* code : {"fr", "de"}) {
    v1::Partner& partner = snapshot.partners[code];
    partner.set_id(code);
    partner.set_state(v1::PARTNER_STATE_ACTIVE);
    partner.set_certificate_identity(absl::StrCat("partner-", code));
  }
  ASSERT_TRUE(rights.Align(snapshot).ok());
  const auto of = [&](const std::string& code) {
    return *admin->DescribeAcls(absl::StrCat("User:partner-", code), absl::Seconds(1));
  };
  EXPECT_EQ(of("fr"), RightsOf(snapshot.partners["fr"]));
  EXPECT_EQ(of("fr").size(), 4);
  for (const kafka::Acl& acl : of("fr")) {
    EXPECT_EQ(acl.name, acl.resource == kafka::Acl::Resource::kTopic ? "feed.fr" : "partner-fr");
    EXPECT_FALSE(acl.prefixed);
  }
  snapshot.partners["fr"].set_state(v1::PARTNER_STATE_SUSPENDED);
  // What somebody else has granted goes too.
  ASSERT_TRUE(admin
                  ->EnsureAcls({{.name = "sankofa.registration", .principal = "User:partner-fr"}},
                               absl::Seconds(1))
                  .ok());
  ASSERT_TRUE(rights.Align(snapshot).ok());
  EXPECT_TRUE(of("fr").empty());
  EXPECT_EQ(of("de").size(), 4);
  broker.SetAvailable(false);
  EXPECT_FALSE(rights.Align(snapshot).ok());
  EXPECT_FALSE(rights.Trouble("de").ok());
  broker.SetAvailable(true);
  EXPECT_TRUE(rights.Align(snapshot).ok());
  EXPECT_TRUE(rights.Trouble("de").ok());
}

}  // namespace
}  // namespace sankofa::exchange
