#include "services/platform/postgres/journal.h"

#include <utility>

#include "services/platform/postgres/rows.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::postgres {
namespace {

constexpr int kCountMax = 10'000;
constexpr int kPlaceColumns = 3;  // behind the columns of the row
constexpr char kPlace[] = ", xid, position, recorded_time from journal ";
// No transaction that still runs, or is yet to begin, has a lower id.
constexpr char kBehindHorizon[] = " and xid < pg_snapshot_xmin(pg_current_snapshot()) ";

std::string Select(std::string_view where) {
  return absl::StrCat("select ", kJournalColumns, kPlace, std::string(where));
}

Param Number(std::int64_t number) { return absl::StrCat(number); }
Param Xid(JournalPosition at) { return absl::StrCat(at.xid); }

JournalPosition PositionAt(const Result& result, int row, int column) {
  return {.xid = static_cast<std::uint64_t>(result.integer(row, column)),
          .position = result.integer(row, column + 1)};
}

absl::StatusOr<std::vector<engine::JournalRow>> WithoutPlace(
    absl::StatusOr<std::vector<PlacedRow>> placed) {
  if (!placed.ok()) return placed.status();
  std::vector<engine::JournalRow> rows;
  rows.reserve(placed->size());
  for (PlacedRow& row : *placed) rows.push_back(std::move(row.row));
  return rows;
}

Statement CursorStatement(int shard, JournalPosition cursor) {
  static const std::string kSql = R"sql(
insert into relay_cursor as c (shard, xid, position) values ($1::smallint, $2::xid8, $3::bigint)
on conflict (shard) do update set
  xid = excluded.xid, position = excluded.position, updated_time = excluded.updated_time
where (c.xid, c.position) < (excluded.xid, excluded.position))sql";
  return {.sql = kSql, .params = {Number(shard), Xid(cursor), Number(cursor.position)}};
}

Statement ParkStatement(int shard, const ParkedKey& parked) {
  static const std::string kSql = R"sql(
insert into relay_parked (shard, partition_key, xid, position, reason, attempts, since)
values ($1::smallint, $2::text, $3::xid8, $4::bigint, $5::text, $6::int, $7::timestamptz)
on conflict (shard, partition_key) do update set xid = excluded.xid, position = excluded.position,
  reason = excluded.reason, attempts = excluded.attempts, since = excluded.since)sql";
  return {.sql = kSql,
          .params = {Number(shard), Param(parked.partition_key), Xid(parked.at),
                     Number(parked.at.position), Param(parked.reason), Number(parked.attempts),
                     Param(TimeText(parked.since))}};
}

Statement TopicStatement(int shard, const std::string& topic, std::int64_t published) {
  return {.sql =
              "insert into relay_topic (shard, topic, published) "
              "values ($1::smallint, $2::text, $3::bigint) "
              "on conflict (shard, topic) do update set published = excluded.published",
          .params = {Number(shard), Param(topic), Number(published)}};
}

Statement UnparkStatement(int shard, const std::vector<std::string>& keys) {
  return {.sql =
              "delete from relay_parked where shard = $1::smallint "
              "and partition_key = any($2::text[])",
          .params = {Number(shard), TextArray(keys)}};
}

}  // namespace

absl::StatusOr<Result> Journal::Ordered(const std::string& sql, std::vector<Value> params) {
  const std::vector<Statement> statements = {
      ByIndex(), {.sql = sql, .params = std::move(params), .binary_rows = true}};
  auto results = connection_.Pipeline(statements);
  if (!results.ok()) return results.status();
  return results->back();
}

absl::StatusOr<std::vector<PlacedRow>> Journal::Rows(const std::string& sql,
                                                     std::vector<Value> params) {
  auto result = Ordered(sql, std::move(params));
  if (!result.ok()) return result.status();
  status::Check(result->columns() == kJournalColumnCount + kPlaceColumns,
                "a journal row has other columns than expected");
  std::vector<PlacedRow> rows;
  rows.reserve(static_cast<std::size_t>(result->rows()));
  for (int row = 0; row < result->rows(); ++row) {
    rows.push_back({.at = PositionAt(*result, row, kJournalColumnCount),
                    .recorded_time = result->time(row, kJournalColumnCount + 2),
                    .row = JournalRowAt(*result, row)});
  }
  return rows;
}

absl::StatusOr<bool> Journal::OwnShard(int shard) {
  // Locks of a session are counted, so one that is held is not taken again.
  const bool held = owned_.contains(shard);
  auto result = held ? connection_.Execute("select true")
                     : connection_.Execute(
                           "select pg_try_advisory_lock($1::bigint)",
                           {Number(LockKey(LockClass::kRelay, schema_, absl::StrCat(shard)))});
  if (!result.ok()) {
    if (connection_.broken()) owned_.clear();
    return result.status();
  }
  const bool owns = result->integer(0, 0) != 0;
  if (owns) owned_.insert(shard);
  return owns;
}

