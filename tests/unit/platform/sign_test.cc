#include "services/platform/crypto/sign.h"

#include <gtest/gtest.h>

namespace sankofa::crypto {
namespace {

std::unique_ptr<Signer> Seeded(char byte) { return *Signer::FromSeed(std::string(32, byte)); }

TEST(Sign, VerifiesWithTheNodesKeyAndNoOther) {
  const auto signer = Seeded('a');
  const std::string signature = signer->Sign("minutes", "text");
  EXPECT_TRUE(Verifies(signer->public_key(), "minutes", "text", signature));
  EXPECT_FALSE(Verifies(Seeded('b')->public_key(), "minutes", "text", signature));
}

TEST(Sign, CoversTextAndLabel) {
  const auto signer = Seeded('a');
  const std::string signature = signer->Sign("minutes", "text");
  EXPECT_FALSE(Verifies(signer->public_key(), "minutes", "texts", signature));
  EXPECT_FALSE(Verifies(signer->public_key(), "feed", "text", signature));
  EXPECT_NE(signer->Sign("a", "bc"), signer->Sign("ab", "c"));
}

TEST(Sign, ASignatureComesWithTheKeyThatMadeIt) {
  const auto signer = Seeded('a');
  const auto made = signer->SignNamed("minutes", "text");
  EXPECT_EQ(made.public_key, signer->public_key());
  EXPECT_EQ(made.signature, signer->Sign("minutes", "text"));
}

TEST(Sign, IsTheSameEachTime) {
  EXPECT_EQ(Seeded('a')->Sign("minutes", "text"), Seeded('a')->Sign("minutes", "text"));
}

TEST(Sign, MalformedKeysAndSignaturesVerifyNothing) {
  const auto signer = Seeded('a');
  const std::string signature = signer->Sign("minutes", "text");
  EXPECT_FALSE(Verifies("", "minutes", "text", signature));
  EXPECT_FALSE(Verifies(std::string(64, 'z'), "minutes", "text", signature));
  EXPECT_FALSE(Verifies(signer->public_key(), "minutes", "text", signature.substr(1)));
  EXPECT_FALSE(Signer::FromSeed("short").ok());
  EXPECT_FALSE(Signer::FromFile("/nonexistent").ok());
}

}  // namespace
}  // namespace sankofa::crypto
