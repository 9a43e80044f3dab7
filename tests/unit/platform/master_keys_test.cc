#include "services/platform/crypto/master_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/crypto/vault.h"

namespace sankofa::crypto {
namespace {

using ::testing::ElementsAre;
using ::testing::Not;

std::string Key(char byte) { return std::string(32, byte); }
std::string Base64(char byte) { return absl::Base64Escape(Key(byte)); }

class MasterKeysTest : public ::testing::Test {
 protected:
  MasterKeysTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "master-keys-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ / "master.key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static MasterKeys First() {
    MasterKeys keys;
    keys.master = Key('a');
    return keys;
  }
  void Put(const MasterKeys& keys) { ASSERT_TRUE(WriteMasterKeys(file_, keys).ok()); }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(MasterKeysTest, AFileThatWasNeverChangedHoldsOneKeyAndNothingElse) {
  EXPECT_EQ(FormatMasterKeys(First()), absl::StrCat(Base64('a'), "\n"));
  const auto read = ParseMasterKeys(absl::StrCat(" ", Base64('a'), "\n\n"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->master, Key('a'));
  EXPECT_TRUE(read->blind.empty());
}

TEST_F(MasterKeysTest, EveryStepComesBackFromTheFileAsItWasWritten) {
  MasterKeys keys = Prepared(First(), Key('b'));
  for (const char* step : {"prepared", "promoted", "finished"}) {
    Put(keys);
    const auto read = ReadMasterKeys(file_);
    ASSERT_TRUE(read.ok()) << step << ": " << read.status();
    EXPECT_EQ(FormatMasterKeys(*read), FormatMasterKeys(keys)) << step;
    keys = keys.next ? Promoted(std::move(keys)) : Finished(std::move(keys));
  }
  EXPECT_EQ(keys.master, Key('b'));
  EXPECT_TRUE(keys.earlier.empty());
  // The blind index goes by the first key for ever.
  EXPECT_EQ(keys.blind, BlindKeyOf(First()));
  const MasterKeys again = Promoted(Prepared(std::move(keys), Key('c')));
  EXPECT_EQ(again.blind, BlindKeyOf(First()));
  EXPECT_THAT(KeyNames(again), ElementsAre(KeyName(Key('c')), KeyName(Key('b'))));
}

TEST_F(MasterKeysTest, AStepThatIsMadeTwiceIsMadeOnce) {
  const MasterKeys prepared = Prepared(First(), Key('b'));
  EXPECT_EQ(FormatMasterKeys(Prepared(prepared, Key('c'))), FormatMasterKeys(prepared));
  const MasterKeys promoted = Promoted(prepared);
  EXPECT_EQ(FormatMasterKeys(Promoted(promoted)), FormatMasterKeys(promoted));
  const MasterKeys finished = Finished(promoted);
  EXPECT_EQ(FormatMasterKeys(Finished(finished)), FormatMasterKeys(finished));
}

TEST_F(MasterKeysTest, WhatIsNoFileOfMasterKeysIsRefusedWithoutSayingWhatIsInIt) {
  for (const std::string& text :
       {std::string(), std::string("master"), absl::StrCat("master ", "short"),
        absl::StrCat("blind ", Base64('b')), absl::StrCat("other ", Base64('b')),
        absl::StrCat("master ", Base64('a'), "\nmaster ", Base64('b')),
        absl::StrCat("master ", Base64('a'), "\nnext ", Base64('b')),  // and no blind
        absl::StrCat("master ", Base64('a'), " ", Base64('b'))}) {
    const auto read = ParseMasterKeys(text);
    EXPECT_TRUE(absl::IsFailedPrecondition(read.status())) << text;
    EXPECT_THAT(std::string(read.status().message()), Not(::testing::HasSubstr(Base64('b'))));
  }
}

TEST_F(MasterKeysTest, TheFileIsItsOwnersAloneAndIsReplacedAsAWhole) {
  Put(First());
  struct stat info {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);
  EXPECT_FALSE(std::filesystem::exists(file_ + ".part"));
  ASSERT_EQ(chmod(file_.c_str(), 0644), 0);
  EXPECT_FALSE(ReadMasterKeys(file_).ok());
  EXPECT_FALSE(WriteMasterKeys(folder_ / "none" / "master.key", First()).ok());
}

// ---- A vault while its file changes ---------------------------------------------------------------------------------

// A vault looks at its file once a second, or at once where a key does not open: so tests need not wait.
TEST_F(MasterKeysTest, OldAndNewOpenWhateverStepEachProcessHasRead) {
  Put(First());
  const auto early = *Vault::FromFile(file_);
  const DataKey subject = early->NewDataKey();
  const std::string by_first = early->Wrap("s", subject);
  const std::string blind = early->Blind("name", "x");

  const MasterKeys prepared = Prepared(First(), Key('b'));
  Put(prepared);
  const auto second = *Vault::FromFile(file_);
  EXPECT_EQ(second->Unwrap("s", by_first)->bytes(), subject.bytes());
  // Nothing is wrapped with the next key yet.
  EXPECT_TRUE((*Vault::FromBytes(Key('a')))->Unwrap("s", second->Wrap("s", subject)).ok());

  Put(Promoted(prepared));
  const auto third = *Vault::FromFile(file_);
  const std::string by_second = third->Wrap("s", subject);
  EXPECT_FALSE((*Vault::FromBytes(Key('a')))->Unwrap("s", by_second).ok());
  // Also those that had read only the first key: they look again when they meet what they can't open.
  for (const auto* vault : {early.get(), second.get(), third.get()}) {
    EXPECT_EQ(vault->Unwrap("s", by_second)->bytes(), subject.bytes());
    EXPECT_EQ(vault->Unwrap("s", by_first)->bytes(), subject.bytes());
    EXPECT_EQ(vault->Blind("name", "x"), blind);
  }

  Put(Finished(Promoted(prepared)));
  const auto last = *Vault::FromFile(file_);
  EXPECT_EQ(last->Unwrap("s", by_second)->bytes(), subject.bytes());
  EXPECT_TRUE(absl::IsFailedPrecondition(last->Unwrap("s", by_first).status()));
  EXPECT_EQ(last->Blind("name", "x"), blind);
}

TEST_F(MasterKeysTest, AFileThatWouldMakeTheIndexWorthlessOrIsNoneChangesNothing) {
  Put(First());
  const auto vault = *Vault::FromFile(file_);
  const DataKey subject = vault->NewDataKey();
  const std::string wrapped = vault->Wrap("s", subject);
  MasterKeys foreign;
  foreign.master = Key('z');
  const std::string by_foreign = (*Vault::FromBytes(Key('z')))->Wrap("s", subject);
  Put(foreign);
  EXPECT_FALSE(vault->Unwrap("s", by_foreign).ok());
  EXPECT_EQ(vault->Unwrap("s", wrapped)->bytes(), subject.bytes());
  std::ofstream(file_) << "nothing of the kind";
  EXPECT_FALSE(vault->Unwrap("s", by_foreign).ok());
  EXPECT_EQ(vault->Unwrap("s", wrapped)->bytes(), subject.bytes());
}

TEST_F(MasterKeysTest, AKeyOfAnotherSubjectOpensWithNoKeyOfTheRing) {
  Put(Promoted(Prepared(First(), Key('b'))));
  const auto vault = *Vault::FromFile(file_);
  EXPECT_FALSE(vault->Unwrap("t", vault->Wrap("s", vault->NewDataKey())).ok());
  EXPECT_FALSE(vault->Unwrap("s", "short").ok());
}

}  // namespace
}  // namespace sankofa::crypto
