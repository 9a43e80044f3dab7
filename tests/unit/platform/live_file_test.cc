#include "services/platform/crypto/live_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace sankofa::crypto {
namespace {

class LiveFileTest : public ::testing::Test {
 protected:
  LiveFileTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "live-file-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ / "key";
    Put("first");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // As whole: written beside it, and renamed.
  void Put(const std::string& text) const {
    std::ofstream(file_ + ".part") << text;
    std::filesystem::rename(file_ + ".part", file_);
  }
  // What the file says; "bad" is not wanted.
  LiveFile<std::string> Watch(const FileStamp& seen, const std::string& value) {
    return {file_, seen, std::make_shared<const std::string>(value),
            [this](const auto& /*before*/) -> std::shared_ptr<const std::string> {
              ++reads_;
              std::ostringstream text;
              text << std::ifstream(file_).rdbuf();
              return text.str() == "bad" ? nullptr
                                         : std::make_shared<const std::string>(text.str());
            }};
  }

  std::filesystem::path folder_;
  std::string file_;
  int reads_ = 0;
};

TEST_F(LiveFileTest, IsReadAgainOnlyWhenItChanged) {
  auto live = Watch(StampOf(file_), "first");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "first");
  EXPECT_EQ(reads_, 0);
  Put("second");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "second");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "second");
  EXPECT_EQ(reads_, 1);
}

TEST_F(LiveFileTest, IsLookedAtOnceASecondWhereNobodyIsInAHurry) {
  auto live = Watch(StampOf(file_), "first");
  (void)live.Current(/*look_now=*/true);
  Put("second");
  EXPECT_EQ(*live.Current(), "first");
}

TEST_F(LiveFileTest, WhatIsNotWantedOrGoneChangesNothing) {
  auto live = Watch(StampOf(file_), "first");
  Put("bad");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "first");
  Put("third");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "third");
}

TEST_F(LiveFileTest, AChangeBetweenTheStampAndTheFirstReadingIsFound) {
  const FileStamp seen = StampOf(file_);
  Put("second");
  auto live = Watch(seen, "first");
  EXPECT_EQ(*live.Current(/*look_now=*/true), "second");
}

TEST_F(LiveFileTest, WhoHoldsTheOldValueKeepsIt) {
  auto live = Watch(StampOf(file_), "first");
  const auto held = live.Current();
  Put("second");
  (void)live.Current(/*look_now=*/true);
  EXPECT_EQ(*held, "first");
}

}  // namespace
}  // namespace sankofa::crypto
