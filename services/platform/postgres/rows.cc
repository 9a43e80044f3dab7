#include "services/platform/postgres/rows.h"

#include <iterator>

#include "absl/strings/str_join.h"
#include "services/platform/postgres/keys.h"
#include "services/platform/status/check.h"

namespace sankofa::postgres {
namespace {

using engine::Table;

// Arrays of one statement, in the order of its parameters.
std::vector<Value> Finish(std::vector<ArrayBuilder> arrays) {
  std::vector<Value> values;
  values.reserve(arrays.size());
  for (ArrayBuilder& array : arrays) values.push_back(std::move(array).Finish());
  return values;
}

std::vector<ArrayBuilder> Arrays(std::initializer_list<Type> types) {
  return {types.begin(), types.end()};
}

Statement StatesStatement(const std::vector<engine::StateWrite>& writes) {
  auto arrays = Arrays({Type::kText, Type::kText, Type::kInt8, Type::kText, Type::kBytea,
                        Type::kBytea, Type::kTimestamptz, Type::kText, Type::kBytea});
  for (const engine::StateWrite& write : writes) {
    arrays[0].Bytes(write.stream.type);
    arrays[1].Bytes(write.stream.id);
    arrays[2].Int8(write.stored.version);
    arrays[3].Bytes(write.partition_key);
    arrays[4].Bytes(write.stored.state);
    arrays[5].Bytes(write.stored.last_hash);
    if (write.due) {
      arrays[6].Time(*write.due);
      arrays[7].Bytes(write.due_command_type);
      arrays[8].Bytes(write.due_command);
    } else {
      for (int i = 6; i <= 8; ++i) arrays[i].Null();
    }
  }
  static const std::string kSql = R"sql(
insert into aggregate (type, id, version, partition_key, state, last_hash,
  due_time, due_command_type, due_command)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[],
  $7::timestamptz[], $8::text[], $9::bytea[])
on conflict (type, id) do update set
  version = excluded.version, partition_key = excluded.partition_key, state = excluded.state,
  last_hash = excluded.last_hash, updated_time = excluded.updated_time,
  due_time = excluded.due_time, due_command_type = excluded.due_command_type,
  due_command = excluded.due_command)sql";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

Statement JournalStatement(const std::vector<engine::JournalRow>& rows) {
  auto arrays =
      Arrays({Type::kText, Type::kText, Type::kInt8, Type::kText, Type::kInt4, Type::kText,
              Type::kBytea, Type::kBytea, Type::kBytea, Type::kInt8, Type::kText, Type::kText,
              Type::kText, Type::kText, Type::kText, Type::kBool});
  for (const engine::JournalRow& row : rows) {
    arrays[0].Bytes(row.stream.type);
    arrays[1].Bytes(row.stream.id);
    arrays[2].Int8(row.sequence);
    arrays[3].Bytes(row.partition_key);
    arrays[4].Int4(ShardOf(row.partition_key));
    arrays[5].Bytes(row.event_type);
    arrays[6].Bytes(row.payload);
    arrays[7].Bytes(row.previous_hash);
    arrays[8].Bytes(row.hash);
    arrays[9].Int8(absl::ToUnixNanos(row.event_time));
    arrays[10].Bytes(row.actor);
    arrays[11].Bytes(row.organisation);
    arrays[12].Bytes(row.system);
    arrays[13].Bytes(row.request_id);
    arrays[14].Bytes(row.traceparent);
    arrays[15].Bool(row.publish);
  }
  // Rows come out of unnest in the order of the arrays, and take their positions in it.
  static const std::string kSql = R"sql(
insert into journal (type, id, sequence, partition_key, shard, event_type, payload,
  previous_hash, hash, event_time_nanos, actor, organisation, system, request_id, traceparent,
  publish)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::int[], $6::text[],
  $7::bytea[], $8::bytea[], $9::bytea[], $10::bigint[], $11::text[], $12::text[], $13::text[],
  $14::text[], $15::text[], $16::bool[]))sql";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

