#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/postgres/faults.h"
#include "services/platform/postgres/result.h"
#include "services/platform/postgres/value.h"

struct pg_conn;

// A connection to PostgreSQL over libpq. Every call is one round trip and waits for at most
// `call_timeout`.
//
// Errors are of two kinds. UNAVAILABLE: the connection is lost, the server is short of something or
// another transaction was in the way; the same work may succeed if it is tried again. INTERNAL:
// everything else. The text names SQLSTATE, table and constraint, never a value: values may be
// personal data.
namespace sankofa::postgres {

struct ConnectOptions {
  std::string host;  // name, address, or folder of the Unix socket
  int port = 5432;
  std::string database;
  std::string user;
  std::string password;
  std::string application_name = "sankofa";
  // The schema that unqualified names mean; empty: as the server says for the role.
  std::string schema;
  std::string ssl_mode = "prefer";  // libpq's sslmode
  std::string ssl_root_certificate;

  absl::Duration connect_timeout = absl::Seconds(5);
  // The longest that a client waits for the answers of one call; then the connection counts as
  // lost.
  absl::Duration call_timeout = absl::Seconds(30);
  // Limits inside the server. Zero: none.
  absl::Duration statement_timeout = absl::Seconds(20);
  absl::Duration lock_timeout = absl::Seconds(10);
  // A unit of work whose client has gone silent keeps its locks no longer than this.
  absl::Duration idle_in_transaction_timeout = absl::Seconds(30);

  // For tests: makes calls fail. Shared by all connections that are opened with these options.
  std::shared_ptr<Faults> faults;
};

// One statement of a pipeline.
struct Statement {
  std::string sql;
  std::vector<Value> params;
  // Rows in binary form: for bytea and numbers.
  bool binary_rows = false;
};

// The five characters of SQLSTATE that a status of this library carries; empty where the server
// said nothing.
[[nodiscard]] std::string SqlStateOf(const absl::Status& status);

// `"name"` with quotes doubled, for a name that is put into a statement's text.
[[nodiscard]] std::string QuoteIdentifier(std::string_view name);

// Used by one thread at a time.
class Connection {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Connection>> Open(
      const ConnectOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement; outside a transaction it commits by itself. It is prepared on first use and
  // found by its text afterwards, so texts should be constant.
  [[nodiscard]] absl::StatusOr<Result> Execute(const std::string& sql,
                                               const std::vector<Param>& params = {});
  [[nodiscard]] absl::StatusOr<Result> Execute(const Statement& statement);

  // Several statements in one round trip. Without BEGIN among them they are one transaction. The
  // first that fails ends the pipeline and its error is returned; a transaction that was begun is
  // then to be rolled back.
  [[nodiscard]] absl::StatusOr<std::vector<Result>> Pipeline(std::span<const Statement> statements);

  // A text of several statements without parameters, for migrations. The error holds the server's
  // own message.
  [[nodiscard]] absl::Status ExecuteScript(const std::string& sql);

  [[nodiscard]] absl::Status Listen(const std::string& channel);
  // True as soon as a notification is there (all that are there are taken), false at the deadline.
  [[nodiscard]] absl::StatusOr<bool> WaitForNotify(absl::Time deadline);

  // Ends a transaction, whatever its state. Nothing where none is open.
  void Rollback();

  // A role's password in the form that the server stores (SCRAM), for CREATE and ALTER ROLE: so it
  // is never in a statement in clear. Has no quotes in it.
  [[nodiscard]] absl::StatusOr<std::string> PasswordVerifier(const std::string& role,
                                                             const std::string& password);

  // The connection is of no more use: it is lost or in an unknown state.
  [[nodiscard]] bool broken() const { return broken_; }
  // No transaction is open.
  [[nodiscard]] bool idle() const;
  // Looks, without a round trip, whether the server has closed the connection meanwhile.
  [[nodiscard]] bool StillOpen();
  [[nodiscard]] int backend_pid() const;

 private:
  // A statement prepared in this session.
  struct Prepared {
    std::string name;
  };
  struct Sent;

  explicit Connection(pg_conn* connection, const ConnectOptions& options);
  [[nodiscard]] absl::Status Send(std::span<const Statement> statements, std::vector<Sent>& sent);
  [[nodiscard]] absl::Status Flush(absl::Time deadline);
  [[nodiscard]] absl::StatusOr<std::vector<Result>> Receive(const std::vector<Sent>& sent,
                                                            absl::Time deadline);
  [[nodiscard]] absl::StatusOr<Result> Take(const std::string& sql, absl::Time deadline,
                                            absl::Status& failed);
  [[nodiscard]] absl::StatusOr<pg_result*> NextResult(absl::Time deadline);
  [[nodiscard]] absl::Status Lost(std::string_view what);
  [[nodiscard]] absl::Status LimitPrepared();

  pg_conn* connection_;
  const absl::Duration call_timeout_;
  const std::shared_ptr<Faults> faults_;
  std::unordered_map<std::string, Prepared> prepared_;  // by text
  std::int64_t next_name_ = 0;
  bool broken_ = false;
};

}  // namespace sankofa::postgres
