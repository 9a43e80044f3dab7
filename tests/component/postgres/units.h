#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/engine/store.h"
#include "services/platform/postgres/journal.h"
#include "services/platform/postgres/store.h"
#include "services/platform/status/check.h"
#include "tests/component/postgres/database.h"

// Units of work as the engine makes them, without deciders: each command adds one event to its
// streams.
namespace sankofa::postgres::testing {

using engine::Answer;
using engine::JournalRow;
using engine::Loaded;
using engine::LoadRequest;
using engine::StreamKey;
using engine::WriteSet;

// The rows that append `event` to a stream that was loaded.
inline void AppendEvent(const Loaded& loaded, const StreamKey& stream,
                        const std::string& partition_key, const std::string& event,
                        WriteSet& writes) {
  const auto found = loaded.streams.find(stream);
  JournalRow row{
      .stream = stream,
      .sequence = found == loaded.streams.end() ? 1 : found->second.version + 1,
      .partition_key = partition_key,
      .event_type = "sankofa.test.v1.Happened",
      .payload = event,
      .previous_hash = found == loaded.streams.end() ? std::string() : found->second.last_hash,
      .event_time = absl::FromUnixNanos(1'500'000'000'123'456'789),
      .actor = "u-1",
      .organisation = "agency",
      .system = "portal",
      .request_id = "r-1",
      .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
  row.hash = engine::HashOf(row);
  engine::StateWrite state;
  state.stream = stream;
  state.partition_key = partition_key;
  state.stored = {.version = row.sequence, .state = "state after " + event, .last_hash = row.hash};
  writes.journal.push_back(std::move(row));
  writes.states.push_back(std::move(state));
}

// Waits until every row that was committed can be read by the relay: transactions of other tests
// may hold the horizon back for a moment.
inline void AwaitHorizon(Connection& connection, const std::string& schema) {
  Journal journal(connection, schema);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  for (;;) {
    const auto age = journal.HorizonAge();
    status::Check(age.ok(), age.status().ToString());
    if (*age == absl::ZeroDuration()) return;
    status::Check(absl::Now() < deadline, "the horizon stands still");
  }
}

// A store of one database with a pool of its own.
struct TestStore {
  explicit TestStore(const Database& database, int connections = 4)
      : pool(database.options(), connections), store(pool, {.schema = database.service()}) {}
  [[nodiscard]] std::unique_ptr<engine::StoreSession> Open() {
    auto session = store.Open(absl::Now() + absl::Seconds(10));
    status::Check(session.ok(), session.status().ToString());
    return *std::move(session);
  }
  // One event on one stream, in a unit of work of its own.
  absl::Status Append(const StreamKey& stream, const std::string& partition_key,
                      const std::string& event) {
    const auto session = Open();
    const auto loaded = session->Load({.streams = {stream}});
    if (!loaded.ok()) return loaded.status();
    WriteSet writes;
    AppendEvent(*loaded, stream, partition_key, event, writes);
    return session->Commit(writes);
  }

  Pool pool;
  PostgresStore store;
};

}  // namespace sankofa::postgres::testing
