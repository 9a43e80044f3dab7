#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "services/platform/postgres/journal.h"
#include "tests/component/postgres/units.h"

// The relay publishes in the order of (xid, position). That is right only if this order agrees with
// the sequence of each stream, whoever wrote what beside whom; and if a row never turns up in a
// place that the relay has passed.
namespace sankofa::postgres {
namespace {

using testing::AppendEvent;
using testing::AwaitHorizon;
using testing::Database;
using testing::StreamKey;
using testing::TestStore;
using testing::WriteSet;

constexpr int kWriters = 4;
constexpr int kBatchesOfEach = 500;
constexpr int kStreams = 12;

StreamKey StreamOf(int number) { return {"Case", absl::StrCat("c-", number)}; }

// One unit of work over some random streams, with random request ids that others use too.
void WriteBatch(engine::StoreSession& session, std::mt19937& random) {
  std::set<StreamKey> streams;
  std::set<std::string> requests;
  const int count = 1 + static_cast<int>(random() % 5);
  for (int i = 0; i < count; ++i) {
    streams.insert(StreamOf(static_cast<int>(random() % kStreams)));
    requests.insert(absl::StrCat("r-", random() % 50));
  }
  const auto loaded = session.Load({.streams = {streams.begin(), streams.end()},
                                    .request_ids = {requests.begin(), requests.end()}});
  // Nobody waits for another in a circle, or the server would end one of them.
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  // Now and then the unit of work ends without effect, and now and then it takes a subject's lock
  // in between.
  if (random() % 10 == 0) return session.Rollback();
  if (random() % 4 == 0) {
    const auto keys = session.LoadKeys({absl::StrCat("p-", random() % 3)});
    ASSERT_TRUE(keys.ok()) << keys.status();
  }
  WriteSet writes;
  for (const StreamKey& stream : streams) AppendEvent(*loaded, stream, stream.id, "e", writes);
  const absl::Status committed = session.Commit(writes);
  ASSERT_TRUE(committed.ok()) << committed;
}

// Follows one shard as a relay does, while it is being written.
class Follower {
 public:
  Follower(const Database& database, int shard)
      : connection_(database.Connect()),
        journal_(*connection_, database.service()),
        shard_(shard) {}

  // True where there was something to read.
  bool Read() {
    const auto rows = journal_.ReadShard(shard_, cursor_, 50);
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const PlacedRow& placed : *rows) {
      EXPECT_LT(cursor_, placed.at);
      cursor_ = placed.at;
      std::int64_t& last = sequences_[placed.row.stream];
      EXPECT_EQ(placed.row.sequence, last + 1) << placed.row.stream.id;
      last = placed.row.sequence;
      ++count_;
    }
    return !rows->empty();
  }
  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  std::unique_ptr<Connection> connection_;
  Journal journal_;
  const int shard_;
  JournalPosition cursor_;
  std::map<StreamKey, std::int64_t> sequences_;
  std::int64_t count_ = 0;
};

TEST(Order, TransactionIdsAgreeWithTheSequenceOfEachStream) {
  const Database database;
  TestStore test(database, kWriters);
  std::atomic<int> writing = kWriters;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::mt19937 random(static_cast<unsigned>(writer));
      const auto session = test.Open();
      for (int batch = 0; batch < kBatchesOfEach; ++batch) WriteBatch(*session, random);
      --writing;
    });
  }
  std::vector<Follower> followers;
  for (int shard = 0; shard < kShards; ++shard) followers.emplace_back(database, shard);
  while (writing > 0) {
    for (Follower& follower : followers) follower.Read();
  }
  for (std::thread& thread : threads) thread.join();
  const auto connection = database.Connect();
  AwaitHorizon(*connection, database.service());
  for (bool more = true; more;) {
    more = false;
    for (Follower& follower : followers) more |= follower.Read();
  }

  // Nothing was passed over: what the followers saw is all there is, and it is many.
  std::int64_t seen = 0;
  for (const Follower& follower : followers) seen += follower.count();
  EXPECT_EQ(seen, database.Number("select count(*) from journal"));
  EXPECT_GT(seen, kWriters * kBatchesOfEach);
  EXPECT_EQ(database.Number("select count(*) from (select sequence - lag(sequence, 1, 0::bigint) "
                            "over (partition by type, id order by xid, position) as step "
                            "from journal) s where step <> 1"),
            0);
  EXPECT_EQ(database.Number("select count(*) from aggregate a where version <> (select count(*) "
                            "from journal j where j.type = a.type and j.id = a.id)"),
            0);
}

// The case for advisory locks, by hand: the transaction that waits has no id yet, so it gets a
// higher one than the transaction that it waits for, although it began first.
TEST(Order, WhoWaitsForALockHasNoTransactionIdYet) {
  const Database database;
  TestStore test(database);
  const auto second = test.Open();
  const auto first = test.Open();
  ASSERT_TRUE(test.Append(StreamOf(1), "c-1", "zero").ok());
  const auto held = first->Load({.streams = {StreamOf(1)}});
  ASSERT_TRUE(held.ok());
  std::thread waiting([&] {
    const auto loaded = second->Load({.streams = {StreamOf(1), StreamOf(2)}});
    ASSERT_TRUE(loaded.ok());
    WriteSet writes;
    AppendEvent(*loaded, StreamOf(1), "c-1", "second", writes);
    ASSERT_TRUE(second->Commit(writes).ok());
  });
  database.AwaitBlocked();
  EXPECT_EQ(database.Number("select count(*) from pg_stat_activity where usename = current_user "
                            "and backend_xid is not null"),
            0);
  WriteSet writes;
  AppendEvent(*held, StreamOf(1), "c-1", "first", writes);
  ASSERT_TRUE(first->Commit(writes).ok());
  waiting.join();
  EXPECT_EQ(database.Value("select string_agg(convert_from(payload, 'UTF8'), ' ' order by xid, "
                           "position) from journal"),
            "zero first second");
}

}  // namespace
}  // namespace sankofa::postgres