absl::Status Journal::ReleaseShard(int shard) {
  if (owned_.erase(shard) == 0) return absl::OkStatus();
  return connection_
      .Execute("select pg_advisory_unlock($1::bigint)",
               {Number(LockKey(LockClass::kRelay, schema_, absl::StrCat(shard)))})
      .status();
}

absl::StatusOr<ShardProgress> Journal::LoadProgress(int shard) {
  const std::vector<Statement> statements = {
      {.sql = "select xid, position from relay_cursor where shard = $1::smallint",
       .params = {Number(shard)},
       .binary_rows = true},
      {.sql = "select xid, position, partition_key, reason, attempts, since from relay_parked "
              "where shard = $1::smallint order by xid, position",
       .params = {Number(shard)},
       .binary_rows = true},
      {.sql = "select topic, published from relay_topic where shard = $1::smallint",
       .params = {Number(shard)},
       .binary_rows = true}};
  auto results = connection_.Pipeline(statements);
  if (!results.ok()) return results.status();
  ShardProgress progress;
  const Result& cursor = (*results)[0];
  if (cursor.rows() > 0) progress.cursor = PositionAt(cursor, 0, 0);
  const Result& parked = (*results)[1];
  for (int row = 0; row < parked.rows(); ++row) {
    progress.parked.push_back({.partition_key = std::string(parked.text(row, 2)),
                               .at = PositionAt(parked, row, 0),
                               .reason = std::string(parked.text(row, 3)),
                               .attempts = static_cast<int>(parked.integer(row, 4)),
                               .since = parked.time(row, 5)});
  }
  const Result& topics = (*results)[2];
  for (int row = 0; row < topics.rows(); ++row) {
    progress.topics[std::string(topics.text(row, 0))] = topics.integer(row, 1);
  }
  return progress;
}

absl::Status Journal::SaveProgress(int shard, const ShardStep& step) {
  if (!owned_.contains(shard)) {
    return absl::FailedPreconditionError("the shard is not owned by this session");
  }
  std::vector<Statement> statements = {CursorStatement(shard, step.cursor)};
  if (!step.unpark.empty()) statements.push_back(UnparkStatement(shard, step.unpark));
  for (const ParkedKey& parked : step.park) statements.push_back(ParkStatement(shard, parked));
  for (const auto& [topic, published] : step.topics) {
    statements.push_back(TopicStatement(shard, topic, published));
  }
  return connection_.Pipeline(statements).status();
}

absl::StatusOr<std::vector<PlacedRow>> Journal::ReadShard(int shard, JournalPosition after,
                                                          int limit) {
  static const std::string kSql = Select(absl::StrCat(
      "where shard = $1::smallint and publish and (xid, position) > ($2::xid8, $3::bigint)",
      kBehindHorizon, "order by xid, position limit $4::int"));
  return Rows(kSql, {Number(shard), Xid(after), Number(after.position), Number(limit)});
}

absl::StatusOr<std::vector<PlacedRow>> Journal::ReadParked(const std::string& partition_key,
                                                           JournalPosition from, JournalPosition to,
                                                           int limit) {
  static const std::string kSql = Select(
      "where partition_key = $1::text and publish and (xid, position) >= ($2::xid8, $3::bigint) "
      "and (xid, position) <= ($4::xid8, $5::bigint) order by xid, position limit $6::int");
  return Rows(kSql, {Param(partition_key), Xid(from), Number(from.position), Xid(to),
                     Number(to.position), Number(limit)});
}

absl::StatusOr<Unpublished> Journal::CountUnpublished(int shard, JournalPosition after) {
  static const std::string kSql = R"sql(
select count(*), min(event_time_nanos), min(recorded_time) from (
  select event_time_nanos, recorded_time from journal
  where shard = $1::smallint and publish and (xid, position) > ($2::xid8, $3::bigint)
  order by xid, position limit $4::int) waiting)sql";
  auto result =
      Ordered(kSql, {Number(shard), Xid(after), Number(after.position), Number(kCountMax)});
  if (!result.ok()) return result.status();
  Unpublished unpublished{.rows = result->integer(0, 0)};
  if (unpublished.rows > 0) {
    unpublished.oldest_event = absl::FromUnixNanos(result->integer(0, 1));
    unpublished.oldest_record = result->time(0, 2);
  }
  return unpublished;
}

absl::StatusOr<std::vector<engine::JournalRow>> Journal::ReadStream(const engine::StreamKey& stream,
                                                                    std::int64_t from_sequence,
                                                                    int limit) {
  static const std::string kSql = Select(
      "where type = $1::text and id = $2::text and sequence >= $3::bigint "
      "order by sequence limit $4::int");
  return WithoutPlace(
      Rows(kSql, {Param(stream.type), Param(stream.id), Number(from_sequence), Number(limit)}));
}

