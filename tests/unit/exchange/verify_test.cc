#include "services/exchange/ingest/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/exchange/sender.h"

namespace sankofa::exchange {
namespace {

class VerifyTest : public ::testing::Test {
 protected:
  VerifyTest() { sender_.SealFor(own_->public_key()); }

  [[nodiscard]] Verdict Check(const v1::SignedFeedEvent& message,
                              ReadFrom from = ReadFrom::kTopic) const {
    return CheckBytes(message.SerializeAsString(), from);
  }
  [[nodiscard]] Verdict CheckBytes(const std::string& bytes,
                                   ReadFrom from = ReadFrom::kTopic) const {
    return Verify({.sender = partner_, .node = "fr", .sealing_key = own_.get()}, bytes, from);
  }
  // "OK", or the name of what it is refused for.
  static std::string Because(const Verdict& verdict) {
    const auto* refused = std::get_if<RefusedMessage>(&verdict);
    return refused == nullptr ? "OK" : NameOf(refused->because);
  }

  const std::unique_ptr<crypto::SealingKey> own_ =
      *crypto::SealingKey::FromSecret(std::string(32, 'o'));
  Sender sender_;
  v1::Partner partner_ = sender_.Partner();
};

TEST_F(VerifyTest, AGenuineMessageIsOpened) {
  const auto verdict = Check(sender_.Append(sender_.Next(), {sender_.Disclosure("ama")}));
  ASSERT_EQ(Because(verdict), "OK");
  const auto& verified = std::get<VerifiedMessage>(verdict);
  EXPECT_EQ(verified.event.sequence(), 1);
  ASSERT_EQ(verified.disclosures.size(), 1u);
  EXPECT_EQ(verified.disclosures[0].person().id(), "ama");
}

TEST_F(VerifyTest, WhatIsNoMessageIsMalformed) {
  EXPECT_EQ(Because(CheckBytes("")), "UNKNOWN_KEY");  // an empty message in wire form
  EXPECT_EQ(Because(CheckBytes("garbage")), "MALFORMED");
  EXPECT_EQ(Because(CheckBytes(std::string(1 << 20, 'x'))), "MALFORMED");
  v1::SignedFeedEvent message = sender_.Append();
  EXPECT_EQ(Because(CheckBytes(message.SerializeAsString() + message.SerializeAsString())),
            "MALFORMED");
  EXPECT_EQ(Because(CheckBytes(message.SerializeAsString() + std::string("\x2a\x01x"))),
            "MALFORMED");  // a field beside the signed ones
  message.set_event("garbage");
  EXPECT_EQ(Because(Check(message)), "MALFORMED");
}

TEST_F(VerifyTest, ASignedMessageIsWellFormed) {
  const auto refused = [&](const std::function<void(v1::FeedEvent&)>& change) {
    v1::FeedEvent event = sender_.Next();
    change(event);
    return Because(Check(sender_.Sign(event)));
  };
  for (const char* subject :
       {"", "Case", "Case/", "/x", "Case/a b", "Case/a/b", "Case/\x01", "Ca.se/x", "Case/é"}) {
    EXPECT_EQ(refused([&](auto& event) { event.set_subject(subject); }), "MALFORMED") << subject;
  }
  EXPECT_EQ(refused([](auto& event) { event.set_subject("Case/" + std::string(200, 'x')); }),
            "MALFORMED");
  for (const std::int64_t sequence : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX}) {
    EXPECT_EQ(refused([&](auto& event) { event.set_sequence(sequence); }), "MALFORMED");
  }
  EXPECT_EQ(refused([](auto& event) { event.set_sequence(2); }), "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.set_previous_hash(std::string(32, 'x')); }),
            "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.set_type(""); }), "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.set_type("no name"); }), "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.clear_event_time(); }), "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.mutable_event_time()->set_seconds(INT64_MAX); }),
            "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.set_sealed_hash("short"); }), "MALFORMED");
  EXPECT_EQ(refused([](auto& event) { event.set_source(std::string("a\0b", 3)); }), "MALFORMED");
}

TEST_F(VerifyTest, OnlyTheSendersKeysInUseVerify) {
  const auto message = sender_.Append();
  EXPECT_EQ(Because(Check(message)), "OK");
  Sender stranger("tg", "fr", 'x');
  EXPECT_EQ(Because(Check(stranger.Append())), "UNKNOWN_KEY");
  auto named = stranger.Append();
  named.set_key_id(message.key_id());  // wrongly signed
  EXPECT_EQ(Because(Check(named)), "SIGNATURE");
  auto unsigned_message = message;
  unsigned_message.clear_signature();
  EXPECT_EQ(Because(Check(unsigned_message)), "SIGNATURE");

  // A key that was rotated verifies what was issued before it ended.
  *partner_.mutable_keys(0)->mutable_until_time() = time::ToTimestamp(Noon());
  EXPECT_EQ(Because(Check(message)), "OK");
  *partner_.mutable_keys(0)->mutable_until_time() = time::ToTimestamp(Noon() - absl::Seconds(1));
  EXPECT_EQ(Because(Check(message)), "UNKNOWN_KEY");
  // One that was stolen verifies nothing.
  partner_.mutable_keys(0)->clear_until_time();
  partner_.mutable_keys(0)->set_revoked(true);
  EXPECT_EQ(Because(Check(message)), "UNKNOWN_KEY");
}

