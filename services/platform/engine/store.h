#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/decider.h"

// What the engine asks of a store. PostgreSQL implements it (postgres/store.h), and memory does
// (memory_store.h) for unit tests and simulation. A session is used by one thread at a time; one
// unit of work is Load, then Commit or Rollback. The store knows bytes only: what is personal is
// sealed before it gets here.
namespace sankofa::engine {

struct StoredStream {
  std::int64_t version = 0;  // number of events applied; 0 = does not exist
  std::string state;         // the state message, sealed, in wire form
  std::string last_hash;     // of the newest journal row; empty at version 0
};

// One event as it is kept: history, audit trail and outbox in one.
struct JournalRow {
  StreamKey stream;
  std::int64_t sequence = 0;  // 1, 2, 3 … in the stream
  std::string partition_key;  // the case, or the aggregate's own id
  std::string event_type;     // full name of the message
  std::string payload;        // the event, sealed, in wire form
  std::string previous_hash;  // 32 bytes; empty for the first row of a stream
  std::string hash;           // 32 bytes, see HashOf
  absl::Time event_time;      // the decision's time
  std::string actor;          // subject of the token; empty for a system
  std::string organisation;
  std::string system;
  std::string request_id;
  std::string traceparent;  // W3C
  bool publish = true;
};

// BLAKE2b-256 over the row's fields, each as an 8-byte big-endian length and its bytes, in the
// order of declaration (numbers as decimal text, times as nanoseconds since 1970 in decimal text),
// without `hash`, `traceparent` and `publish`.
[[nodiscard]] std::string HashOf(const JournalRow& row);

// The stored answer of a request id.
struct Answer {
  std::string request_id;
  std::string fingerprint;  // hash of method, caller and content
  std::string type;         // full name of the answer message
  std::string bytes;
  absl::Time time;
};

// Where a consumer stands in a stream of another service (or node).
struct InboxStream {
  std::string source;
  StreamKey stream;
  auto operator<=>(const InboxStream&) const = default;
};

// An event that can't be applied, kept with its reason until an operator replays or discards it.
struct DeadLetter {
  InboxStream from;
  std::int64_t sequence = 0;
  std::string partition_key;
  std::string event_type;
  std::string payload;
  absl::Time event_time;
  std::string traceparent;
  std::string reason;  // stable reason, e.g. UNKNOWN_EVENT_TYPE
  std::string detail;  // for the operator; no personal data
};

// The key of a subject, wrapped by the node's master key. An empty wrapped key means that it was
// destroyed.
struct SubjectKey {
  std::string subject_id;
  std::string wrapped;
};

struct LoadRequest {
  std::vector<StreamKey> streams;        // sorted, unique; locked until the unit of work ends
  std::vector<std::string> request_ids;  // sorted, unique; locked too
  std::vector<InboxStream> inbox;        // sorted, unique; locked too
};

struct Loaded {
  std::map<StreamKey, StoredStream> streams;  // without those that do not exist
  std::map<std::string, Answer> answers;
  std::map<InboxStream, std::int64_t> marks;
};

struct StateWrite {
  StreamKey stream;
  std::string partition_key;
  StoredStream stored;
  // Projection rows that replace the aggregate's earlier ones.
  const Table* table = nullptr;
  std::vector<Row> rows;
  // The aggregate's one deadline; nothing removes it.
  std::optional<absl::Time> due;
  std::string due_command_type;
  std::string due_command;
};

struct AppendRows {
  const Table* table = nullptr;
  std::string owner_id;
  std::vector<Row> rows;
};

struct WriteSet {
  std::vector<StateWrite> states;  // one for each changed stream
  std::vector<JournalRow> journal;
  std::vector<Answer> answers;
  std::vector<AppendRows> appends;
  std::vector<SubjectKey> new_keys;
  std::vector<std::string> destroyed_keys;
  std::map<InboxStream, std::int64_t> marks;
  std::vector<DeadLetter> dead_letters;
};

// A deadline that has come.
struct DueCommand {
  StreamKey stream;
  std::int64_t version = 0;
  absl::Time due;
  std::string command_type;
  std::string command;
};

class StoreSession {
 public:
  virtual ~StoreSession() = default;

  // Begins a unit of work: takes the locks in the order given, then reads. The locks also cover
  // request ids, so that one request id is decided at one place at a time.
  [[nodiscard]] virtual absl::StatusOr<Loaded> Load(const LoadRequest& request) = 0;

  // Inside a unit of work, after Load: locks the subjects, in the order given, and reads their keys
  // (also destroyed ones; those without a key are absent). Subjects are locked after all streams
  // and never before, so two units of work can't wait for each other in a circle.
  [[nodiscard]] virtual absl::StatusOr<std::map<std::string, SubjectKey>> LoadKeys(
      const std::vector<std::string>& subjects) = 0;

  // Writes and ends the unit of work. On an error nothing was written, with one exception:
  // UNAVAILABLE may mean that the commit happened and its answer was lost, which the stored answers
  // resolve when the command is tried again.
  [[nodiscard]] virtual absl::Status Commit(const WriteSet& writes) = 0;
  virtual void Rollback() = 0;

  // Reads states, or keys, without locks, outside a unit of work.
  [[nodiscard]] virtual absl::StatusOr<std::map<StreamKey, StoredStream>> Peek(
      const std::vector<StreamKey>& streams) = 0;
  [[nodiscard]] virtual absl::StatusOr<std::map<std::string, SubjectKey>> PeekKeys(
      const std::vector<std::string>& subjects) = 0;

  // Up to `limit` deadlines that are due at `now`, oldest first.
  [[nodiscard]] virtual absl::StatusOr<std::vector<DueCommand>> Due(absl::Time now, int limit) = 0;

  // Rows from `from_sequence` on, in order: of one stream, or, where `stream.type` is empty, of all
  // streams with the partition key `stream.id`.
  [[nodiscard]] virtual absl::StatusOr<std::vector<JournalRow>> ReadStream(
      const StreamKey& stream, std::int64_t from_sequence, int limit) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Waits for a free session until `deadline`.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<StoreSession>> Open(absl::Time deadline) = 0;
};

}  // namespace sankofa::engine
