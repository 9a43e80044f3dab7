#include "services/platform/postgres/store.h"

#include <algorithm>
#include <optional>
#include <set>

#include "services/platform/postgres/keys.h"
#include "services/platform/postgres/rows.h"
#include "services/platform/status/check.h"

namespace sankofa::postgres {
namespace {

using engine::InboxStream;
using engine::StreamKey;
using engine::SubjectKey;

// The locks, in the order of the array. The settings are for the reason given at ByIndex; they
// stand here to save a statement, and hold until the end of the transaction.
constexpr char kLockSql[] = R"sql(
select pg_advisory_xact_lock(k.key)
from (select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
             set_config('enable_mergejoin', 'off', true)) s
left join unnest($1::bigint[]) as k (key) on true)sql";

// `offset 0` keeps the planner from turning the look-up of each key into another kind of join.
constexpr char kStatesSql[] = R"sql(
select a.type, a.id, a.version, a.state, a.last_hash
from unnest($1::text[], $2::text[]) as k (type, id)
cross join lateral (
  select * from aggregate where aggregate.type = k.type and aggregate.id = k.id offset 0) a)sql";

constexpr char kAnswersSql[] =
    "select request_id, fingerprint, type, bytes, time from answer where request_id = "
    "any($1::text[])";

constexpr char kMarksSql[] = R"sql(
select m.source, m.type, m.id, m.sequence
from unnest($1::text[], $2::text[], $3::text[]) as k (source, type, id)
cross join lateral (
  select * from inbox_mark i
  where i.source = k.source and i.type = k.type and i.id = k.id offset 0) m)sql";

constexpr char kKeysSql[] =
    "select subject_id, wrapped from subject_key where subject_id = any($1::text[])";

constexpr char kDueSql[] = R"sql(
select type, id, version, due_time, due_command_type, due_command from aggregate
where due_time <= $1::timestamptz order by due_time, type, id limit $2::int)sql";

Statement LockStatement(std::vector<std::int64_t> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  ArrayBuilder array(Type::kInt8);
  for (const std::int64_t key : keys) array.Int8(key);
  return {.sql = kLockSql, .params = {std::move(array).Finish()}};
}

Statement StatesStatement(const std::vector<StreamKey>& streams) {
  ArrayBuilder types(Type::kText);
  ArrayBuilder ids(Type::kText);
  for (const StreamKey& stream : streams) {
    types.Bytes(stream.type);
    ids.Bytes(stream.id);
  }
  return {.sql = kStatesSql,
          .params = {std::move(types).Finish(), std::move(ids).Finish()},
          .binary_rows = true};
}

std::map<StreamKey, engine::StoredStream> StatesOf(const Result& result) {
  std::map<StreamKey, engine::StoredStream> states;
  for (int row = 0; row < result.rows(); ++row) {
    states.emplace(StreamKey{std::string(result.text(row, 0)), std::string(result.text(row, 1))},
                   engine::StoredStream{.version = result.integer(row, 2),
                                        .state = result.bytes(row, 3),
                                        .last_hash = result.bytes(row, 4)});
  }
  return states;
}

Statement MarksStatement(const std::vector<InboxStream>& inbox) {
  ArrayBuilder sources(Type::kText);
  ArrayBuilder types(Type::kText);
  ArrayBuilder ids(Type::kText);
  for (const InboxStream& from : inbox) {
    sources.Bytes(from.source);
    types.Bytes(from.stream.type);
    ids.Bytes(from.stream.id);
  }
  return {
      .sql = kMarksSql,
      .params = {std::move(sources).Finish(), std::move(types).Finish(), std::move(ids).Finish()},
      .binary_rows = true};
}

std::map<InboxStream, std::int64_t> MarksOf(const Result& result) {
  std::map<InboxStream, std::int64_t> marks;
  for (int row = 0; row < result.rows(); ++row) {
    marks.emplace(InboxStream{std::string(result.text(row, 0)),
                              {std::string(result.text(row, 1)), std::string(result.text(row, 2))}},
                  result.integer(row, 3));
  }
  return marks;
}

std::map<std::string, engine::Answer> AnswersOf(const Result& result) {
  std::map<std::string, engine::Answer> answers;
  for (int row = 0; row < result.rows(); ++row) {
    engine::Answer answer{.request_id = std::string(result.text(row, 0)),
                          .fingerprint = result.bytes(row, 1),
                          .type = std::string(result.text(row, 2)),
                          .bytes = result.bytes(row, 3),
                          .time = result.time(row, 4)};
    answers.emplace(answer.request_id, std::move(answer));
  }
  return answers;
}

