#pragma once

#include <memory>
#include <string>

#include "services/platform/engine/store.h"
#include "services/platform/postgres/pool.h"

// The engine's store over PostgreSQL: one service, one schema (migrations/0000_platform.sql).
//
// Locks. A unit of work takes transaction-level advisory locks: on streams, request ids and inbox
// streams in one statement, in the order of their keys, later on subjects. Not row locks, for three
// reasons. A row lock gives the transaction its id (xid) before it has waited for its other locks,
// so a transaction with a low id may write after one with a higher id, and the order of ids may
// contradict the order in a stream. Advisory locks assign no id: the first write does, when all
// locks are held, so whoever had a stream first has the lower id, and the relay may publish in the
// order of ids. Second, an advisory lock covers what does not exist yet: a new aggregate, an unused
// request id. Third, it writes nothing.
//
// Freshness. Each statement of a READ COMMITTED transaction takes a new snapshot, and a lock is
// released only after its transaction has become visible. So what is read after the locks is
// current.
//
// Round trips. Load is one: BEGIN, locks, states, answers, marks. Commit is one: a multi-row
// statement for each table, COMMIT, and NOTIFY for the relay. NOTIFY comes after COMMIT, as a
// transaction of its own: it takes a lock on the whole server until its transaction ends, and
// inside ours that would be until the disk has answered, one commit at a time. A notification that
// is lost costs nothing but time, for the relay looks by itself.
//
// Nothing is retried here.
namespace sankofa::postgres {

// The channel that is notified when rows to be published were written.
[[nodiscard]] std::string JournalChannel(const std::string& schema);

// Sessions take a connection of the pool when they first need one, take another when it broke, and
// give it back at their end. Thread-safe; the pool must outlive it. The pool's connections must
// have `schema` as their search path.
//
// Projection tables: rows that are equal to those stored are not written again, so their columns'
// types need equality (jsonb, not json).
class PostgresStore final : public engine::Store {
 public:
  struct Options {
    std::string schema;
    // How long a session waits for a connection in place of one that broke.
    absl::Duration acquire_timeout = absl::Seconds(5);
  };
  PostgresStore(Pool& pool, Options options);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<engine::StoreSession>> Open(
      absl::Time deadline) override;

 private:
  Pool& pool_;
  const Options options_;
};

}  // namespace sankofa::postgres
