#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>

#include "absl/strings/escaping.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"

// The test vector of proto/README.md, which partners check their programs against: our own code signs, verifies, chains
// and opens the same.
namespace sankofa {
namespace {

constexpr char kLabel[] = "sankofa.feed.v1";

class FeedVectorTest : public testing::Test {
 protected:
  FeedVectorTest() : vector_(YAML::LoadFile(SANKOFA_FEED_VECTOR)) {}

  std::string Text(const std::string& part, const std::string& name) const {
    return vector_[part][name].as<std::string>();
  }
  std::string Bytes(const std::string& part, const std::string& name) const {
    return absl::HexStringToBytes(Text(part, name));
  }
  std::string Wanted(int message, const std::string& name) const {
    return absl::HexStringToBytes(vector_["messages"][message][name].as<std::string>());
  }
  exchange::v1::SignedFeedEvent Message(int message) const {
    exchange::v1::SignedFeedEvent parsed;
    EXPECT_TRUE(parsed.ParseFromString(Wanted(message, "value")));
    return parsed;
  }
  exchange::v1::FeedEvent Event(int message) const {
    exchange::v1::FeedEvent parsed;
    EXPECT_TRUE(parsed.ParseFromString(Message(message).event()));
    return parsed;
  }

  YAML::Node vector_;
};

TEST_F(FeedVectorTest, OurSignatureIsTheSame) {
  const auto signer = crypto::Signer::FromSeed(Bytes("sender", "signing_seed"));
  ASSERT_TRUE(signer.ok());
  EXPECT_EQ((*signer)->public_key(), Text("sender", "verification_key"));
  for (int message = 0; message < 2; ++message) {
    EXPECT_EQ((*signer)->Sign(kLabel, Message(message).event()), Wanted(message, "signature"));
    EXPECT_TRUE(crypto::Verifies(Text("sender", "verification_key"), kLabel,
                                 Message(message).event(), Message(message).signature()));
  }
}

TEST_F(FeedVectorTest, KeysAreCalledTheSame) {
  const std::string sender = crypto::KeyIdOf(Text("sender", "verification_key"));
  EXPECT_EQ(sender, Text("sender", "key_id"));
  EXPECT_EQ(Message(0).key_id(), sender);
  const std::string receiver = crypto::KeyIdOf(Text("receiver", "sealing_key"));
  EXPECT_EQ(receiver, Text("receiver", "sealing_key_id"));
  EXPECT_EQ(Event(0).sealing_key_id(), receiver);
}

TEST_F(FeedVectorTest, TheChainHolds) {
  EXPECT_EQ(Event(0).previous_hash(), "");
  EXPECT_EQ(Event(1).previous_hash(), crypto::Hash(Message(0).event()));
  EXPECT_EQ(crypto::Hash(Message(0).event()), Wanted(0, "hash"));
  EXPECT_EQ(Event(0).sequence(), 1);
  EXPECT_EQ(Event(1).sequence(), 2);
}

TEST_F(FeedVectorTest, TheBoxOpens) {
  EXPECT_EQ(Event(0).sealed_hash(), crypto::Hash(Message(0).sealed()));
  const auto key = crypto::SealingKey::FromSecret(Bytes("receiver", "sealing_secret"));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ((*key)->public_key(), Text("receiver", "sealing_key"));
  const auto opened = (*key)->Open(Message(0).sealed());
  ASSERT_TRUE(opened.ok());
  exchange::v1::SealedContent content;
  ASSERT_TRUE(content.ParseFromString(*opened));
  EXPECT_EQ(content.subject(), Event(0).subject());
  EXPECT_EQ(content.sequence(), 1);
  ASSERT_EQ(content.disclosures_size(), 1);
  EXPECT_EQ(content.disclosures(0).person().details().given_names(), "Éxempla");
}

TEST_F(FeedVectorTest, ThePayloadIsTheEvent) {
  registration::v1::CaseRegistered registered;
  EXPECT_EQ(Event(0).type(), registered.GetTypeName());
  ASSERT_TRUE(registered.ParseFromString(Event(0).payload()));
  EXPECT_EQ("Case/" + registered.case_id(), Event(0).subject());
}

}  // namespace
}  // namespace sankofa
