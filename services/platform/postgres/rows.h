#pragma once

#include <set>
#include <string>
#include <vector>

#include "services/platform/engine/store.h"
#include "services/platform/postgres/connection.h"

// What a unit of work writes, as statements: one for each table, its rows as arrays of columns.
namespace sankofa::postgres {

// `existing`: the streams that were there when the unit of work was loaded; of others there are no
// projection rows that could be left over.
[[nodiscard]] std::vector<Statement> StatementsFor(const engine::WriteSet& writes,
                                                   const std::set<engine::StreamKey>& existing);

// For the first place in a transaction's pipeline: its statements find rows by index and in the
// order of the index, whatever the tables' sizes were when the statements were planned. A plan is
// made once for a connection, perhaps while a table is still empty, and must be good when the table
// is large.
[[nodiscard]] Statement ByIndex();

// The columns of a journal row for a select list, and the row that they make, read in binary form.
inline constexpr char kJournalColumns[] =
    "type, id, sequence, partition_key, event_type, payload, previous_hash, hash, "
    "event_time_nanos, "
    "actor, organisation, system, request_id, traceparent, publish";
inline constexpr int kJournalColumnCount = 15;
[[nodiscard]] engine::JournalRow JournalRowAt(const Result& result, int row);

}  // namespace sankofa::postgres
