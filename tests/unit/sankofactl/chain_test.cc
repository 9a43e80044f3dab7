#include "services/sankofactl/journal/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/sankofactl/journal/lines.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Lines = std::vector<std::string>;

engine::JournalRow RowOf(const engine::StreamKey& stream, std::int64_t sequence,
                         const std::string& previous_hash) {
  engine::JournalRow row;
  row.stream = stream;
  row.sequence = sequence;
  row.partition_key = "case";
  row.event_type = "sankofa.registration.v1.CaseSubmitted";
  row.payload = absl::StrCat("\x0A\xFF", sequence);
  row.previous_hash = previous_hash;
  row.event_time = absl::FromUnixNanos(1'498'824'000'000'000'007 + sequence);
  row.actor = "s.ngono";
  row.organisation = "minrex";
  row.system = "portal";
  row.request_id = absl::StrCat("request-", sequence);
  row.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  row.hash = engine::HashOf(row);
  return row;
}

// A stream of so many rows: its head, then the rows.
Lines StreamOf(const std::string& id, int rows) {
  const engine::StreamKey stream = {"Case", id};
  std::vector<engine::JournalRow> made;
  for (int i = 1; i <= rows; ++i) {
    made.push_back(RowOf(stream, i, made.empty() ? "" : made.back().hash));
  }
  Lines lines = {
      FormatLine(StreamHead{.stream = stream, .version = rows, .last_hash = made.back().hash})};
  for (const auto& row : made) lines.push_back(FormatLine(row));
  return lines;
}

// Line 0 is the start; then the stream a with head 1 and rows 2 to 6, b with head 7 and rows 8 to 10; 11 is the end.
Lines Export(bool months_dropped = false) {
  Lines lines = {FormatLine(JournalStart{.node = "cm",
                                         .service = "registration",
                                         .exported_time = absl::UnixEpoch(),
                                         .months_dropped = months_dropped})};
  for (const Lines& stream : {StreamOf("a", 5), StreamOf("b", 3)}) {
    lines.insert(lines.end(), stream.begin(), stream.end());
  }
  lines.push_back(FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 8}));
  return lines;
}

struct Verified {
  Lines breaks;  // "MISSING Case/a #3"
  std::vector<ServiceTotals> services;
};

Verified Verify(const Lines& lines) {
  std::istringstream in(absl::StrCat(absl::StrJoin(lines, "\n"), "\n"));
  Verified verified;
  verified.services = VerifyLines(in, [&verified](const ChainBreak& found) {
    verified.breaks.push_back(absl::StrCat(NameOf(found.kind), " ", found.stream.type, "/",
                                           found.stream.id, " #", found.sequence));
  });
  return verified;
}

// The export's row with another content.
Lines With(int line, const std::function<void(engine::JournalRow&)>& change) {
  Lines lines = Export();
  auto row = std::get<engine::JournalRow>(*ParseLine(lines[line]));
  change(row);
  lines[line] = FormatLine(row);
  return lines;
}

TEST(ChainTest, AnExportThatNobodyTouchedHolds) {
  const Verified verified = Verify(Export());
  EXPECT_THAT(verified.breaks, IsEmpty());
  ASSERT_EQ(verified.services.size(), 1U);
  EXPECT_EQ(verified.services[0].service, "registration");
  EXPECT_EQ(verified.services[0].totals.streams, 2);
  EXPECT_EQ(verified.services[0].totals.rows, 8);
}

TEST(ChainTest, ASecondServiceFollowsTheFirst) {
  Lines lines = Export();
  const Lines more = Export();
  lines.insert(lines.end(), more.begin(), more.end());
  EXPECT_THAT(Verify(lines).breaks, IsEmpty());
  EXPECT_EQ(Verify(lines).services.size(), 2U);
}

