#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/store.h"
#include "services/platform/postgres/connection.h"
#include "services/platform/postgres/keys.h"

// What others than the engine do with a service's journal: the relay publishes it shard by shard,
// Replay reads it again, operators look after dead letters, and metrics count. Each is one call on
// a connection of the caller's.
namespace sankofa::postgres {

// A row's place in the journal: by transaction, then by place in the transaction.
struct JournalPosition {
  std::uint64_t xid = 0;
  std::int64_t position = 0;
  auto operator<=>(const JournalPosition&) const = default;
};

struct PlacedRow {
  JournalPosition at;
  absl::Time recorded_time;
  engine::JournalRow row;
};

// A lane whose row at `at` could not be published; it and all later ones of the lane wait. A lane is
// a partition key in one topic: see kafka::ParkedCase.
struct ParkedKey {
  std::string partition_key;  // the lane
  JournalPosition at;
  std::string reason;  // for the operator; nothing of the payload
  int attempts = 0;
  absl::Time since;
};

// How far a shard is published: everything up to `cursor`, but for what is parked.
struct ShardProgress {
  JournalPosition cursor;
  std::vector<ParkedKey> parked;
  std::map<std::string, std::int64_t> topics;  // records published to each, at least
};

// One step of it, saved in one transaction.
struct ShardStep {
  JournalPosition cursor;
  std::vector<ParkedKey> park;                 // added, or replaced by lane
  std::vector<std::string> unpark;             // lanes
  std::map<std::string, std::int64_t> topics;  // added, or replaced by topic
};

// What of a shard is not published yet.
struct Unpublished {
  std::int64_t rows = 0;                              // counted up to a limit
  absl::Time oldest_event = absl::InfiniteFuture();   // when the first was decided
  absl::Time oldest_record = absl::InfiniteFuture();  // when it was written
};

struct Letter {
  std::int64_t letter = 0;  // its number
  engine::DeadLetter dead;
  std::string state;  // "waiting", "replayed", "discarded"
  absl::Time recorded_time;
  absl::Time closed_time;  // InfinitePast while it waits
};

// One service's journal through one connection, which must outlive it and have the service's schema
// as its search path. The shards that it owns are owned by the connection's session; only the
// object that took a shard knows of it. Used by one thread.
class Journal {
 public:
  Journal(Connection& connection, std::string schema)
      : connection_(connection), schema_(std::move(schema)) {}

  // ---- the relay: one owner for each shard ----

  // Takes the shard, or verifies that the session which has it is alive. False while another
  // session has it. The server gives a shard up when its session ends: a lost connection is lost
  // ownership.
  [[nodiscard]] absl::StatusOr<bool> OwnShard(int shard);
  [[nodiscard]] absl::Status ReleaseShard(int shard);

  [[nodiscard]] absl::StatusOr<ShardProgress> LoadProgress(int shard);
  // FAILED_PRECONDITION where the shard is not owned. The cursor never moves back.
  [[nodiscard]] absl::Status SaveProgress(int shard, const ShardStep& step);

  // Up to `limit` rows to be published, after `after`, in order. Only rows whose transaction is
  // older than every one that is still running: no row can turn up later in a place that was read.
  [[nodiscard]] absl::StatusOr<std::vector<PlacedRow>> ReadShard(int shard, JournalPosition after,
                                                                 int limit);
  // Rows to be published of one partition key from `from` to `to`, both included, in order.
  [[nodiscard]] absl::StatusOr<std::vector<PlacedRow>> ReadParked(const std::string& partition_key,
                                                                  JournalPosition from,
                                                                  JournalPosition to, int limit);
  // Rows are counted up to 10,000.
  [[nodiscard]] absl::StatusOr<Unpublished> CountUnpublished(int shard, JournalPosition after);

  // ---- replay ----

  // Rows of one stream from `from_sequence` on, in order.
  [[nodiscard]] absl::StatusOr<std::vector<engine::JournalRow>> ReadStream(
      const engine::StreamKey& stream, std::int64_t from_sequence, int limit);
  // Rows of all streams of a partition key after `after`, in order, behind the horizon like those
  // of a shard.
  [[nodiscard]] absl::StatusOr<std::vector<PlacedRow>> ReadPartitionKey(
      const std::string& partition_key, JournalPosition after, int limit);
  // Rows of all streams, by stream and sequence, behind the given place: for verifying chains.
  [[nodiscard]] absl::StatusOr<std::vector<engine::JournalRow>> ReadAllStreams(
      const engine::StreamKey& after_stream, std::int64_t after_sequence, int limit);

  // How long a row has been waiting, at most, for an older transaction to end: at least a
  // millisecond where one waits, zero where none does.
  [[nodiscard]] absl::StatusOr<absl::Duration> HorizonAge();

  // ---- dead letters ----

  // With a number above `after`, in order. `state` empty: all.
  [[nodiscard]] absl::StatusOr<std::vector<Letter>> DeadLetters(const std::string& state,
                                                                std::int64_t after, int limit);
  // `state`: "replayed" or "discarded". NOT_FOUND where no letter of that number waits.
  [[nodiscard]] absl::Status CloseDeadLetter(std::int64_t letter, const std::string& state);
  [[nodiscard]] absl::StatusOr<std::int64_t> CountDeadLetters();  // that wait

 private:
  [[nodiscard]] absl::StatusOr<Result> Ordered(const std::string& sql, std::vector<Value> params);
  [[nodiscard]] absl::StatusOr<std::vector<PlacedRow>> Rows(const std::string& sql,
                                                            std::vector<Value> params);

  Connection& connection_;
  const std::string schema_;
  std::set<int> owned_;
};

// ---- partitions ----

struct Retention {
  // Nothing: for ever. A month goes when it ended that long ago; of the journal only when all of it
  // is published.
  std::optional<absl::Duration> journal;
  std::optional<absl::Duration> answers = absl::Hours(24 * 90);
  int months_ahead = 3;
};

struct Maintained {
  int partitions_made = 0;
  int journal_months_dropped = 0;
  int answer_months_dropped = 0;
};

// Makes partitions ahead and drops what is past its time. To be called at start and daily; may run
// anywhere, any number of times.
[[nodiscard]] absl::StatusOr<Maintained> MaintainPartitions(Connection& connection,
                                                            const Retention& retention);

}  // namespace sankofa::postgres
