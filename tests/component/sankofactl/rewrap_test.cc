#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/crypto/vault.h"
#include "services/sankofactl/rotate/master_key.h"
#include "tests/component/postgres/database.h"

// Subjects' keys in a real database, wrapped anew: broken off after each page, with keys destroyed and made meanwhile.
namespace sankofa::ctl {
namespace {

using postgres::testing::Database;

std::string Key(char byte) { return std::string(32, byte); }

class RewrapTest : public ::testing::Test {
 protected:
  RewrapTest() {
    crypto::MasterKeys first;
    first.master = Key('a');
    keys_ = crypto::Promoted(crypto::Prepared(first, Key('b')));
    connection_ = database_.Connect();
  }

  void Make(const std::string& subject, const crypto::Vault& vault) {
    const crypto::DataKey key = vault.NewDataKey();
    made_[subject] = std::string(key.bytes());
    const auto done = connection_->Execute(
        "insert into subject_key (subject_id, wrapped) values ($1::text, decode($2::text, 'hex'))",
        {subject, absl::BytesToHexString(vault.Wrap(subject, key))});
    ASSERT_TRUE(done.ok()) << done.status();
  }
  void MakeSome(int subjects) {
    for (int i = 0; i < subjects; ++i) Make(absl::StrCat("s", i), *old_);
  }
  void Destroy(const std::string& subject) {
    const auto done = database_.Connect()->Execute(
        "update subject_key set wrapped = null, destroyed_time = now() where subject_id = $1::text",
        {subject});
    ASSERT_TRUE(done.ok()) << done.status();
    made_.erase(subject);
  }
  // Every key that was made and not destroyed opens with `vault`, and is what it was.
  void ExpectAllOpenWith(const crypto::Vault& vault) {
    const auto rows = connection_->Execute(
        "select subject_id, encode(wrapped, 'hex') from subject_key where wrapped is not null");
    ASSERT_TRUE(rows.ok()) << rows.status();
    ASSERT_EQ(rows->rows(), static_cast<int>(made_.size()));
    for (int row = 0; row < rows->rows(); ++row) {
      const std::string subject(rows->text(row, 0));
      const auto key =
          vault.Unwrap(subject, absl::HexStringToBytes(std::string(rows->text(row, 1))));
      ASSERT_TRUE(key.ok()) << subject << ": " << key.status();
      EXPECT_EQ(key->bytes(), made_[subject]);
    }
  }

  Database database_;
  std::unique_ptr<postgres::Connection> connection_;
  crypto::MasterKeys keys_;
  std::unique_ptr<crypto::Vault> old_ = *crypto::Vault::FromBytes(Key('a'));
  std::unique_ptr<crypto::Vault> fresh_ = *crypto::Vault::FromBytes(Key('b'));
  std::map<std::string, std::string> made_;
};

TEST_F(RewrapTest, EachKeyIsWrappedAnewOnceAndStaysWhatItWas) {
  MakeSome(7);
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 7);
  const auto done = Rewrap(*connection_, keys_, nullptr, 3);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->subjects, 7);
  EXPECT_EQ(done->changed, 7);
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 0);
  ExpectAllOpenWith(*fresh_);
  const auto again = Rewrap(*connection_, keys_, nullptr, 3);
  EXPECT_EQ(again->subjects, 7);
  EXPECT_EQ(again->changed, 0);
}

TEST_F(RewrapTest, BrokenOffAfterAnyPageItGoesOnWhereItWas) {
  MakeSome(7);
  const auto all = *crypto::Vault::FromBase64(crypto::FormatMasterKeys(keys_));
  for (int pages = 1; pages <= 3; ++pages) {
    int seen = 0;
    const auto broken = Rewrap(
        *connection_, keys_,
        [&] { return ++seen < pages ? absl::OkStatus() : absl::AbortedError("killed"); }, 2);
    EXPECT_TRUE(absl::IsAborted(broken.status()));
    // In between, whoever has both keys reads everything.
    ExpectAllOpenWith(*all);
  }
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 1);
  ASSERT_TRUE(Rewrap(*connection_, keys_, nullptr, 2).ok());
  ExpectAllOpenWith(*fresh_);
}

TEST_F(RewrapTest, AKeyThatIsDestroyedMeanwhileStaysDestroyed) {
  MakeSome(6);
  Destroy("s5");
  const auto done = Rewrap(
      *connection_, keys_,
      [this] {
        if (made_.contains("s4")) Destroy("s4");
        return absl::OkStatus();
      },
      2);
  ASSERT_TRUE(done.ok()) << done.status();
  ExpectAllOpenWith(*fresh_);
  EXPECT_EQ(made_.size(), 4U);
}

TEST_F(RewrapTest, AKeyOfAProcessThatStillWrapsWithTheEarlierOneIsFound) {
  MakeSome(2);
  ASSERT_TRUE(Rewrap(*connection_, keys_).ok());
  Make("late", *old_);
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 1);
  ASSERT_TRUE(Rewrap(*connection_, keys_).ok());
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 0);
  ExpectAllOpenWith(*fresh_);
}

TEST_F(RewrapTest, AKeyThatNothingOpensIsLeftAsItIs) {
  MakeSome(1);
  Make("foreign", **crypto::Vault::FromBytes(Key('z')));
  const auto done = Rewrap(*connection_, keys_);
  EXPECT_TRUE(absl::IsFailedPrecondition(done.status()));
  EXPECT_EQ(*LeftBehind(*connection_, keys_), 2);
}

TEST(RotateMasterKey, TheFileSaysWhatComesNext) {
  crypto::MasterKeys keys;
  keys.master = Key('a');
  EXPECT_EQ(NextStep(keys), MasterKeyStep::kPrepare);
  keys = crypto::Prepared(keys, Key('b'));
  EXPECT_EQ(NextStep(keys), MasterKeyStep::kPromote);
  keys = crypto::Promoted(keys);
  EXPECT_EQ(NextStep(keys), MasterKeyStep::kRewrap);
  EXPECT_EQ(NextStep(crypto::Finished(keys)), MasterKeyStep::kPrepare);
}

}  // namespace
}  // namespace sankofa::ctl
