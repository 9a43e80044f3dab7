#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "services/sankofactl/journal/lines.h"
#include "services/sankofactl/journal/reader.h"
#include "tests/component/postgres/units.h"

// The journal of a real database: read as it stands, and whatever somebody with the right to do so changes in it.
namespace sankofa::ctl {
namespace {

using postgres::testing::Database;
using postgres::testing::TestStore;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAre;

class JournalTest : public ::testing::Test {
 protected:
  // Streams a of 3 rows, b of 2, c of 1.
  void SetUp() override {
    for (const auto& [id, rows] :
         std::vector<std::pair<std::string, int>>{{"a", 3}, {"b", 2}, {"c", 1}}) {
      for (int i = 1; i <= rows; ++i) Append(id, absl::StrCat(id, i));
    }
  }
  void Append(const std::string& id, const std::string& event) {
    const auto appended = test_.Append({"Case", id}, id, event);
    ASSERT_TRUE(appended.ok()) << appended;
  }
  // Changes what is written, as only somebody with the role's password can: past the triggers.
  void Tamper(const std::string& sql) {
    const auto done = database_.Connect()->ExecuteScript(
        absl::StrCat("begin; alter table journal disable trigger user; ", sql,
                     "; alter table journal enable trigger user; commit"));
    ASSERT_TRUE(done.ok()) << done;
  }

  struct Seen {
    std::vector<std::string> order;   // "a" a head, "a1" a row
    std::vector<std::string> breaks;  // "MISSING a #3"
    ChainVerifier::Totals totals;
    std::string lines;
  };
  Seen Read(
      int page_rows, const std::function<void()>& meanwhile = [] {}) {
    Seen seen;
    ChainVerifier verifier({.service = "test"}, [&seen](const ChainBreak& found) {
      seen.breaks.push_back(
          absl::StrCat(NameOf(found.kind), " ", found.stream.id, " #", found.sequence));
    });
    const auto connection = database_.Connect();
    const auto read =
        ReadJournal(*connection, database_.service(),
                    {.head =
                         [&](const StreamHead& head) {
                           if (seen.order.empty()) meanwhile();
                           seen.order.push_back(head.stream.id);
                           verifier.Head(head);
                           absl::StrAppend(&seen.lines, FormatLine(head), "\n");
                           return absl::OkStatus();
                         },
                     .row =
                         [&](const engine::JournalRow& row) {
                           seen.order.push_back(absl::StrCat(row.stream.id, row.sequence));
                           verifier.Row(row);
                           absl::StrAppend(&seen.lines, FormatLine(row), "\n");
                           return absl::OkStatus();
                         }},
                    page_rows);
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_TRUE(connection->idle());
    verifier.End();
    seen.totals = verifier.totals();
    return seen;
  }

  Database database_;
  TestStore test_{database_};
};

TEST_F(JournalTest, HeadsAndRowsComeInOrderWhateverTheSizeOfAPage) {
  for (const int page_rows : {1, 2, 3, 4, 6, 1000}) {
    const Seen seen = Read(page_rows);
    EXPECT_THAT(seen.order, ElementsAre("a", "a1", "a2", "a3", "b", "b1", "b2", "c", "c1"))
        << page_rows;
    EXPECT_THAT(seen.breaks, IsEmpty());
    EXPECT_EQ(seen.totals.streams, 3);
    EXPECT_EQ(seen.totals.rows, 6);
  }
}

TEST_F(JournalTest, AServiceThatGoesOnMeanwhileIsNoBreak) {
  const Seen seen = Read(1, [this] {
    Append("a", "a4");
    Append("c", "c2");
    Append("d", "d1");
  });
  EXPECT_THAT(seen.breaks, IsEmpty());
  EXPECT_EQ(seen.totals.rows, 6);
  EXPECT_EQ(Read(2).totals.rows, 9);
}

TEST_F(JournalTest, WhatWasExportedVerifiesWithoutTheDatabase) {
  const Seen seen = Read(2);
  std::istringstream in(absl::StrCat(
      FormatLine(JournalStart{.node = "cm", .service = "test", .exported_time = absl::Now()}), "\n",
      seen.lines,
      FormatLine(
          JournalEnd{.service = "test", .streams = seen.totals.streams, .rows = seen.totals.rows}),
      "\n"));
  const auto verified = VerifyLines(in, [](const ChainBreak& found) {
    ADD_FAILURE() << NameOf(found.kind) << " " << found.what;
  });
  ASSERT_EQ(verified.size(), 1U);
  EXPECT_EQ(verified[0].totals.rows, 6);
}

TEST_F(JournalTest, AnAlteredRowIsFound) {
  Tamper("update journal set actor = 'somebody.else' where id = 'a' and sequence = 2");
  EXPECT_THAT(Read(2).breaks, ElementsAre("ALTERED a #2"));
}

TEST_F(JournalTest, AMissingRowIsFound) {
  Tamper("delete from journal where id = 'a' and sequence = 2");
  EXPECT_THAT(Read(2).breaks, ElementsAre("MISSING a #3"));
}

TEST_F(JournalTest, SwappedRowsAreFound) {
  Tamper(
      "update journal set sequence = 9 where id = 'a' and sequence = 2; "
      "update journal set sequence = 2 where id = 'a' and sequence = 3; "
      "update journal set sequence = 3 where id = 'a' and sequence = 9");
  EXPECT_THAT(Read(2).breaks, IsSupersetOf({"ALTERED a #2", "ALTERED a #3"}));
}

TEST_F(JournalTest, ACutTailIsFound) {
  Tamper("delete from journal where id = 'b' and sequence = 2");
  EXPECT_THAT(Read(2).breaks, ElementsAre("CUT b #1"));
}

TEST_F(JournalTest, AStreamThatIsGoneIsFoundFromEitherSide) {
  Tamper("delete from journal where id = 'a'; delete from aggregate where id = 'b'");
  EXPECT_THAT(Read(2).breaks, UnorderedElementsAre("CUT a #0", "UNKNOWN_STREAM b #1"));
}

TEST_F(JournalTest, AStateThatWasMadeFromAnotherRowIsFound) {
  Tamper("update aggregate set last_hash = sha256('other') where id = 'c'");
  EXPECT_THAT(Read(2).breaks, ElementsAre("HEAD c #1"));
}

}  // namespace
}  // namespace sankofa::ctl
