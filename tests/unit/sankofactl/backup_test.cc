#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "services/platform/status/refuse.h"
#include "services/sankofactl/backup/manifest.h"
#include "services/sankofactl/backup/program.h"
#include "services/sankofactl/output/json.h"
#include "tests/unit/sankofactl/fixture.h"

// What a backup proves of itself before anything is restored.
namespace sankofa::ctl {
namespace {

using ::testing::HasSubstr;

NodeKeys KeysOf(char key, std::vector<std::string> names) {
  return {.vault = *crypto::Vault::FromBytes(std::string(32, key)),
          .wrapping = names,
          .opening = names};
}

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    manifest_.set_format(kBackupFormat);
    manifest_.set_node("tg");
    manifest_.set_version("0.3.1");
    manifest_.set_blind_key_check(BlindKeyCheck(*keys_.vault, "tg"));
    manifest_.add_master_keys("name");
    manifest_.mutable_database()->set_hash("ab");
    Seal();
  }
  void Seal() {
    text_.manifest = ToJson(manifest_)->Pretty();
    text_.seal = SealOf(*keys_.vault, text_.manifest) + "\n";
  }
  std::string ReasonFor(const NodeKeys& keys, const std::string& node = "tg",
                        const std::string& version = "0.3.1") {
    return status::ReasonOf(Opened(text_, keys, node, version).status());
  }

  NodeKeys keys_ = KeysOf('m', {"name"});
  backup::v1::BackupManifest manifest_;
  ManifestText text_;
};

TEST_F(ManifestTest, OneThatIsAsItWasMadeIsBelieved) {
  const auto opened = Opened(text_, keys_, "tg", "0.3.1");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->database().hash(), "ab");
  EXPECT_EQ(ReasonFor(keys_, "tg", "0.10.0"), "");
}

TEST_F(ManifestTest, AnotherMasterKeyIsKnown) {
  EXPECT_EQ(ReasonFor(KeysOf('x', {"name"})), "MASTER_KEY_WRONG");
  // The key of the blind index stays when the master key is changed; the one that wraps is then another.
  EXPECT_EQ(ReasonFor(KeysOf('m', {"other"})), "MASTER_KEY_WRONG");
  EXPECT_EQ(ReasonFor(KeysOf('m', {"other", "name"})), "");
}

TEST_F(ManifestTest, AnyChangeIsKnown) {
  const ManifestText good = text_;
  for (std::size_t at = 0; at < good.manifest.size(); ++at) {
    text_ = good;
    text_.manifest[at] = static_cast<char>(text_.manifest[at] ^ 1);
    EXPECT_FALSE(Opened(text_, keys_, "tg", "0.3.1").ok()) << text_.manifest;
  }
  text_ = good;
  text_.manifest = absl::StrReplaceAll(text_.manifest, {{"\"ab\"", "\"cd\""}});
  EXPECT_EQ(ReasonFor(keys_), "BACKUP_ALTERED");
  text_ = good;
  text_.seal.clear();
  EXPECT_EQ(ReasonFor(keys_), "BACKUP_ALTERED");
}

TEST_F(ManifestTest, WhatIsNoManifestIsSaidSo) {
  for (const char* text :
       {"", "{}", "[]", "{\"format\": 2, \"node\": \"tg\"}", "{\"format\": 1}"}) {
    text_.manifest = text;
    EXPECT_EQ(ReasonFor(keys_), "BACKUP_UNREADABLE") << text;
  }
}

TEST_F(ManifestTest, OfAnotherNodeOrALaterVersion) {
  EXPECT_EQ(ReasonFor(keys_, "fr"), "BACKUP_OF_ANOTHER_NODE");
  EXPECT_EQ(ReasonFor(keys_, "tg", "0.3.0"), "BACKUP_NEWER");
  EXPECT_EQ(ReasonFor(keys_, "tg", "0.3"), "BACKUP_NEWER");
}

TEST(VersionTest, NumbersAreComparedAsNumbers) {
  EXPECT_TRUE(IsLater("0.10.0", "0.9.9"));
  EXPECT_TRUE(IsLater("1.0.0", "0.9.9"));
  EXPECT_FALSE(IsLater("0.9.9", "0.9.9"));
  EXPECT_FALSE(IsLater("0.9.0", "0.9.9"));
}

TEST(MeasuredTest, SizeAndHash) {
  const testing::Folder folder;
  const auto measured = Measured(folder.Write("some.dump", std::string(3 << 20, 'x')), "some.dump");
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->bytes(), 3 << 20);
  const auto other = Measured(folder.Write("other.dump", std::string(3 << 20, 'y')), "some.dump");
  EXPECT_NE(measured->hash(), other->hash());
  EXPECT_EQ(status::ReasonOf(Measured(folder.Path("none"), "none").status()), "BACKUP_ALTERED");
}

TEST(ProgramTest, WhatItSaysOfErrorsIsTaken) {
  EXPECT_TRUE(RunProgram({"sh", "-c", "test \"$WORD\" = here"}, {{"WORD", "here"}}).ok());
  const auto failed = RunProgram({"sh", "-c", "echo no such table >&2; exit 3"}, {});
  EXPECT_THAT(std::string(failed.message()), HasSubstr("no such table"));
  EXPECT_EQ(RunProgram({"sankofa-is-no-program"}, {}).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace sankofa::ctl