TEST(ChainTest, AnAlteredPayloadIsFound) {
  EXPECT_THAT(Verify(With(4, [](auto& row) { row.payload[0] ^= 1; })).breaks,
              ElementsAre("ALTERED Case/a #3"));
}

TEST(ChainTest, AnyAlteredFieldThatTheHashCoversIsFound) {
  const std::vector<std::function<void(engine::JournalRow&)>> changes = {
      [](auto& row) { row.partition_key = "other"; },
      [](auto& row) { row.event_type = "sankofa.registration.v1.CaseAccepted"; },
      [](auto& row) { row.event_time += absl::Nanoseconds(1); },
      [](auto& row) { row.actor = "somebody.else"; },
      [](auto& row) { row.organisation = ""; },
      [](auto& row) { row.system = ""; },
      [](auto& row) { row.request_id = "another"; },
      [](auto& row) { row.payload.clear(); }};
  for (const auto& change : changes) {
    EXPECT_THAT(Verify(With(4, change)).breaks, ElementsAre("ALTERED Case/a #3"));
  }
}

TEST(ChainTest, AnAlteredRowWhoseHashWasMadeAnewIsFoundByTheNext) {
  const auto change = [](engine::JournalRow& row) {
    row.payload = "other";
    row.hash = engine::HashOf(row);
  };
  EXPECT_THAT(Verify(With(4, change)).breaks, ElementsAre("UNLINKED Case/a #4"));
  // The newest row has no next; there the aggregate's own state is the witness.
  EXPECT_THAT(Verify(With(6, change)).breaks, ElementsAre("HEAD Case/a #5"));
}

TEST(ChainTest, AChainThatWasMadeAnewFromSomewhereOnIsFoundByTheHead) {
  Lines lines = Export();
  std::string previous = std::get<engine::JournalRow>(*ParseLine(lines[3])).hash;
  for (int line = 4; line <= 6; ++line) {
    auto row = std::get<engine::JournalRow>(*ParseLine(lines[line]));
    row.payload = "other";
    row.previous_hash = previous;
    row.hash = engine::HashOf(row);
    previous = row.hash;
    lines[line] = FormatLine(row);
  }
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("HEAD Case/a #5"));
}

TEST(ChainTest, AMissingRowIsFound) {
  Lines lines = Export();
  lines.erase(lines.begin() + 4);
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("MISSING Case/a #4", "UNREADABLE / #0"));
  // Also where the end was made to agree.
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 7});
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("MISSING Case/a #4"));
}

TEST(ChainTest, AMissingBeginningIsFound) {
  Lines lines = Export();
  lines.erase(lines.begin() + 2, lines.begin() + 4);
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 6});
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("MISSING Case/a #3"));
}

TEST(ChainTest, ABeginningMayBeMissingWhereOldMonthsAreDropped) {
  Lines lines = Export(/*months_dropped=*/true);
  lines.erase(lines.begin() + 2, lines.begin() + 4);  // two of a
  lines.erase(lines.begin() + 6, lines.begin() + 9);  // all of b
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 3});
  const Verified verified = Verify(lines);
  EXPECT_THAT(verified.breaks, IsEmpty());
  EXPECT_EQ(verified.services[0].totals.shortened, 2);
  // But not the end.
  lines.erase(lines.begin() + 4);
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 2});
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("CUT Case/a #4"));
}

TEST(ChainTest, ASwappedRowIsFound) {
  Lines lines = Export();
  std::swap(lines[3], lines[4]);
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("MISSING Case/a #3", "OUT_OF_PLACE Case/a #2"));
}

TEST(ChainTest, ARowThatStandsTwiceIsFound) {
  Lines lines = Export();
  lines.insert(lines.begin() + 4, lines[4]);
  EXPECT_THAT(Verify(lines).breaks, Contains("OUT_OF_PLACE Case/a #3"));
}