Statement AnswersStatement(const std::vector<engine::Answer>& answers) {
  auto arrays = Arrays({Type::kText, Type::kBytea, Type::kText, Type::kBytea, Type::kTimestamptz});
  for (const engine::Answer& answer : answers) {
    arrays[0].Bytes(answer.request_id);
    arrays[1].Bytes(answer.fingerprint);
    arrays[2].Bytes(answer.type);
    arrays[3].Bytes(answer.bytes);
    arrays[4].Time(answer.time);
  }
  static const std::string kSql = R"sql(
insert into answer (request_id, fingerprint, type, bytes, time)
select * from unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::timestamptz[]))sql";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

// A subject that has a key, or had one, keeps what it has: the unit of work that would give it
// another fails.
Statement NewKeysStatement(const std::vector<engine::SubjectKey>& keys) {
  auto arrays = Arrays({Type::kText, Type::kBytea});
  for (const engine::SubjectKey& key : keys) {
    arrays[0].Bytes(key.subject_id);
    arrays[1].Bytes(key.wrapped);
  }
  static const std::string kSql =
      "insert into subject_key (subject_id, wrapped) select * from unnest($1::text[], $2::bytea[])";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

// A subject that never had a key gets a row too, so that it never will.
Statement DestroyedKeysStatement(const std::vector<std::string>& subjects) {
  static const std::string kSql = R"sql(
insert into subject_key as k (subject_id, destroyed_time)
select distinct subject_id, now() from unnest($1::text[]) as s (subject_id)
on conflict (subject_id) do update set wrapped = null, destroyed_time = excluded.destroyed_time
where k.destroyed_time is null)sql";
  return {.sql = kSql, .params = {TextArray(subjects)}};
}

Statement MarksStatement(const std::map<engine::InboxStream, std::int64_t>& marks) {
  auto arrays = Arrays({Type::kText, Type::kText, Type::kText, Type::kInt8});
  for (const auto& [from, sequence] : marks) {
    arrays[0].Bytes(from.source);
    arrays[1].Bytes(from.stream.type);
    arrays[2].Bytes(from.stream.id);
    arrays[3].Int8(sequence);
  }
  static const std::string kSql = R"sql(
insert into inbox_mark (source, type, id, sequence)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
on conflict (source, type, id) do update set sequence = excluded.sequence)sql";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

Statement DeadLettersStatement(const std::vector<engine::DeadLetter>& letters) {
  auto arrays =
      Arrays({Type::kText, Type::kText, Type::kText, Type::kInt8, Type::kText, Type::kText,
              Type::kBytea, Type::kInt8, Type::kText, Type::kText, Type::kText});
  for (const engine::DeadLetter& letter : letters) {
    arrays[0].Bytes(letter.from.source);
    arrays[1].Bytes(letter.from.stream.type);
    arrays[2].Bytes(letter.from.stream.id);
    arrays[3].Int8(letter.sequence);
    arrays[4].Bytes(letter.partition_key);
    arrays[5].Bytes(letter.event_type);
    arrays[6].Bytes(letter.payload);
    arrays[7].Int8(absl::ToUnixNanos(letter.event_time));
    arrays[8].Bytes(letter.traceparent);
    arrays[9].Bytes(letter.reason);
    arrays[10].Bytes(letter.detail);
  }
  static const std::string kSql = R"sql(
insert into dead_letter (source, type, id, sequence, partition_key, event_type, payload,
  event_time_nanos, traceparent, reason, detail)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
  $7::bytea[], $8::bigint[], $9::text[], $10::text[], $11::text[]))sql";
  return {.sql = kSql, .params = Finish(std::move(arrays))};
}

// ---- projection tables ----

