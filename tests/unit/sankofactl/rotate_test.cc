#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/sign.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/rotate/certificate.h"
#include "services/sankofactl/rotate/file.h"
#include "services/sankofactl/rotate/node_keys.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using testing::Folder;
using ::testing::HasSubstr;

std::string Line(char byte) {
  return absl::StrCat(absl::Base64Escape(std::string(32, byte)), "\n");
}

class NodeKeysTest : public ::testing::Test {
 protected:
  NodeKeysTest() {
    EXPECT_TRUE(ReplaceFile(files_.signing, Line('a'), kPrivateMode).ok());
    EXPECT_TRUE(ReplaceFile(files_.sealing, Line('x'), kPrivateMode).ok());
  }
  std::string SigningKey() const {
    return (*crypto::Signer::FromFile(files_.signing))->public_key();
  }
  std::unique_ptr<crypto::SealingKey> Sealing() const {
    return *crypto::SealingKey::FromFile(files_.sealing);
  }
  // What is sealed for `pair` opens with what the node reads now.
  bool Opens(const PublicPair& pair) const {
    return Sealing()->Open(*crypto::SealFor(pair.sealing_key, "case")).value_or("") == "case";
  }
  NodeKeyState State() const { return *StateOf(files_); }

  Folder folder_;
  const NodeKeyFiles files_ = {folder_.Path("signing.key"), folder_.Path("sealing.key")};
};

TEST_F(NodeKeysTest, AtEachStepWhatIsOnItsWayOpens) {
  const PublicPair first = *PairInUse(files_);
  EXPECT_EQ(State(), NodeKeyState::kAtRest);
  EXPECT_TRUE(Opens(first));

  const PublicPair next = *PrepareNodeKeys(files_);
  EXPECT_EQ(State(), NodeKeyState::kPrepared);
  EXPECT_NE(next.key_id, first.key_id);
  // Partners may seal for the next key as soon as they know it, and know the node by the first until the switch.
  EXPECT_TRUE(Opens(first));
  EXPECT_TRUE(Opens(next));
  EXPECT_EQ(SigningKey(), first.verification_key);
  EXPECT_EQ(Sealing()->public_key(), first.sealing_key);

  EXPECT_EQ(SwitchNodeKeys(files_)->key_id, next.key_id);
  EXPECT_EQ(State(), NodeKeyState::kSwitched);
  EXPECT_TRUE(Opens(first));
  EXPECT_TRUE(Opens(next));
  EXPECT_EQ(SigningKey(), next.verification_key);
  EXPECT_EQ(Sealing()->public_key(), next.sealing_key);

  ASSERT_TRUE(FinishNodeKeys(files_).ok());
  EXPECT_EQ(State(), NodeKeyState::kAtRest);
  EXPECT_FALSE(Opens(first));
  EXPECT_TRUE(Opens(next));
  EXPECT_FALSE(std::filesystem::exists(files_.Next()));
}

TEST_F(NodeKeysTest, AStepThatWasBrokenOffIsMadeAgainWithTheSamePair) {
  const PublicPair next = *PrepareNodeKeys(files_);
  EXPECT_EQ(PrepareNodeKeys(files_)->key_id, next.key_id);
  // Killed between the pair's file and the sealing key's.
  ASSERT_TRUE(ReplaceFile(files_.sealing, Line('x'), kPrivateMode).ok());
  EXPECT_EQ(PrepareNodeKeys(files_)->key_id, next.key_id);
  EXPECT_TRUE(Opens(next));
  // Killed before the pair's file was removed.
  std::filesystem::copy_file(files_.Next(), folder_.Path("kept"));
  ASSERT_TRUE(SwitchNodeKeys(files_).ok());
  std::filesystem::rename(folder_.Path("kept"), files_.Next());
  EXPECT_EQ(SwitchNodeKeys(files_)->key_id, next.key_id);
  EXPECT_EQ(SwitchNodeKeys(files_)->key_id, next.key_id);
  EXPECT_EQ(SigningKey(), next.verification_key);
  EXPECT_EQ(Sealing()->public_key(), next.sealing_key);
  EXPECT_TRUE(FinishNodeKeys(files_).ok());
  EXPECT_TRUE(FinishNodeKeys(files_).ok());
}

TEST_F(NodeKeysTest, StepsOutOfOrderChangeNothing) {
  EXPECT_TRUE(absl::IsFailedPrecondition(SwitchNodeKeys(files_).status()));
  ASSERT_TRUE(PrepareNodeKeys(files_).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(FinishNodeKeys(files_)));
  ASSERT_TRUE(SwitchNodeKeys(files_).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(PrepareNodeKeys(files_).status()));
  EXPECT_EQ(State(), NodeKeyState::kSwitched);
}

TEST_F(NodeKeysTest, KeysAreTheirOwnersAlone) {
  ASSERT_TRUE(PrepareNodeKeys(files_).ok());
  for (const std::string& file : {files_.signing, files_.sealing, files_.Next()}) {
    struct stat info {};
    ASSERT_EQ(stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600) << file;
  }
  ASSERT_EQ(chmod(files_.Next().c_str(), 0644), 0);
  EXPECT_FALSE(SwitchNodeKeys(files_).ok());
}

TEST(RotateFiles, AFileThatCantBeWrittenStaysAsItWas) {
  const Folder folder;
  EXPECT_FALSE(ReplaceFile(folder.Path("none/file"), "text", kPrivateMode).ok());
  const std::string file = folder.Write("file", "before");
  ASSERT_TRUE(WritePart(file, "after", kPublicMode).ok());
  std::string text;
  std::ifstream(file) >> text;
  EXPECT_EQ(text, "before");
  ASSERT_TRUE(PutPart(file).ok());
  std::ifstream(file) >> text;
  EXPECT_EQ(text, "after");
}

TEST(RotateCertificates, FilesThatAreNoneAreNamedAndLeft) {
  const Folder folder;
  const CertificatePair files = {folder.Write("a.pem", "none"), folder.Write("a.key", "none")};
  const auto renewed = RenewCertificate(files, files, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(renewed));
  EXPECT_THAT(std::string(renewed.message()), HasSubstr("a.pem"));
  EXPECT_FALSE(std::filesystem::exists(files.certificate + ".part"));
}

TEST(RotateCommand, WantsToKnowWhatAndOfWhichNode) {
  testing::FakeNode node;
  EXPECT_EQ(testing::RunWith(node, {}, {"rotate"}).exit_code, kUsage);
  EXPECT_EQ(testing::RunWith(node, {}, {"rotate", "node-keys"}).exit_code, kUsage);
  EXPECT_EQ(testing::RunWith(node, {}, {"rotate", "node-keys", "twist"}).exit_code, kUsage);
  for (const char* what : {"master-key", "certificates"}) {
    EXPECT_EQ(testing::RunWith(node, {}, {"rotate", what}).exit_code, kUsage) << what;
  }
}

}  // namespace
}  // namespace sankofa::ctl