TEST(ChainTest, ACutTailIsFound) {
  // The last row of a stream in the middle of the file.
  Lines inside = Export();
  inside.erase(inside.begin() + 6);
  inside.back() = FormatLine(JournalEnd{.service = "registration", .streams = 2, .rows = 7});
  EXPECT_THAT(Verify(inside).breaks, ElementsAre("CUT Case/a #4"));
  // The file, wherever it is cut: also between two streams, and in a line.
  const Lines whole = Export();
  for (std::size_t kept = 0; kept < whole.size(); ++kept) {
    Lines lines(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept));
    EXPECT_THAT(Verify(lines).breaks, Contains("UNREADABLE / #0")) << kept;
    lines.push_back(whole[kept].substr(0, whole[kept].size() / 2));
    EXPECT_THAT(Verify(lines).breaks, Contains("UNREADABLE / #0")) << kept;
  }
}

TEST(ChainTest, AMissingStreamIsFoundByTheEnd) {
  Lines lines = Export();
  lines.erase(lines.begin() + 7, lines.begin() + 11);
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("UNREADABLE / #0"));
}

TEST(ChainTest, ARowInAnotherStreamIsFound) {
  Lines lines = Export();
  std::swap(lines[4], lines[9]);
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("UNKNOWN_STREAM Case/b #2", "MISSING Case/a #4",
                                                "UNKNOWN_STREAM Case/a #3", "MISSING Case/b #3"));
}

TEST(ChainTest, RowsWithoutAnAggregateAreFoundOnce) {
  Lines lines = Export();
  lines.erase(lines.begin() + 7);
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 1, .rows = 8});
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("UNKNOWN_STREAM Case/b #1"));
}

TEST(ChainTest, AStreamThatStandsTwiceOrOutOfOrderIsFound) {
  Lines lines = Export();
  const Lines again = StreamOf("a", 5);
  lines.insert(lines.end() - 1, again.begin(), again.end());
  lines.back() = FormatLine(JournalEnd{.service = "registration", .streams = 3, .rows = 13});
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("OUT_OF_PLACE Case/a #0"));
}

TEST(ChainTest, AnAggregateThatIsBehindItsJournalIsFound) {
  Lines lines = Export();
  auto head = std::get<StreamHead>(*ParseLine(lines[1]));
  head.version = 4;
  lines[1] = FormatLine(head);
  EXPECT_THAT(Verify(lines).breaks, ElementsAre("HEAD Case/a #5"));
}

TEST(ChainTest, LinesThatAreNoneAreNamed) {
  for (const std::string& line :
       Lines{"", "text", "{}", "[]", "5", R"({"head":5})", R"({"row":{}})", R"({"other":{}})",
             R"({"end":{},"head":{}})"}) {
    Lines lines = Export();
    lines.insert(lines.begin() + 4, line);
    EXPECT_THAT(Verify(lines).breaks, ElementsAre("UNREADABLE / #0")) << line;
  }
  EXPECT_THAT(Verify({}).breaks, Not(IsEmpty()));
}

TEST(LineTest, IsWhatWasWritten) {
  engine::JournalRow row = RowOf({"Case", "é/\"\n"}, 7, std::string(32, '\0'));
  row.publish = false;
  row.payload = std::string("\0\xFF", 2);
  const auto read = ParseLine(FormatLine(row));
  ASSERT_TRUE(read.ok()) << read.status();
  const auto& same = std::get<engine::JournalRow>(*read);
  EXPECT_EQ(same.hash, row.hash);
  EXPECT_EQ(engine::HashOf(same), engine::HashOf(row));
  EXPECT_EQ(same.publish, false);
  EXPECT_EQ(same.traceparent, row.traceparent);
  EXPECT_EQ(FormatLine(same), FormatLine(row));
}

