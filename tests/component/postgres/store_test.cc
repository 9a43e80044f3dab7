#include "services/platform/postgres/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/platform/status/refuse.h"
#include "tests/component/postgres/units.h"

namespace sankofa::postgres {
namespace {

using engine::InboxStream;
using engine::StateWrite;
using engine::Table;
using testing::AppendEvent;
using testing::Database;
using testing::Loaded;
using testing::LoadRequest;
using testing::StreamKey;
using testing::TestStore;
using testing::WriteSet;

const StreamKey& TheCase() {
  static const StreamKey made = {"Case", "c-1"};
  return made;
}

const std::vector<service::Migration>& Tables() {
  static const std::vector<service::Migration> made = {
      {"0001_tables.sql",
       "create table household (owner_id text not null, ordinal int not null, label text, due "
       "date, "
       "amount bigint, notes jsonb, primary key (owner_id, ordinal));"
       "create table visit (owner_id text not null, seen timestamptz not null, score int);"}};
  return made;
}

const Table& Household() {
  static const Table made = {.name = "household",
                             .columns = {"label", "due", "amount", "notes"},
                             .types = {"text", "date", "bigint", "jsonb"}};
  return made;
}

const Table& Visit() {
  static const Table made = {.name = "visit",
                             .columns = {"seen", "score"},
                             .types = {"timestamptz", "int"},
                             .mode = Table::Mode::kAppend};
  return made;
}

// Everything that a unit of work can write.
WriteSet Everything(const Loaded& loaded) {
  WriteSet writes;
  AppendEvent(loaded, TheCase(), "c-1", std::string("\0\xff first", 8), writes);
  StateWrite& state = writes.states.back();
  state.table = &Household();
  state.rows = {{{"a", "2017-06-30", "5", "{\"x\": 1}"}},
                {{"b", std::nullopt, "-5", std::nullopt}}};
  state.due = absl::FromUnixSeconds(1'500'000'000);
  state.due_command_type = "sankofa.test.v1.Expire";
  state.due_command = std::string("\0due", 4);
  writes.appends = {{&Visit(), "c-1", {{{"2017-06-30 12:00:00+00", "7"}}}}};
  writes.answers = {{"r-1", std::string("\0print", 6), "sankofa.test.v1.Case",
                     std::string("answer\0", 7), absl::FromUnixMicros(1'500'000'000'123'456)}};
  writes.new_keys = {{"p-1", std::string("wrapped\0", 8)}};
  writes.destroyed_keys = {"p-2"};
  writes.marks = {{{"registration", {"Case", "c-9"}}, 7}};
  writes.dead_letters = {{.from = {"registration", {"Case", "c-9"}},
                          .sequence = 7,
                          .partition_key = "c-9",
                          .event_type = "sankofa.registration.v1.Unheard",
                          .payload = std::string("\0odd", 4),
                          .event_time = absl::FromUnixNanos(1),
                          .reason = "UNKNOWN_EVENT_TYPE"}};
  return writes;
}

// The number of rows in all tables that a unit of work writes.
std::int64_t RowsIn(const Database& database) {
  return database.Number(
      "select (select count(*) from aggregate) + (select count(*) from journal) + (select count(*) "
      "from answer) + (select count(*) from subject_key) + (select count(*) from inbox_mark) + "
      "(select count(*) from dead_letter) + (select count(*) from household) + (select count(*) "
      "from visit)");
}

constexpr std::int64_t kRowsOfEverything = 10;

const LoadRequest& LoadOfAll() {
  static const LoadRequest made = {.streams = {TheCase(), {"Case", "c-2"}},
                                   .request_ids = {"r-1", "r-2"},
                                   .inbox = {{"registration", {"Case", "c-9"}}}};
  return made;
}

TEST(Store, LoadsWhatWasCommitted) {
  const Database database(Tables());
  TestStore test(database);
  const auto session = test.Open();
  const auto empty = session->Load(LoadOfAll());
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->streams.empty() && empty->answers.empty() && empty->marks.empty());
  const WriteSet writes = Everything(*empty);
  ASSERT_TRUE(session->Commit(writes).ok());

  const auto loaded = session->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->streams.size(), 1);
  EXPECT_EQ(loaded->streams.at(TheCase()).version, 1);
  EXPECT_EQ(loaded->streams.at(TheCase()).state, writes.states[0].stored.state);
  EXPECT_EQ(loaded->streams.at(TheCase()).last_hash, writes.journal[0].hash);
  ASSERT_EQ(loaded->answers.size(), 1);
  const engine::Answer& answer = loaded->answers.at("r-1");
  EXPECT_EQ(answer.fingerprint, writes.answers[0].fingerprint);
  EXPECT_EQ(answer.type, writes.answers[0].type);
  EXPECT_EQ(answer.bytes, writes.answers[0].bytes);
  EXPECT_EQ(answer.time, writes.answers[0].time);
  EXPECT_EQ(loaded->marks, writes.marks);

  const auto keys = session->LoadKeys({"p-1", "p-2", "p-3"});
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2);
  EXPECT_EQ(keys->at("p-1").wrapped, writes.new_keys[0].wrapped);
  EXPECT_EQ(keys->at("p-2").wrapped, "");
  session->Rollback();

  const auto rows = session->ReadStream(TheCase(), 1, 10);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 1);
  // The hash covers the fields to the nanosecond.
  EXPECT_EQ(engine::HashOf(rows->front()), writes.journal[0].hash);
  EXPECT_EQ(rows->front().hash, writes.journal[0].hash);
  EXPECT_EQ(rows->front().traceparent, writes.journal[0].traceparent);
  EXPECT_EQ(rows->front().publish, true);

  const auto letter = database.Connect()->Execute(Statement{
      .sql = "select payload, reason, state from dead_letter", .params = {}, .binary_rows = true});
  ASSERT_TRUE(letter.ok());
  EXPECT_EQ(letter->bytes(0, 0), writes.dead_letters[0].payload);
  EXPECT_EQ(letter->text(0, 2), "waiting");
}

TEST(Store, ReadsAStreamOrAPartitionKeyInOrder) {
  const Database database;
  TestStore test(database);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(test.Append({"Case", "c-1"}, "c-1", absl::StrCat("case ", i)).ok());
    ASSERT_TRUE(test.Append({"Grant", "g-1"}, "c-1", absl::StrCat("grant ", i)).ok());
    ASSERT_TRUE(test.Append({"Case", "c-2"}, "c-2", "other").ok());
  }
  const auto session = test.Open();
  const auto payloads = [&](const StreamKey& stream, std::int64_t from, int limit) {
    std::vector<std::string> all;
    const auto rows = session->ReadStream(stream, from, limit);
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const auto& row : *rows) all.push_back(row.payload);
    return all;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(payloads({"Case", "c-1"}, 2, 10), ElementsAre("case 2", "case 3"));
  EXPECT_THAT(payloads({"Case", "c-1"}, 1, 1), ElementsAre("case 1"));
  EXPECT_THAT(payloads({"", "c-1"}, 1, 10),
              ElementsAre("case 1", "grant 1", "case 2", "grant 2", "case 3", "grant 3"));
  EXPECT_THAT(payloads({"Case", "c-3"}, 1, 10), ElementsAre());
}

// Each of these makes one statement of the commit fail; nothing of the others may stay.
TEST(Store, ACommitIsAllOrNothing) {
  const Database database(Tables());
  TestStore test(database, 1);
  const auto session = test.Open();
  static const Table kMissing = {.name = "missing", .columns = {"x"}, .types = {"text"}};
  const std::vector<std::function<void(WriteSet&)>> faults = {
      [](WriteSet& w) { w.states[0].stored.version = 0; },          // check of aggregate
      [](WriteSet& w) { w.journal[0].sequence = 0; },               // check of journal
      [](WriteSet& w) { w.journal.push_back(w.journal[0]); },       // the same sequence twice
      [](WriteSet& w) { w.journal[0].actor = std::string(1, 0); },  // not text
      [](WriteSet& w) { w.answers.push_back(w.answers[0]); },       // the same answer twice
      [](WriteSet& w) { w.states[0].rows[1].values[1] = "soon"; },  // no date
      [](WriteSet& w) { w.appends[0].rows[0].values[0].reset(); },  // not null
      [](WriteSet& w) { w.states[0].table = &kMissing, w.states[0].rows = {{{"x"}}}; },
      [](WriteSet& w) { w.new_keys.push_back(w.new_keys[0]); },  // two keys for one subject
      [](WriteSet& w) { w.marks.begin()->second = 0; },          // check of inbox_mark
      [](WriteSet& w) { w.dead_letters[0].reason.push_back('\xff'); },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const auto loaded = session->Load(LoadOfAll());
    ASSERT_TRUE(loaded.ok()) << i << loaded.status();
    WriteSet writes = Everything(*loaded);
    faults[i](writes);
    const absl::Status failed = session->Commit(writes);
    EXPECT_EQ(failed.code(), absl::StatusCode::kInternal) << i << failed;
    EXPECT_EQ(RowsIn(database), 0) << i;
  }
  // The connection is as good as before, and the locks are free.
  const auto loaded = session->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_TRUE(session->Commit(Everything(*loaded)).ok());
  EXPECT_EQ(RowsIn(database), kRowsOfEverything);
}

// No error says what a person is called.
TEST(Store, ErrorsDoNotTellValues) {
  const Database database(Tables());
  TestStore test(database);
  const auto session = test.Open();
  const auto loaded = session->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok());
  WriteSet writes = Everything(*loaded);
  writes.states[0].rows[0].values[1] = "Kofi Mensah";
  const absl::Status failed = session->Commit(writes);
  EXPECT_EQ(SqlStateOf(failed), "22007");
  EXPECT_THAT(failed.ToString(), ::testing::Not(::testing::HasSubstr("Kofi")));
}