std::map<std::string, SubjectKey> KeysOf(const Result& result) {
  std::map<std::string, SubjectKey> keys;
  for (int row = 0; row < result.rows(); ++row) {
    SubjectKey key{std::string(result.text(row, 0)), result.bytes(row, 1)};
    keys.emplace(key.subject_id, std::move(key));
  }
  return keys;
}

class Session final : public engine::StoreSession {
 public:
  Session(Pool& pool, const PostgresStore::Options& options, PooledConnection connection)
      : pool_(pool), options_(options), connection_(std::move(connection)) {}
  ~Session() override { Rollback(); }

  absl::StatusOr<engine::Loaded> Load(const engine::LoadRequest& request) override;
  absl::StatusOr<std::map<std::string, SubjectKey>> LoadKeys(
      const std::vector<std::string>& subjects) override;
  absl::Status Commit(const engine::WriteSet& writes) override;
  void Rollback() override;
  absl::StatusOr<std::map<StreamKey, engine::StoredStream>> Peek(
      const std::vector<StreamKey>& streams) override;
  absl::StatusOr<std::map<std::string, SubjectKey>> PeekKeys(
      const std::vector<std::string>& subjects) override;
  absl::StatusOr<std::vector<engine::DueCommand>> Due(absl::Time now, int limit) override;
  absl::StatusOr<std::vector<engine::JournalRow>> ReadStream(const StreamKey& stream,
                                                             std::int64_t from_sequence,
                                                             int limit) override;

 private:
  // Another connection in place of one that broke. Outside a unit of work.
  [[nodiscard]] absl::Status Connect();
  // One read outside a unit of work, with settings before it.
  [[nodiscard]] absl::StatusOr<Result> Look(Statement settings, Statement statement);

  Pool& pool_;
  const PostgresStore::Options& options_;
  std::optional<PooledConnection> connection_;
  bool in_unit_ = false;
  std::set<StreamKey> existing_;  // streams that were there at Load
};

absl::Status Session::Connect() {
  status::Check(!in_unit_, "a read or a unit of work was begun inside another");
  if (connection_ && !(*connection_)->broken()) return absl::OkStatus();
  connection_.reset();
  auto fresh = pool_.Acquire(absl::Now() + options_.acquire_timeout);
  if (!fresh.ok()) return fresh.status();
  connection_ = *std::move(fresh);
  return absl::OkStatus();
}

absl::StatusOr<engine::Loaded> Session::Load(const engine::LoadRequest& request) {
  if (auto connected = Connect(); !connected.ok()) return connected;
  const std::string& schema = options_.schema;
  std::vector<std::int64_t> locks;
  locks.reserve(request.streams.size() + request.request_ids.size() + request.inbox.size());
  for (const StreamKey& key : request.streams) {
    locks.push_back(LockKey(LockClass::kStream, schema, key.type, key.id));
  }
  for (const std::string& id : request.request_ids) {
    locks.push_back(LockKey(LockClass::kRequest, schema, id));
  }
  for (const InboxStream& from : request.inbox) {
    locks.push_back(
        LockKey(LockClass::kInbox, schema, from.source, from.stream.type, from.stream.id));
  }
  std::vector<Statement> statements;
  statements.push_back({.sql = "begin"});
  statements.push_back(LockStatement(std::move(locks)));
  statements.push_back(StatesStatement(request.streams));
  if (!request.request_ids.empty()) {
    statements.push_back(
        {.sql = kAnswersSql, .params = {TextArray(request.request_ids)}, .binary_rows = true});
  }
  if (!request.inbox.empty()) statements.push_back(MarksStatement(request.inbox));

  auto results = (*connection_)->Pipeline(statements);
  if (!results.ok()) {
    (*connection_)->Rollback();
    return results.status();
  }
  in_unit_ = true;
  engine::Loaded loaded;
  std::size_t next = 2;
  loaded.streams = StatesOf((*results)[next++]);
  if (!request.request_ids.empty()) loaded.answers = AnswersOf((*results)[next++]);
  if (!request.inbox.empty()) loaded.marks = MarksOf((*results)[next++]);
  existing_.clear();
  for (const auto& [key, _] : loaded.streams) existing_.insert(key);
  return loaded;
}

absl::StatusOr<std::map<std::string, SubjectKey>> Session::LoadKeys(
    const std::vector<std::string>& subjects) {
  status::Check(in_unit_, "keys are locked inside a unit of work");
  std::vector<std::int64_t> locks;
  locks.reserve(subjects.size());
  for (const std::string& subject : subjects) {
    locks.push_back(LockKey(LockClass::kSubject, options_.schema, subject));
  }
  const std::vector<Statement> statements = {
      LockStatement(std::move(locks)),
      {.sql = kKeysSql, .params = {TextArray(subjects)}, .binary_rows = true}};
  // On an error the transaction is lost, but the unit of work goes on until Rollback, as the
  // contract has it.
  auto results = (*connection_)->Pipeline(statements);
  if (!results.ok()) return results.status();
  return KeysOf(results->back());
}