// The rows of one table, of all owners.
struct TableRows {
  std::vector<std::string> owners;  // one for each row
  std::vector<int> ordinals;        // likewise; kReplace
  std::vector<const engine::Row*> rows;
  // kReplace: how many rows an owner has now, where it may have had more.
  std::vector<std::pair<std::string, int>> kept;
};

// "due_date", "amount", each with `prefix` before it.
std::string NameList(const Table& table, std::string_view prefix = {}) {
  std::vector<std::string> names;
  for (const std::string& column : table.columns) {
    names.push_back(absl::StrCat(std::string(prefix), QuoteIdentifier(column)));
  }
  return absl::StrJoin(names, ", ");
}

// The rows' columns travel as text and take the column's type here.
std::string SelectColumns(const Table& table) {
  std::vector<std::string> casts;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    casts.push_back(absl::StrCat("r.c", i, "::", table.types[i]));
  }
  return absl::StrJoin(casts, ", ");
}

// unnest($n::text[], …) as r (owner_id, [ordinal,] c0, c1, …), with n = `first`.
std::string UnnestRows(const Table& table, bool with_ordinal, int first) {
  std::vector<std::string> params = {absl::StrCat("$", first++, "::text[]")};
  std::vector<std::string> names = {"owner_id"};
  if (with_ordinal) {
    params.push_back(absl::StrCat("$", first++, "::int[]"));
    names.emplace_back("ordinal");
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    params.push_back(absl::StrCat("$", first++, "::text[]"));
    names.push_back(absl::StrCat("c", i));
  }
  return absl::StrCat("unnest(", absl::StrJoin(params, ", "), ") as r (",
                      absl::StrJoin(names, ", "), ")");
}

std::string ReplaceSql(const Table& table) {
  const std::string name = QuoteIdentifier(table.name);
  const std::string comma = table.columns.empty() ? "" : ", ";
  std::vector<std::string> sets;
  for (const std::string& column : table.columns) {
    const std::string quoted = QuoteIdentifier(column);
    sets.push_back(absl::StrCat(quoted, " = excluded.", quoted));
  }
  const std::string update =
      sets.empty() ? "nothing"
                   : absl::StrCat("update set ", absl::StrJoin(sets, ", "), " where (",
                                  NameList(table, "t."), ") is distinct from (",
                                  NameList(table, "excluded."), ")");
  return absl::StrCat("with surplus as (delete from ", name,
                      " p using unnest($1::text[], $2::int[]) as k (owner_id, rows) "
                      "where p.owner_id = k.owner_id and p.ordinal >= k.rows) insert into ",
                      name, " as t (owner_id, ordinal", comma, NameList(table),
                      ") select r.owner_id, r.ordinal", comma, SelectColumns(table), " from ",
                      UnnestRows(table, true, 3), " on conflict (owner_id, ordinal) do ", update);
}

std::string AppendSql(const Table& table) {
  const std::string comma = table.columns.empty() ? "" : ", ";
  return absl::StrCat("insert into ", QuoteIdentifier(table.name), " (owner_id", comma,
                      NameList(table), ") select r.owner_id", comma, SelectColumns(table), " from ",
                      UnnestRows(table, false, 1));
}

Statement TableStatement(const Table& table, const TableRows& content) {
  const bool replace = table.mode == Table::Mode::kReplace;
  status::Check(table.columns.size() == table.types.size(),
                absl::StrCat("table ", table.name, " has not a type for each column"));
  std::vector<ArrayBuilder> arrays;
  if (replace) {
    arrays = Arrays({Type::kText, Type::kInt4});
    for (const auto& [owner, rows] : content.kept) {
      arrays[0].Bytes(owner);
      arrays[1].Int4(rows);
    }
  }
  ArrayBuilder& owners = arrays.emplace_back(Type::kText);
  for (const std::string& owner : content.owners) owners.Bytes(owner);
  if (replace) {
    ArrayBuilder& ordinals = arrays.emplace_back(Type::kInt4);
    for (const int ordinal : content.ordinals) ordinals.Int4(ordinal);
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    ArrayBuilder& array = arrays.emplace_back(Type::kText);
    for (const engine::Row* row : content.rows) {
      status::Check(
          row->values.size() == table.columns.size(),
          absl::StrCat("a row of table ", table.name, " has not a value for each column"));
      array.Text(row->values[column]);
    }
  }
  return {.sql = replace ? ReplaceSql(table) : AppendSql(table),
          .params = Finish(std::move(arrays))};
}