TEST(Store, AProjectionIsReplacedAndOnlyWhatChangedIsWritten) {
  const Database database(Tables());
  TestStore test(database);
  const auto session = test.Open();
  const auto write = [&](const StreamKey& stream, std::vector<engine::Row> rows) {
    const auto loaded = session->Load({.streams = {stream}});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    WriteSet writes;
    AppendEvent(*loaded, stream, stream.id, "e", writes);
    writes.states[0].table = &Household();
    writes.states[0].rows = std::move(rows);
    const absl::Status committed = session->Commit(writes);
    ASSERT_TRUE(committed.ok()) << committed;
  };
  const auto row = [](const char* label) {
    return engine::Row{{label, std::nullopt, std::nullopt, "{\"k\": [1]}"}};
  };
  const auto labels = [&] {
    return database.Value(
        "select coalesce(string_agg(owner_id || ordinal || label, ' ' order by owner_id, ordinal), "
        "'') from household");
  };
  const auto place = [&] {
    return database.Value("select ctid from household where owner_id = 'c-1' and ordinal = 0");
  };
  write(TheCase(), {row("a"), row("b"), row("c")});
  write({"Case", "c-2"}, {row("z")});
  EXPECT_EQ(labels(), "c-10a c-11b c-12c c-20z");
  const std::string before = place();
  write(TheCase(), {row("a"), row("x")});
  EXPECT_EQ(labels(), "c-10a c-11x c-20z");
  EXPECT_EQ(place(), before);
  write(TheCase(), {row("y")});
  EXPECT_EQ(labels(), "c-10y c-20z");
  EXPECT_NE(place(), before);
  write(TheCase(), {});
  EXPECT_EQ(labels(), "c-20z");
}

