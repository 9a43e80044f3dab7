#include "services/platform/postgres/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/component/postgres/units.h"

namespace sankofa::postgres {
namespace {

using testing::AppendEvent;
using testing::AwaitHorizon;
using testing::Database;
using ::testing::ElementsAre;
using testing::StreamKey;
using testing::TestStore;
using testing::WriteSet;

const StreamKey& TheCase() {
  static const StreamKey made = {"Case", "c-1"};
  return made;
}

std::vector<std::string> Payloads(const absl::StatusOr<std::vector<PlacedRow>>& rows) {
  EXPECT_TRUE(rows.ok()) << rows.status();
  std::vector<std::string> payloads;
  for (const PlacedRow& row : *rows) payloads.push_back(row.row.payload);
  return payloads;
}

// A database with a store, and the journal through a connection of its own.
class JournalTest : public ::testing::Test {
 protected:
  void Append(const StreamKey& stream, const std::string& key, const std::string& event) {
    const absl::Status appended = test_.Append(stream, key, event);
    ASSERT_TRUE(appended.ok()) << appended;
  }
  // A row that was recorded long ago, as a direct insert: inserting is all that is allowed.
  void AppendOld(const std::string& id, const std::string& recorded_time) {
    auto inserted = connection_->Execute(
        "insert into journal (type, id, sequence, partition_key, shard, event_type, payload, "
        "previous_hash, hash, event_time_nanos, recorded_time, actor, organisation, system, "
        "request_id, traceparent, publish) values ('Old', $1::text, 1, $1::text, $3::smallint, "
        "'e', "
        "convert_to($1::text, 'UTF8'), '', '', 0, $2::timestamptz, '', '', '', '', '', true)",
        {id, recorded_time, absl::StrCat(ShardOf(id))});
    ASSERT_TRUE(inserted.ok()) << inserted.status();
  }
  // What the relay would read.
  absl::StatusOr<std::vector<PlacedRow>> ReadShard(JournalPosition after, int limit) {
    AwaitHorizon(*connection_, database_.service());
    return journal_.ReadShard(shard_, after, limit);
  }
  absl::StatusOr<std::vector<PlacedRow>> ReadPartitionKey(JournalPosition after, int limit) {
    AwaitHorizon(*connection_, database_.service());
    return journal_.ReadPartitionKey("c-1", after, limit);
  }
  std::string Months(const std::string& parent) {
    return database_.Value(
        "select string_agg(substr(c.relname, length('" + parent +
        "') + 2), ' ' order by c.relname) "
        "from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = '" +
        parent + "'::regclass and c.relname !~ 'default'");
  }