TEST(LineTest, IsReadStrictly) {
  const std::string good = FormatLine(RowOf({"Case", "a"}, 1, ""));
  ASSERT_TRUE(ParseLine(good).ok());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"sequence\":1", "\"sequence\":\"1\""},
           {"\"sequence\":1", "\"sequence\":1.0"},
           {"\"sequence\":1,", ""},
           {"\"publish\":true", "\"publish\":1"},
           {"\"publish\":true", "\"publish\":true,\"more\":1"},
           {"\"hash\":\"", "\"hash\":\"0"},
           {"\"hash\":\"", "\"hash\":\"zz"},
           {"\"payload\":\"", "\"payload\":\"*"},
           {"2017-06-30T", "2017-06-31T"},
           {"Z\"", "+00:00\""}}) {
    const std::string bad = absl::StrReplaceAll(good, {{from, to}});
    ASSERT_NE(bad, good) << from;
    EXPECT_FALSE(ParseLine(bad).ok()) << bad;
  }
}

// Members that no hash covers: how the row was traced, and whether it is published.
bool Uncovered(const std::string& line, std::size_t at) {
  const std::size_t from = line.find("\"traceparent\"");
  return from != std::string::npos && at > from;
}

RC_GTEST_PROP(ChainTest, AnyBitThatIsTurnedIsFound, ()) {
  Lines lines = Export();
  const auto line = *rc::gen::inRange<std::size_t>(1, lines.size());
  const auto at = *rc::gen::inRange<std::size_t>(0, lines[line].size());
  const auto bit = *rc::gen::inRange(0, 8);
  RC_PRE(!Uncovered(lines[line], at));
  lines[line][at] = static_cast<char>(lines[line][at] ^ (1 << bit));
  RC_ASSERT(!Verify(lines).breaks.empty());
}

RC_GTEST_PROP(ChainTest, AnyLineThatIsTakenAwayOrDoubledOrMovedIsFound, ()) {
  Lines lines = Export();
  const auto from = *rc::gen::inRange<std::size_t>(0, lines.size());
  const auto to = *rc::gen::inRange<std::size_t>(0, lines.size());
  const auto way = *rc::gen::inRange(0, 3);
  const std::string line = lines[from];
  if (way != 1) lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from));
  if (way != 0) {
    RC_PRE(way == 1 || from != to);
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(std::min(to, lines.size())), line);
  }
  RC_PRE(lines != Export());
  RC_ASSERT(!Verify(lines).breaks.empty());
}

TEST(VerifyCommandTest, PrintsWhatItFoundAndFails) {
  const testing::Folder folder;
  testing::FakeNode node;
  const auto verify = [&](const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"journal", "verify", "--file", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return testing::RunWith(node, {}, arguments);
  };
  const auto good =
      verify(folder.Write("good.jsonl", absl::StrCat(absl::StrJoin(Export(), "\n"), "\n")));
  EXPECT_EQ(good.exit_code, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("registration  2        8     0"));
  EXPECT_THAT(good.out, HasSubstr("All chains hold."));

  Lines lines = With(4, [](auto& row) { row.payload = "other"; });
  const std::string file =
      folder.Write("bad.jsonl", absl::StrCat(absl::StrJoin(lines, "\n"), "\n"));
  const auto bad = verify(file);
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.out, HasSubstr("BREAK  ALTERED  registration  Case/a #3"));
  const auto programs = verify(file, {"--json"});
  EXPECT_EQ(programs.exit_code, 1);
  EXPECT_THAT(programs.out,
              HasSubstr("{\"break\":{\"kind\":\"ALTERED\",\"service\":\"registration\","
                        "\"stream\":\"Case/a\",\"sequence\":3,"));
  EXPECT_THAT(programs.out, HasSubstr("\"streams\":2,\"rows\":8,\"breaks\":1"));

  EXPECT_EQ(verify("/nowhere").exit_code, 2);
  EXPECT_EQ(verify(file, {"--service", "funding"}).exit_code, 2);
  EXPECT_EQ(testing::RunWith(node, {}, {"journal", "verify"}).exit_code, 2);
}

}  // namespace
}  // namespace sankofa::ctl