TEST(Store, AppendedRowsStay) {
  const Database database(Tables());
  TestStore test(database);
  const auto session = test.Open();
  for (int i = 0; i < 2; ++i) {
    const auto loaded = session->Load({.streams = {TheCase()}});
    ASSERT_TRUE(loaded.ok());
    WriteSet writes;
    AppendEvent(*loaded, TheCase(), "c-1", "e", writes);
    writes.appends = {{&Visit(), "c-1", {{{TimeText(absl::FromUnixSeconds(i)), std::nullopt}}}},
                      {&Visit(), "c-1", {{{TimeText(absl::FromUnixSeconds(9)), "3"}}}}};
    ASSERT_TRUE(session->Commit(writes).ok());
  }
  EXPECT_EQ(database.Value("select string_agg(extract(epoch from seen)::int || coalesce(':' || "
                           "score, ''), ' ' order by seen) from visit"),
            "0 1 9:3 9:3");
}

TEST(Store, ADeadlineGoesWithTheStateThatSetIt) {
  const Database database;
  TestStore test(database);
  const auto session = test.Open();
  const auto write = [&](const std::string& id, std::optional<absl::Time> due) {
    const StreamKey key = {"Case", id};
    const auto loaded = session->Load({.streams = {key}});
    ASSERT_TRUE(loaded.ok());
    WriteSet writes;
    AppendEvent(*loaded, key, id, "e", writes);
    writes.states[0].due = due;
    writes.states[0].due_command_type = due ? "sankofa.test.v1.Expire" : "";
    writes.states[0].due_command = due ? "x" : "";
    ASSERT_TRUE(session->Commit(writes).ok());
  };
  const absl::Time noon = absl::FromUnixSeconds(1'500'000'000);
  write("late", noon + absl::Seconds(2));
  write("early", noon);
  write("never", std::nullopt);
  const auto due = [&](absl::Time now, int limit) {
    std::vector<std::string> ids;
    const auto commands = session->Due(now, limit);
    EXPECT_TRUE(commands.ok()) << commands.status();
    for (const auto& command : *commands) {
      ids.push_back(absl::StrCat(command.stream.id, "@", command.version));
      EXPECT_EQ(command.command, "x");
      EXPECT_EQ(command.command_type, "sankofa.test.v1.Expire");
    }
    return ids;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(due(noon - absl::Microseconds(1), 10), ElementsAre());
  EXPECT_THAT(due(noon, 10), ElementsAre("early@1"));
  EXPECT_THAT(due(absl::InfiniteFuture(), 10), ElementsAre("early@1", "late@1"));
  EXPECT_THAT(due(absl::InfiniteFuture(), 1), ElementsAre("early@1"));
  write("early", noon + absl::Seconds(5));
  write("late", std::nullopt);
  EXPECT_THAT(due(absl::InfiniteFuture(), 10), ElementsAre("early@2"));
}

// Two units of work that name one thing wait for each other: a stream, a request id, an inbox
// stream, a subject. None of them exists yet.
class StoreLocks : public ::testing::TestWithParam<int> {};

TEST_P(StoreLocks, TheSecondSeesWhatTheFirstCommitted) {
  const Database database(Tables());
  TestStore test(database);
  const std::vector<LoadRequest> loads = {
      {.streams = {TheCase()}},
      {.streams = {{"Case", "c-2"}}, .request_ids = {"r-1"}},
      {.streams = {{"Case", "c-3"}}, .inbox = {{"registration", {"Case", "c-9"}}}},
      {.streams = {{"Case", "c-4"}}}};
  const LoadRequest& load = loads[static_cast<std::size_t>(GetParam())];
  const bool subject = GetParam() == 3;

  const auto first = test.Open();
  const auto loaded = first->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(first->LoadKeys({"p-1"}).ok());

  absl::StatusOr<Loaded> seen = absl::UnknownError("");
  std::size_t keys = 0;
  std::thread second([&] {
    const auto session = test.Open();
    seen = session->Load(load);
    if (!subject) return;
    const auto loaded_keys = session->LoadKeys({"p-1"});
    keys = loaded_keys.ok() ? loaded_keys->size() : 99;
  });
  database.AwaitBlocked();
  ASSERT_TRUE(first->Commit(Everything(*loaded)).ok());
  second.join();
  ASSERT_TRUE(seen.ok()) << seen.status();
  switch (GetParam()) {
    case 0: EXPECT_EQ(seen->streams.at(TheCase()).version, 1); break;
    case 1: EXPECT_EQ(seen->answers.size(), 1); break;
    case 2: EXPECT_EQ(seen->marks.size(), 1); break;
    default: EXPECT_EQ(keys, 1);
  }
}
INSTANTIATE_TEST_SUITE_P(Everything, StoreLocks, ::testing::Range(0, 4));

TEST(Store, PeekWaitsForNobody) {
  const Database database;
  TestStore test(database);
  ASSERT_TRUE(test.Append(TheCase(), "c-1", "first").ok());
  const auto first = test.Open();
  ASSERT_TRUE(first->Load({.streams = {TheCase()}}).ok());
  ASSERT_TRUE(first->LoadKeys({"p-1"}).ok());
  const auto second = test.Open();
  const auto peeked = second->Peek({TheCase(), {"Case", "none"}});
  ASSERT_TRUE(peeked.ok()) << peeked.status();
  EXPECT_EQ(peeked->size(), 1);
  EXPECT_EQ(peeked->at(TheCase()).version, 1);
  EXPECT_TRUE(second->PeekKeys({"p-1"}).ok());
}

TEST(Store, ARolledBackUnitOfWorkLeavesNothingAndNoLock) {
  const Database database(Tables());
  TestStore test(database);
  const auto first = test.Open();
  ASSERT_TRUE(first->Load(LoadOfAll()).ok());
  first->Rollback();
  {
    // So does one whose session ends.
    const auto second = test.Open();
    ASSERT_TRUE(second->Load(LoadOfAll()).ok());
  }
  const auto loaded = first->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(first->Commit(Everything(*loaded)).ok());
}

TEST(Store, ALockThatIsHeldTooLongIsTransient) {
  const Database database;
  TestStore holder(database);
  const auto first = holder.Open();
  ASSERT_TRUE(first->Load({.streams = {TheCase()}}).ok());
  ConnectOptions options = database.options();
  options.lock_timeout = absl::Milliseconds(20);
  Pool pool(options, 1);
  PostgresStore store(pool, {.schema = database.service()});
  const auto second = store.Open(absl::Now() + absl::Seconds(5));
  ASSERT_TRUE(second.ok());
  const absl::Status failed = (*second)->Load({.streams = {TheCase()}}).status();
  EXPECT_TRUE(status::IsTransient(failed)) << failed;
  EXPECT_EQ(SqlStateOf(failed), "55P03");
  first->Rollback();
  EXPECT_TRUE((*second)->Load({.streams = {TheCase()}}).ok());
}

// The server goes away between Load and Commit.
TEST(Store, ALostConnectionLosesTheUnitOfWorkOnly) {
  const Database database(Tables());
  TestStore test(database, 2);
  const auto session = test.Open();
  const auto loaded = session->Load(LoadOfAll());
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(database.EndSessions(), 1);
  const absl::Status failed = session->Commit(Everything(*loaded));
  EXPECT_TRUE(status::IsTransient(failed)) << failed;
  EXPECT_EQ(RowsIn(database), 0);
  // The same session goes on, on another connection.
  const auto again = session->Load(LoadOfAll());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(session->Commit(Everything(*again)).ok());
  EXPECT_EQ(RowsIn(database), kRowsOfEverything);
}

// Makes the first, second, third … call fail until all get through. Whatever fails, a unit of work
// is done whole or not at all, and trying again does it once.
class StoreFaults : public ::testing::TestWithParam<Fault> {};

TEST_P(StoreFaults, NothingIsEverHalfDone) {
  const Database database(Tables());
  TestStore test(database, 1);
  int failing = 0;
  for (bool done = false; !done;) {
    ++failing;
    ASSERT_LT(failing, 20);
    const std::int64_t before = RowsIn(database);
    const auto session = test.Open();
    test.pool.FailNth(failing, GetParam());
    absl::Status outcome;
    const auto loaded = session->Load(LoadOfAll());
    outcome = loaded.status();
    if (outcome.ok()) outcome = session->LoadKeys({"p-1"}).status();
    if (outcome.ok() && loaded->answers.empty()) outcome = session->Commit(Everything(*loaded));
    done = test.pool.faults().calls() < failing;
    test.pool.faults().Clear();
    if (!done) {
      EXPECT_TRUE(status::IsTransient(outcome)) << failing << outcome;
    } else {
      EXPECT_TRUE(outcome.ok()) << outcome;
    }
    const std::int64_t after = RowsIn(database);
    const bool whole = after == before || (before == 0 && after == kRowsOfEverything);
    EXPECT_TRUE(whole) << failing << ": " << before << " rows, then " << after;
  }
  EXPECT_GT(failing, 2);
  EXPECT_EQ(RowsIn(database), kRowsOfEverything);
}
INSTANTIATE_TEST_SUITE_P(Everything, StoreFaults,
                         ::testing::Values(Fault::kBeforeSend, Fault::kAnswerLost));

TEST(Store, ADestroyedKeyStaysDestroyed) {
  const Database database;
  TestStore test(database);
  const auto session = test.Open();
  const auto commit = [&](const WriteSet& writes) {
    EXPECT_TRUE(session->Load({}).ok());
    EXPECT_TRUE(session->LoadKeys({"p-1"}).ok());
    return session->Commit(writes);
  };
  ASSERT_TRUE(commit({.new_keys = {{"p-1", "wrapped"}}}).ok());
  // Nobody replaces a key that is in use.
  EXPECT_FALSE(commit({.new_keys = {{"p-1", "other"}}}).ok());
  ASSERT_TRUE(commit({.destroyed_keys = {"p-1", "p-1", "never-had-one"}}).ok());
  const std::string when = database.Value(
      "select destroyed_time from subject_key where subject_id = 'p-1' and wrapped is null");

  EXPECT_FALSE(commit({.new_keys = {{"p-1", "again"}}}).ok());
  EXPECT_FALSE(commit({.new_keys = {{"never-had-one", "late"}}}).ok());
  ASSERT_TRUE(commit({.destroyed_keys = {"p-1"}}).ok());
  EXPECT_EQ(database.Value("select destroyed_time from subject_key where subject_id = 'p-1'"),
            when);
  const auto connection = database.Connect();
  for (const std::string sql :
       {"update subject_key set wrapped = 'x', destroyed_time = null", "delete from subject_key",
        "truncate subject_key", "update subject_key set subject_id = subject_id || 'x'"}) {
    EXPECT_EQ(SqlStateOf(connection->Execute(sql).status()), "42501") << sql;
  }
  const auto keys = session->PeekKeys({"p-1", "never-had-one"});
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->size(), 2);
  EXPECT_EQ(keys->at("p-1").wrapped, "");
  EXPECT_EQ(keys->at("never-had-one").wrapped, "");

  // Made and destroyed at once: destroyed.
  ASSERT_TRUE(commit({.new_keys = {{"p-5", "brief"}}, .destroyed_keys = {"p-5"}}).ok());
  EXPECT_EQ((*session->PeekKeys({"p-5"})).at("p-5").wrapped, "");
}

TEST(Store, TheRelayIsWokenForRowsToBePublished) {
  const Database database;
  TestStore test(database);
  const auto relay = database.Connect();
  ASSERT_TRUE(relay->Listen(JournalChannel(database.service())).ok());
  const auto session = test.Open();
  for (const bool publish : {false, true}) {
    const auto loaded = session->Load({.streams = {TheCase()}});
    ASSERT_TRUE(loaded.ok());
    WriteSet writes;
    AppendEvent(*loaded, TheCase(), "c-1", "e", writes);
    writes.journal[0].publish = publish;
    ASSERT_TRUE(session->Commit(writes).ok());
    const auto woken =
        relay->WaitForNotify(absl::Now() + (publish ? absl::Seconds(20) : absl::ZeroDuration()));
    ASSERT_TRUE(woken.ok()) << woken.status();
    EXPECT_EQ(*woken, publish);
  }
}

// Plans are made while tables are small, where reading one from end to end is the cheapest, and are
// kept when they are not. So no table may be read that way.
TEST(Store, RowsAreFoundByIndex) {
  const Database database;
  {
    TestStore test(database, 1);
    ASSERT_TRUE(test.Append(TheCase(), "c-1", "e").ok());
    ASSERT_TRUE(
        database.Connect()->ExecuteScript("analyze aggregate, journal, answer, inbox_mark").ok());
    const auto session = test.Open();
    for (int i = 0; i < 20; ++i) {
      const auto loaded = session->Load({.streams = {TheCase(), {"Case", absl::StrCat("c", i)}},
                                         .request_ids = {absl::StrCat("r-", i)},
                                         .inbox = {{"registration", {"Case", "c-9"}}}});
      ASSERT_TRUE(loaded.ok());
      ASSERT_TRUE(session->LoadKeys({"p-1"}).ok());
      WriteSet writes;
      AppendEvent(*loaded, TheCase(), "c-1", "e", writes);
      writes.marks[{"registration", {"Case", "c-9"}}] = i + 1;
      ASSERT_TRUE(session->Commit(writes).ok());
      ASSERT_TRUE(session->Peek({TheCase()}).ok());
      ASSERT_TRUE(session->PeekKeys({"p-1"}).ok());
      ASSERT_TRUE(session->Due(absl::Now(), 10).ok());
      ASSERT_TRUE(session->ReadStream(TheCase(), 1, 10).ok());
      ASSERT_TRUE(session->ReadStream({"", "c-1"}, 1, 10).ok());
    }
  }
  // The counts of a session arrive after it has ended.
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (database.Number("select sum(idx_scan) from pg_stat_user_tables where schemaname = "
                         "current_schema() and relname = 'aggregate'") < 20) {
    ASSERT_LT(absl::Now(), deadline);
  }
  EXPECT_EQ(database.Value("select coalesce(string_agg(relname || ' ' || seq_scan, ', '), '') "
                           "from pg_stat_user_tables where schemaname = current_schema() and "
                           "seq_tup_read > 0 and relname <> 'schema_migration'"),
            "");
}

}  // namespace
}  // namespace sankofa::postgres