  Database database_;
  TestStore test_{database_};
  std::unique_ptr<Connection> connection_ = database_.Connect();
  Journal journal_{*connection_, database_.service()};
  const int shard_ = ShardOf("c-1");
};

TEST_F(JournalTest, AShardIsReadInOrderFromACursor) {
  for (int i = 1; i <= 5; ++i) Append(TheCase(), "c-1", absl::StrCat(i));
  const auto first = ReadShard({}, 2);
  EXPECT_THAT(Payloads(first), ElementsAre("1", "2"));
  EXPECT_THAT(Payloads(ReadShard(first->back().at, 10)), ElementsAre("3", "4", "5"));
  EXPECT_EQ(first->front().row.hash, engine::HashOf(first->front().row));
  EXPECT_LT(absl::AbsDuration(absl::Now() - first->front().recorded_time), absl::Minutes(5));
  // Other shards have nothing of it.
  EXPECT_THAT(Payloads(journal_.ReadShard(shard_ + 1, {}, 10)), ElementsAre());
}

TEST_F(JournalTest, RowsOfOneTransactionKeepTheOrderInWhichTheyWereDecided) {
  const auto session = test_.Open();
  const auto loaded = session->Load({.streams = {TheCase()}});
  ASSERT_TRUE(loaded.ok());
  WriteSet writes;
  std::vector<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    const StreamKey stream = {"Case", absl::StrCat("c-", (i * 7919) % 1000)};
    expected.push_back(absl::StrCat("e", i));
    AppendEvent(*loaded, stream, "c-1", expected.back(), writes);
  }
  ASSERT_TRUE(session->Commit(writes).ok());
  EXPECT_THAT(Payloads(ReadShard({}, 1000)), ::testing::ElementsAreArray(expected));
}

TEST_F(JournalTest, RowsNotForPublishingAreLeftOutOfAShard) {
  const auto session = test_.Open();
  const auto loaded = session->Load({.streams = {TheCase()}});
  WriteSet writes;
  AppendEvent(*loaded, TheCase(), "c-1", "internal", writes);
  writes.journal[0].publish = false;
  ASSERT_TRUE(session->Commit(writes).ok());
  Append(TheCase(), "c-1", "public");
  EXPECT_THAT(Payloads(ReadShard({}, 10)), ElementsAre("public"));
  EXPECT_THAT(Payloads(ReadPartitionKey({}, 10)), ElementsAre("internal", "public"));
}

// A transaction that began to write before, and has not ended, may still commit a row with a lower
// id.
TEST_F(JournalTest, NothingIsReadBeyondTheOldestRunningTransaction) {
  Append(TheCase(), "c-1", "before");
  AwaitHorizon(*connection_, database_.service());
  const auto slow = database_.ConnectAdmin();
  ASSERT_TRUE(slow->ExecuteScript("begin; select pg_current_xact_id()").ok());
  Append(TheCase(), "c-1", "after");
  EXPECT_THAT(Payloads(journal_.ReadShard(shard_, {}, 10)), ElementsAre("before"));
  EXPECT_THAT(Payloads(journal_.ReadPartitionKey("c-1", {}, 10)), ElementsAre("before"));
  // It is counted all the same, so that it is seen to wait.
  const auto waiting = journal_.CountUnpublished(shard_, {});
  ASSERT_TRUE(waiting.ok());
  EXPECT_EQ(waiting->rows, 2);
  const auto age = journal_.HorizonAge();
  ASSERT_TRUE(age.ok()) << age.status();
  EXPECT_GT(*age, absl::ZeroDuration());
  ASSERT_TRUE(slow->ExecuteScript("rollback").ok());
  EXPECT_THAT(Payloads(ReadShard({}, 10)), ElementsAre("before", "after"));
}

TEST_F(JournalTest, AShardHasOneOwner) {
  const auto other_connection = database_.Connect();
  Journal other(*other_connection, database_.service());
  EXPECT_TRUE(*journal_.OwnShard(1));
  EXPECT_TRUE(*journal_.OwnShard(1));
  EXPECT_FALSE(*other.OwnShard(1));
  EXPECT_TRUE(*other.OwnShard(2));
  EXPECT_EQ(other.SaveProgress(1, {.cursor = {5, 5}}).code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(journal_.ReleaseShard(1).ok());
  EXPECT_TRUE(*other.OwnShard(1));
  EXPECT_FALSE(*journal_.OwnShard(1));
}

TEST_F(JournalTest, OwnershipEndsWithTheSession) {
  ASSERT_TRUE(*journal_.OwnShard(1));
  database_.EndSessions();
  EXPECT_EQ(journal_.SaveProgress(1, {.cursor = {5, 5}}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(journal_.OwnShard(1).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(journal_.SaveProgress(1, {.cursor = {5, 5}}).code(),
            absl::StatusCode::kFailedPrecondition);
  const auto other_connection = database_.Connect();
  Journal other(*other_connection, database_.service());
  EXPECT_TRUE(*other.OwnShard(1));
  EXPECT_EQ(other.LoadProgress(1)->cursor, JournalPosition());
}

TEST_F(JournalTest, WhatWasPublishedIsCountedByTopic) {
  ASSERT_TRUE(*journal_.OwnShard(1));
  ASSERT_TRUE(journal_.SaveProgress(1, {.cursor = {7, 7}, .topics = {{"a", 3}, {"b", 4}}}).ok());
  ASSERT_TRUE(journal_.SaveProgress(1, {.cursor = {7, 8}, .topics = {{"b", 0}}}).ok());
  const auto progress = journal_.LoadProgress(1);
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_THAT(progress->topics, ElementsAre(::testing::Pair("a", 3), ::testing::Pair("b", 0)));
  EXPECT_TRUE(journal_.LoadProgress(2)->topics.empty());
}

TEST_F(JournalTest, ProgressIsSavedAndNeverGoesBack) {
  ASSERT_TRUE(*journal_.OwnShard(1));
  const absl::Time since = absl::FromUnixSeconds(1'500'000'000);
  ASSERT_TRUE(journal_
                  .SaveProgress(1, {.cursor = {7, 3},
                                    .park = {{"c-1", {6, 1}, "TOO_LARGE", 1, since},
                                             {"c-2", {6, 2}, "TOO_LARGE", 1, since}}})
                  .ok());
  ASSERT_TRUE(journal_
                  .SaveProgress(1, {.cursor = {6, 9},
                                    .park = {{"c-2", {7, 1}, "TOO_LARGE", 4, since}},
                                    .unpark = {"c-1"}})
                  .ok());
  const auto progress = journal_.LoadProgress(1);
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->cursor, (JournalPosition{7, 3}));
  ASSERT_EQ(progress->parked.size(), 1);
  EXPECT_EQ(progress->parked[0].partition_key, "c-2");
  EXPECT_EQ(progress->parked[0].at, (JournalPosition{7, 1}));
  EXPECT_EQ(progress->parked[0].attempts, 4);
  EXPECT_EQ(progress->parked[0].since, since);
  EXPECT_EQ(journal_.LoadProgress(2)->cursor, JournalPosition());
}

TEST_F(JournalTest, AParkedKeyIsReadBetweenTwoPlaces) {
  for (int i = 1; i <= 4; ++i) {
    Append(TheCase(), "c-1", absl::StrCat(i));
    Append({"Case", "c-2"}, "c-2", "other");
  }
  const auto all = ReadPartitionKey({}, 10);
  ASSERT_EQ(all->size(), 4);
  EXPECT_THAT(Payloads(journal_.ReadParked("c-1", (*all)[1].at, (*all)[2].at, 10)),
              ElementsAre("2", "3"));
  EXPECT_THAT(Payloads(journal_.ReadParked("c-1", (*all)[1].at, (*all)[3].at, 2)),
              ElementsAre("2", "3"));
}

TEST_F(JournalTest, AllStreamsOfAPartitionKeyComeInTheOrderOfTheJournal) {
  Append(TheCase(), "c-1", "case 1");
  Append({"Grant", "g-1"}, "c-1", "grant 1");
  Append(TheCase(), "c-1", "case 2");
  const auto rows = ReadPartitionKey({}, 2);
  EXPECT_THAT(Payloads(rows), ElementsAre("case 1", "grant 1"));
  EXPECT_THAT(Payloads(ReadPartitionKey(rows->back().at, 10)), ElementsAre("case 2"));
  const auto stream = journal_.ReadStream(TheCase(), 2, 10);
  ASSERT_TRUE(stream.ok());
  ASSERT_EQ(stream->size(), 1);
  EXPECT_EQ(stream->front().payload, "case 2");
}

TEST_F(JournalTest, AllChainsCanBeVerifiedPageByPage) {
  for (int i = 0; i < 30; ++i) {
    const std::string id = absl::StrCat("c-", i % 4);
    Append({"Case", id}, id, absl::StrCat(i));
  }
  StreamKey stream;
  std::int64_t sequence = 0;
  std::string last_hash;
  int rows = 0;
  for (;;) {
    const auto page = journal_.ReadAllStreams(stream, sequence, 7);
    ASSERT_TRUE(page.ok()) << page.status();
    if (page->empty()) break;
    for (const engine::JournalRow& row : *page) {
      const bool same = row.stream == stream;
      EXPECT_EQ(row.sequence, same ? sequence + 1 : 1);
      EXPECT_EQ(row.previous_hash, same ? last_hash : "");
      EXPECT_EQ(row.hash, engine::HashOf(row));
      stream = row.stream;
      sequence = row.sequence;
      last_hash = row.hash;
      ++rows;
    }
  }
  EXPECT_EQ(rows, 30);
}

TEST_F(JournalTest, CanOnlyBeAddedTo) {
  Append(TheCase(), "c-1", "e");
  const std::string month = database_.Value("select tableoid::regclass from journal");
  AppendOld("stray", "1999-01-01 00:00:00+00");
  for (const std::string& table : {std::string("journal"), month, std::string("journal_default")}) {
    for (const std::string verb : {"update $ set actor = 'x'", "delete from $", "truncate $"}) {
      std::string sql = verb;
      sql.replace(sql.find('$'), 1, table);
      EXPECT_EQ(SqlStateOf(connection_->Execute(sql).status()), "42501") << sql;
    }
  }
  EXPECT_EQ(database_.Number("select count(*) from journal"), 2);
}

TEST_F(JournalTest, MonthsAreMadeAhead) {
  const std::string expected = database_.Value(
      "select string_agg(to_char(date_trunc('month', now() at time zone 'UTC') + "
      "make_interval(months => n), 'YYYY\"m\"MM'), ' ' order by n) from generate_series(0, 3) n");
  EXPECT_EQ(Months("journal"), expected);
  EXPECT_EQ(Months("answer"), expected);
  const auto again = MaintainPartitions(*connection_, {});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->partitions_made, 0);
  Append(TheCase(), "c-1", "e");
  EXPECT_EQ(database_.Value("select tableoid::regclass from journal"),
            "journal_" + expected.substr(0, 7));
  EXPECT_EQ(MaintainPartitions(*connection_, {.months_ahead = 5})->partitions_made, 4);
}

// Maintenance came late: rows went to the default partition and are moved when their month is made.
TEST_F(JournalTest, RowsWithoutAMonthAreMovedToIt) {
  const std::string far = database_.Value(
      "select date_trunc('month', now() at time zone 'UTC') + interval '5 months 3 days'");
  AppendOld("far", far + "+00");
  AppendOld("ancient", "1999-01-01 00:00:00+00");
  EXPECT_EQ(database_.Number("select count(*) from journal_default"), 2);
  const std::string place =
      database_.Value("select xid || ' ' || position from journal where id = 'far'");
  ASSERT_EQ(MaintainPartitions(*connection_, {.months_ahead = 6})->partitions_made, 6);
  EXPECT_EQ(database_.Value("select id from journal_default"), "ancient");
  EXPECT_EQ(database_.Number("select count(*) from journal"), 2);
  EXPECT_EQ(database_.Value("select xid || ' ' || position from journal where id = 'far'"), place);
  // All is guarded as before.
  for (const std::string sql :
       {"delete from journal_default", "delete from journal", "update journal set actor = 'x'"}) {
    EXPECT_EQ(SqlStateOf(connection_->Execute(sql).status()), "42501") << sql;
  }
  Append(TheCase(), "c-1", "goes on");
}

TEST_F(JournalTest, OldMonthsAreDroppedOnceTheyArePublished) {
  ASSERT_TRUE(connection_->Execute("select create_month('journal', '2020-01-01')").ok());
  ASSERT_TRUE(connection_->Execute("select create_month('journal', '2020-02-01')").ok());
  AppendOld("old", "2020-01-15 00:00:00+00");
  Append(TheCase(), "c-1", "new");
  const int shard = ShardOf("old");
  const Retention retention = {.journal = absl::Hours(24 * 30), .months_ahead = 0};
  const auto dropped = [&] {
    return MaintainPartitions(*connection_, retention)->journal_months_dropped;
  };

  // Kept for ever unless somebody says otherwise.
  EXPECT_EQ(MaintainPartitions(*connection_, {})->journal_months_dropped, 0);
  // February is empty; January waits for the relay.
  EXPECT_EQ(dropped(), 1);
  AwaitHorizon(*connection_, database_.service());
  const JournalPosition at = journal_.ReadShard(shard, {}, 1)->front().at;
  ASSERT_TRUE(*journal_.OwnShard(shard));
  ASSERT_TRUE(
      journal_
          .SaveProgress(shard, {.cursor = at, .park = {{"old", at, "TOO_LARGE", 1, absl::Now()}}})
          .ok());
  EXPECT_EQ(dropped(), 0);
  ASSERT_TRUE(journal_.SaveProgress(shard, {.cursor = at, .unpark = {"old"}}).ok());
  EXPECT_EQ(dropped(), 1);
  EXPECT_EQ(database_.Value("select string_agg(convert_from(payload, 'UTF8'), ' ') from journal"),
            "new");
}

TEST_F(JournalTest, OldAnswersAreDropped) {
  ASSERT_TRUE(connection_->Execute("select create_month('answer', '2020-01-01')").ok());
  ASSERT_TRUE(connection_
                  ->Execute("insert into answer values ('r-1', '', 't', '', now(), "
                            "'2020-01-15 00:00:00+00'), ('r-2', '', 't', '', '2017-01-01', now())")
                  .ok());
  EXPECT_EQ(MaintainPartitions(*connection_, {.answers = std::nullopt})->answer_months_dropped, 0);
  EXPECT_EQ(MaintainPartitions(*connection_, {})->answer_months_dropped, 1);
  // What counts is when it was given, not the time of the scenario.
  EXPECT_EQ(database_.Value("select request_id from answer"), "r-2");
}

TEST_F(JournalTest, DeadLettersWaitUntilTheyAreClosed) {
  const auto session = test_.Open();
  ASSERT_TRUE(session->Load({}).ok());
  WriteSet writes;
  for (int i = 1; i <= 3; ++i) {
    writes.dead_letters.push_back({.from = {"registration", {"Case", "c-9"}},
                                   .sequence = i,
                                   .partition_key = "c-9",
                                   .event_type = "sankofa.registration.v1.CaseSubmitted",
                                   .payload = std::string("\0p", 2),
                                   .event_time = absl::FromUnixNanos(5),
                                   .traceparent = "00-1",
                                   .reason = "UNKNOWN_EVENT_TYPE",
                                   .detail = "upgrade"});
  }
  ASSERT_TRUE(session->Commit(writes).ok());
  const auto letters = journal_.DeadLetters("waiting", 0, 2);
  ASSERT_TRUE(letters.ok()) << letters.status();
  ASSERT_EQ(letters->size(), 2);
  const Letter& first = letters->front();
  EXPECT_EQ(first.dead.from.stream.id, "c-9");
  EXPECT_EQ(first.dead.payload, writes.dead_letters[0].payload);
  EXPECT_EQ(first.dead.event_time, absl::FromUnixNanos(5));
  EXPECT_EQ(first.dead.reason, "UNKNOWN_EVENT_TYPE");
  EXPECT_EQ(first.closed_time, absl::InfinitePast());
  EXPECT_EQ(*journal_.CountDeadLetters(), 3);

  ASSERT_TRUE(journal_.CloseDeadLetter(first.letter, "replayed").ok());
  EXPECT_TRUE(absl::IsNotFound(journal_.CloseDeadLetter(first.letter, "discarded")));
  EXPECT_FALSE(journal_.CloseDeadLetter(letters->back().letter, "forgotten").ok());
  EXPECT_EQ(*journal_.CountDeadLetters(), 2);
  EXPECT_EQ(journal_.DeadLetters("waiting", first.letter, 10)->size(), 2);
  EXPECT_EQ(journal_.DeadLetters("replayed", 0, 10)->size(), 1);
  EXPECT_EQ(journal_.DeadLetters("", 0, 10)->size(), 3);
}

// A dump was restored into a server that has not come to the transaction ids of the dump.
TEST_F(JournalTest, ARestoredJournalIsPutInOrder) {
  const auto restored = [&](const std::string& id, const std::string& xid) {
    ASSERT_TRUE(connection_
                    ->Execute("insert into journal select 'Old', $1::text, 1, 'c-1', $3::smallint, "
                              "$2::xid8, nextval('journal_position'), 'e', convert_to($1::text, "
                              "'UTF8'), '', '', 0, now(), '', '', '', '', '', true",
                              {id, xid, absl::StrCat(shard_)})
                    .ok());
  };
  restored("2", "900000000002");
  restored("1", "900000000001");
  restored("4", "900000000004");
  restored("3", "900000000003");
  ASSERT_TRUE(connection_
                  ->Execute("insert into relay_cursor select $1::smallint, xid, position "
                            "from journal where id = '2'",
                            {absl::StrCat(shard_)})
                  .ok());
  // As it stands, the relay finds nothing: all ids are of the future.
  const JournalPosition stuck = journal_.LoadProgress(shard_)->cursor;
  EXPECT_THAT(Payloads(journal_.ReadShard(shard_, stuck, 10)), ElementsAre());

  // Done by every start.
  ASSERT_TRUE(Migrate(database_.options(), database_.service(), {}).ok());
  const JournalPosition cursor = journal_.LoadProgress(shard_)->cursor;
  Append(TheCase(), "c-1", "new");
  const auto rows = Payloads(ReadShard({}, 10));
  EXPECT_THAT(rows, ElementsAre("1", "2", "3", "4", "new"));
  EXPECT_THAT(Payloads(ReadShard(cursor, 10)), ElementsAre("3", "4", "new"));
  EXPECT_EQ(SqlStateOf(connection_->Execute("delete from journal").status()), "42501");
  // Once is enough.
  ASSERT_TRUE(Migrate(database_.options(), database_.service(), {}).ok());
  EXPECT_EQ(journal_.LoadProgress(shard_)->cursor, cursor);
}

}  // namespace
}  // namespace sankofa::postgres