// By name, so that units of work write tables in one order.
struct ByName {
  bool operator()(const Table* a, const Table* b) const { return a->name < b->name; }
};

void AddTableStatements(const engine::WriteSet& writes, const std::set<engine::StreamKey>& existing,
                        std::vector<Statement>& statements) {
  std::map<const Table*, TableRows, ByName> tables;
  for (const engine::StateWrite& write : writes.states) {
    if (write.table == nullptr) continue;
    status::Check(write.table->mode == Table::Mode::kReplace,
                  absl::StrCat("table ", write.table->name, " of a state is not kReplace"));
    TableRows& content = tables[write.table];
    int ordinal = 0;
    for (const engine::Row& row : write.rows) {
      content.owners.push_back(write.stream.id);
      content.ordinals.push_back(ordinal++);
      content.rows.push_back(&row);
    }
    if (existing.contains(write.stream)) content.kept.emplace_back(write.stream.id, ordinal);
  }
  for (const engine::AppendRows& append : writes.appends) {
    status::Check(append.table->mode == Table::Mode::kAppend,
                  absl::StrCat("table ", append.table->name, " of events is not kAppend"));
    TableRows& content = tables[append.table];
    for (const engine::Row& row : append.rows) {
      content.owners.push_back(append.owner_id);
      content.rows.push_back(&row);
    }
  }
  for (const auto& [table, content] : tables) {
    if (content.rows.empty() && content.kept.empty()) continue;
    statements.push_back(TableStatement(*table, content));
  }
}

}  // namespace

std::vector<Statement> StatementsFor(const engine::WriteSet& writes,
                                     const std::set<engine::StreamKey>& existing) {
  std::vector<Statement> statements;
  if (!writes.states.empty()) statements.push_back(StatesStatement(writes.states));
  if (!writes.journal.empty()) statements.push_back(JournalStatement(writes.journal));
  if (!writes.answers.empty()) statements.push_back(AnswersStatement(writes.answers));
  AddTableStatements(writes, existing, statements);
  // A key that was made and destroyed in one unit of work ends destroyed.
  if (!writes.new_keys.empty()) statements.push_back(NewKeysStatement(writes.new_keys));
  if (!writes.destroyed_keys.empty()) {
    statements.push_back(DestroyedKeysStatement(writes.destroyed_keys));
  }
  if (!writes.marks.empty()) statements.push_back(MarksStatement(writes.marks));
  if (!writes.dead_letters.empty()) statements.push_back(DeadLettersStatement(writes.dead_letters));
  return statements;
}

Statement ByIndex() {
  static const std::string kSql = R"sql(
select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_sort', 'off', true))sql";
  return {.sql = kSql, .params = {}};
}

engine::JournalRow JournalRowAt(const Result& result, int row) {
  const auto text = [&](int column) { return std::string(result.text(row, column)); };
  return {.stream = {text(0), text(1)},
          .sequence = result.integer(row, 2),
          .partition_key = text(3),
          .event_type = text(4),
          .payload = text(5),
          .previous_hash = text(6),
          .hash = text(7),
          .event_time = absl::FromUnixNanos(result.integer(row, 8)),
          .actor = text(9),
          .organisation = text(10),
          .system = text(11),
          .request_id = text(12),
          .traceparent = text(13),
          .publish = result.integer(row, 14) != 0};
}

}  // namespace sankofa::postgres