absl::StatusOr<std::vector<engine::JournalRow>> Journal::ReadAllStreams(
    const engine::StreamKey& after_stream, std::int64_t after_sequence, int limit) {
  static const std::string kSql = Select(
      "where (type, id, sequence) > ($1::text, $2::text, $3::bigint) "
      "order by type, id, sequence limit $4::int");
  return WithoutPlace(Rows(kSql, {Param(after_stream.type), Param(after_stream.id),
                                  Number(after_sequence), Number(limit)}));
}

absl::StatusOr<std::vector<PlacedRow>> Journal::ReadPartitionKey(const std::string& partition_key,
                                                                 JournalPosition after, int limit) {
  static const std::string kSql = Select(
      absl::StrCat("where partition_key = $1::text and (xid, position) > ($2::xid8, $3::bigint)",
                   kBehindHorizon, "order by xid, position limit $4::int"));
  return Rows(kSql, {Param(partition_key), Xid(after), Number(after.position), Number(limit)});
}

absl::StatusOr<absl::Duration> Journal::HorizonAge() {
  static const std::string kSql = R"sql(
select case when count(*) = 0 then 0 else greatest(1,
  ceil(extract(epoch from clock_timestamp() - min(recorded_time)) * 1000)::bigint) end
from journal where publish and shard = any($1::smallint[])
  and xid >= pg_snapshot_xmin(pg_current_snapshot()))sql";
  std::vector<std::string> shards;
  for (int shard = 0; shard < kShards; ++shard) shards.push_back(absl::StrCat(shard));
  auto result = Ordered(kSql, {Param(ArrayLiteral(shards))});
  if (!result.ok()) return result.status();
  return absl::Milliseconds(result->integer(0, 0));
}

absl::StatusOr<std::vector<Letter>> Journal::DeadLetters(const std::string& state,
                                                         std::int64_t after, int limit) {
  static const std::string kSql = R"sql(
select letter, source, type, id, sequence, partition_key, event_type, payload, event_time_nanos,
  traceparent, reason, detail, state, recorded_time, closed_time
from dead_letter where letter > $1::bigint and ($2::text = '' or state = $2::text)
order by letter limit $3::int)sql";
  auto result = Ordered(kSql, {Number(after), Param(state), Number(limit)});
  if (!result.ok()) return result.status();
  std::vector<Letter> letters;
  for (int row = 0; row < result->rows(); ++row) {
    const auto text = [&](int column) { return std::string(result->text(row, column)); };
    letters.push_back({.letter = result->integer(row, 0),
                       .dead = {.from = {text(1), {text(2), text(3)}},
                                .sequence = result->integer(row, 4),
                                .partition_key = text(5),
                                .event_type = text(6),
                                .payload = text(7),
                                .event_time = absl::FromUnixNanos(result->integer(row, 8)),
                                .traceparent = text(9),
                                .reason = text(10),
                                .detail = text(11)},
                       .state = text(12),
                       .recorded_time = result->time(row, 13),
                       .closed_time = result->time(row, 14)});
  }
  return letters;
}

absl::Status Journal::CloseDeadLetter(std::int64_t letter, const std::string& state) {
  auto result = connection_.Execute(
      "update dead_letter set state = $2::text, closed_time = now() "
      "where letter = $1::bigint and state = 'waiting'",
      {Number(letter), state});
  if (!result.ok()) return result.status();
  if (result->affected() == 0) {
    return absl::NotFoundError(absl::StrCat("no dead letter ", letter, " waits"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> Journal::CountDeadLetters() {
  auto result = connection_.Execute("select count(*) from dead_letter where state = 'waiting'");
  if (!result.ok()) return result.status();
  return result->integer(0, 0);
}

absl::StatusOr<Maintained> MaintainPartitions(Connection& connection, const Retention& retention) {
  Maintained maintained;
  auto made = connection.Execute("select create_partitions($1::int)",
                                 {absl::StrCat(retention.months_ahead)});
  if (!made.ok()) return made.status();
  maintained.partitions_made = static_cast<int>(made->integer(0, 0));
  const auto drop = [&](const char* parent, const std::optional<absl::Duration>& keep,
                        int& dropped) -> absl::Status {
    if (!keep) return absl::OkStatus();
    auto result =
        connection.Execute("select drop_months($1::text, make_interval(secs => $2::bigint))",
                           {std::string(parent), absl::StrCat(absl::ToInt64Seconds(*keep))});
    if (result.ok()) dropped = static_cast<int>(result->integer(0, 0));
    return result.status();
  };
  if (auto s = drop("journal", retention.journal, maintained.journal_months_dropped); !s.ok()) {
    return s;
  }
  if (auto s = drop("answer", retention.answers, maintained.answer_months_dropped); !s.ok()) {
    return s;
  }
  return maintained;
}

}  // namespace sankofa::postgres
