#include "services/platform/crypto/box.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"

namespace sankofa::crypto {
namespace {

std::unique_ptr<SealingKey> Keyed(char byte) {
  return *SealingKey::FromSecret(std::string(32, byte));
}

// Points of small order, as published by D. J. Bernstein (https://cr.yp.to/ecdh.html#validate), little endian.
const std::vector<std::string>& SmallOrder() {
  static const std::vector<std::string> points = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  return points;
}

TEST(Box, OpensWithItsKeyAndNoOther) {
  const auto key = Keyed('a');
  const auto box = SealFor(key->public_key(), "what only one may read");
  ASSERT_TRUE(box.ok()) << box.status();
  EXPECT_EQ(box->size(), 22 + kBoxOverheadBytes);
  EXPECT_EQ(box->find("read"), std::string::npos);
  EXPECT_EQ(*key->Open(*box), "what only one may read");
  EXPECT_FALSE(Keyed('b')->Open(*box).ok());
}

TEST(Box, EveryAlteredByteIsNoticed) {
  const auto key = Keyed('a');
  const std::string box = *SealFor(key->public_key(), "text");
  for (std::size_t i = 0; i < box.size(); ++i) {
    std::string altered = box;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_FALSE(key->Open(altered).ok()) << i;
    EXPECT_FALSE(key->Open(box.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(key->Open(box + "x").ok());
}

TEST(Box, IsAnotherEachTime) {
  const auto key = Keyed('a');
  EXPECT_NE(*SealFor(key->public_key(), "text"), *SealFor(key->public_key(), "text"));
  EXPECT_EQ(*key->Open(*SealFor(key->public_key(), "")), "");
}

TEST(Box, NothingIsSealedForAKeyThatEverybodyCanOpen) {
  for (const std::string& point : SmallOrder()) {
    EXPECT_FALSE(IsSealingKey(point)) << point;
    EXPECT_FALSE(SealFor(point, "text").ok()) << point;
  }
  EXPECT_TRUE(IsSealingKey(Keyed('a')->public_key()));
}

TEST(Box, MalformedKeysAreRefused) {
  const std::string key = Keyed('a')->public_key();
  for (const std::string& text : {std::string(), key.substr(1), key + "0", std::string(64, 'z'),
                                  std::string(32, 'a'), std::string(64, '\0')}) {
    EXPECT_FALSE(IsSealingKey(text));
    EXPECT_FALSE(IsVerificationKey(text));
    EXPECT_FALSE(SealFor(text, "text").ok());
    EXPECT_EQ(KeyIdOf(text), "");
  }
  EXPECT_FALSE(SealingKey::FromSecret("short").ok());
}

TEST(Box, AVerificationKeyIsAPointOfTheMainGroup) {
  EXPECT_TRUE(IsVerificationKey((*Signer::FromSeed(std::string(32, 'a')))->public_key()));
  // y = 1 is the neutral element, y = 0 has order 4, y = 2 is on no point, the last is no number of the field.
  for (const char* first : {"01", "00", "02"}) {
    EXPECT_FALSE(IsVerificationKey(first + std::string(62, '0'))) << first;
  }
  EXPECT_FALSE(IsVerificationKey(std::string(64, 'f')));
}

TEST(Box, AKeyIsNamedByItsHash) {
  const std::string key = Keyed('a')->public_key();
  const std::string bytes = absl::HexStringToBytes(key);
  EXPECT_EQ(KeyIdOf(key), absl::BytesToHexString(Hash(bytes)).substr(0, 16));
  EXPECT_EQ(KeyIdOf(key), KeyIdOf(absl::AsciiStrToUpper(key)));
  EXPECT_EQ(Hash("").size(), 32);
  // BLAKE2b-256 of nothing, as `b2sum -l 256 < /dev/null` prints it.
  EXPECT_EQ(HashHex(""), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST(Box, AKeyFileIsItsOwnersAlone) {
  const std::string file = ::testing::TempDir() + "sealing.key";
  std::ofstream(file) << absl::Base64Escape(std::string(32, 'a')) << "\n";
  ::chmod(file.c_str(), 0600);
  const auto key = SealingKey::FromFile(file);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ((*key)->public_key(), Keyed('a')->public_key());
  ::chmod(file.c_str(), 0640);
  EXPECT_FALSE(SealingKey::FromFile(file).ok());
  EXPECT_FALSE(SealingKey::FromFile("/nonexistent").ok());
}

}  // namespace
}  // namespace sankofa::crypto