absl::Status Session::Commit(const engine::WriteSet& writes) {
  status::Check(in_unit_, "a commit without a unit of work");
  in_unit_ = false;
  std::vector<Statement> statements = StatementsFor(writes, existing_);
  statements.push_back({.sql = "commit"});
  const bool publishes = std::any_of(writes.journal.begin(), writes.journal.end(),
                                     [](const engine::JournalRow& row) { return row.publish; });
  if (publishes) {
    statements.push_back(
        {.sql = absl::StrCat("notify ", QuoteIdentifier(JournalChannel(options_.schema)))});
  }
  auto results = (*connection_)->Pipeline(statements);
  if (!results.ok()) (*connection_)->Rollback();
  return results.status();
}

void Session::Rollback() {
  if (!in_unit_) return;
  in_unit_ = false;
  (*connection_)->Rollback();
}

absl::StatusOr<Result> Session::Look(Statement settings, Statement statement) {
  if (auto connected = Connect(); !connected.ok()) return connected;
  // Both are one transaction, so the settings reach the second.
  const std::vector<Statement> statements = {std::move(settings), std::move(statement)};
  auto results = (*connection_)->Pipeline(statements);
  if (!results.ok()) return results.status();
  return results->back();
}

absl::StatusOr<std::map<StreamKey, engine::StoredStream>> Session::Peek(
    const std::vector<StreamKey>& streams) {
  auto result = Look(LockStatement({}), StatesStatement(streams));
  if (!result.ok()) return result.status();
  return StatesOf(*result);
}

absl::StatusOr<std::map<std::string, SubjectKey>> Session::PeekKeys(
    const std::vector<std::string>& subjects) {
  auto result = Look(LockStatement({}),
                     {.sql = kKeysSql, .params = {TextArray(subjects)}, .binary_rows = true});
  if (!result.ok()) return result.status();
  return KeysOf(*result);
}

absl::StatusOr<std::vector<engine::DueCommand>> Session::Due(absl::Time now, int limit) {
  auto result = Look(ByIndex(), {.sql = kDueSql,
                                 .params = {Param(TimeText(now)), Param(absl::StrCat(limit))},
                                 .binary_rows = true});
  if (!result.ok()) return result.status();
  std::vector<engine::DueCommand> due;
  for (int row = 0; row < result->rows(); ++row) {
    due.push_back({.stream = {std::string(result->text(row, 0)), std::string(result->text(row, 1))},
                   .version = result->integer(row, 2),
                   .due = result->time(row, 3),
                   .command_type = std::string(result->text(row, 4)),
                   .command = result->bytes(row, 5)});
  }
  return due;
}

absl::StatusOr<std::vector<engine::JournalRow>> Session::ReadStream(const StreamKey& stream,
                                                                    std::int64_t from_sequence,
                                                                    int limit) {
  static const std::string kStreamSql =
      absl::StrCat("select ", kJournalColumns,
                   " from journal where type = $1::text and id = $2::text "
                   "and sequence >= $3::bigint order by sequence limit $4::int");
  static const std::string kCaseSql =
      absl::StrCat("select ", kJournalColumns,
                   " from journal where $1::text = '' and partition_key = $2::text "
                   "and sequence >= $3::bigint order by xid, position limit $4::int");
  auto result =
      Look(ByIndex(), {.sql = stream.type.empty() ? kCaseSql : kStreamSql,
                       .params = {Param(stream.type), Param(stream.id),
                                  Param(absl::StrCat(from_sequence)), Param(absl::StrCat(limit))},
                       .binary_rows = true});
  if (!result.ok()) return result.status();
  std::vector<engine::JournalRow> rows;
  for (int row = 0; row < result->rows(); ++row) rows.push_back(JournalRowAt(*result, row));
  return rows;
}

}  // namespace

std::string JournalChannel(const std::string& schema) { return absl::StrCat(schema, ".journal"); }

PostgresStore::PostgresStore(Pool& pool, Options options)
    : pool_(pool), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<engine::StoreSession>> PostgresStore::Open(absl::Time deadline) {
  auto connection = pool_.Acquire(deadline);
  if (!connection.ok()) return connection.status();
  return std::make_unique<Session>(pool_, options_, *std::move(connection));
}

}  // namespace sankofa::postgres