TEST_F(VerifyTest, AKeyIsTrustedAsSoonAsItIsThere) {
  *partner_.mutable_keys(0)->mutable_from_time() = time::ToTimestamp(Noon() + absl::Hours(24));
  EXPECT_EQ(Because(Check(sender_.Append())), "OK");  // clocks a day apart
}

TEST_F(VerifyTest, TheAddressIsSigned) {
  Sender other("cm", "fr", 's');
  EXPECT_EQ(Because(Check(other.Append())), "ADDRESS");
  Sender elsewhere("tg", "cm", 's');
  EXPECT_EQ(Because(Check(elsewhere.Append())), "ADDRESS");
}

TEST_F(VerifyTest, ASuspendedPartnerIsNotRead) {
  partner_.set_state(v1::PARTNER_STATE_SUSPENDED);
  EXPECT_EQ(Because(Check(sender_.Append())), "SUSPENDED");
}

TEST_F(VerifyTest, ABoxBelongsToItsMessage) {
  const auto first = sender_.Append(sender_.Next(), {sender_.Disclosure("ama")});
  const auto second = sender_.Append(sender_.Next(), {sender_.Disclosure("koffi")});
  auto moved = second;
  moved.set_sealed(first.sealed());
  EXPECT_EQ(Because(Check(moved)), "SEAL");
  // Signed anew by the sender, but the box still says what it was made for.
  v1::FeedEvent event;
  ASSERT_TRUE(event.ParseFromString(second.event()));
  event.set_sealed_hash(crypto::Hash(first.sealed()));
  EXPECT_EQ(Because(Check(sender_.Sign(event, first.sealed()))), "SEAL");
  event.clear_sealed_hash();
  EXPECT_EQ(Because(Check(sender_.Sign(event, second.sealed()))), "SEAL");
}

TEST_F(VerifyTest, ABoxOfAnotherCaseIsRefused) {
  auto disclosure = sender_.Disclosure("ama");
  disclosure.set_case_id("another");
  EXPECT_EQ(Because(Check(sender_.Append(sender_.Next(), {disclosure}))), "SEAL");
  disclosure = sender_.Disclosure("ama");
  disclosure.set_partner("cm");
  EXPECT_EQ(Because(Check(sender_.Append(sender_.Next(), {disclosure}))), "SEAL");
}

TEST_F(VerifyTest, AReplayMayWithholdTheBoxAndATopicMayNot) {
  auto message = sender_.Append(sender_.Next(), {sender_.Disclosure("ama")});
  message.clear_sealed();
  EXPECT_EQ(Because(Check(message, ReadFrom::kTopic)), "SEAL");
  const auto verdict = Check(message, ReadFrom::kReplay);
  ASSERT_EQ(Because(verdict), "OK");
  EXPECT_TRUE(std::get<VerifiedMessage>(verdict).disclosures.empty());
}

TEST_F(VerifyTest, ABoxForAnotherKeyIsRefused) {
  const auto other = *crypto::SealingKey::FromSecret(std::string(32, 'p'));
  sender_.SealFor(other->public_key());
  EXPECT_EQ(Because(Check(sender_.Append(sender_.Next(), {sender_.Disclosure("ama")}))), "SEAL");
}

TEST_F(VerifyTest, ARefusalSaysWhatTheMessageClaims) {
  auto message = sender_.Append();
  message.set_signature(std::string(64, 'x'));
  const auto verdict = Check(message);
  const auto& refused = std::get<RefusedMessage>(verdict);
  EXPECT_EQ(refused.subject, absl::StrCat("Case/", kCaseId));
  EXPECT_EQ(refused.sequence, 1);
  const v1::FeedRefused receipt = refused.Receipt(Noon());
  EXPECT_EQ(receipt.because(), v1::REFUSED_BECAUSE_SIGNATURE);
  EXPECT_EQ(receipt.event_hash(), crypto::Hash(message.event()));
  EXPECT_EQ(refused.EvidenceId().size(), 64u);
  EXPECT_EQ(refused.message.event(), message.event());
}

// The heart of it: whatever is altered on the way, nothing but what the sender signed comes through.
RC_GTEST_FIXTURE_PROP(VerifyTest, NoAlteredMessageComesThrough, ()) {
  const bool boxed = *rc::gen::arbitrary<bool>();
  const auto genuine =
      boxed ? sender_.Append(sender_.Next(), {sender_.Disclosure("ama")}) : sender_.Append();
  std::string bytes = genuine.SerializeAsString();
  const auto flips = *rc::gen::inRange(1, 4);
  for (int i = 0; i < flips; ++i) {
    const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  RC_PRE(bytes != genuine.SerializeAsString());
  RC_ASSERT(Because(CheckBytes(bytes)) != "OK");
}

TEST_F(VerifyTest, EachBitCounts) {
  const auto genuine = sender_.Append(sender_.Next(), {sender_.Disclosure("ama")});
  const std::string bytes = genuine.SerializeAsString();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string altered = bytes;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(Because(CheckBytes(altered)), "OK") << "bit " << bit;
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_NE(Because(CheckBytes(bytes.substr(0, length))), "OK") << "length " << length;
  }
}

}  // namespace
}  // namespace sankofa::exchange
