#include "services/platform/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"

namespace sankofa::postgres {
namespace {

constexpr std::size_t kPreparedMax = 512;
constexpr absl::string_view kSqlStatePayload = "sankofa/sqlstate";

std::string_view Field(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// Whether the same work may succeed if it is tried again.
bool Transient(std::string_view sql_state) {
  // Connection, resources (disk full, too many connections), operator intervention (shutdown, a
  // timeout), system error, rollback (serialisation, deadlock).
  for (const std::string_view group : {"08", "53", "57", "58", "40"}) {
    if (sql_state.substr(0, 2) == group) return true;
  }
  return sql_state == "55P03"      // lock not available: lock_timeout
         || sql_state == "25P03"   // idle in transaction for too long
         || sql_state == "25006";  // read-only: the server has become a standby
}

// The beginning of a statement's text without the literals in it: tells the reader of a log which
// statement it was.
std::string Head(std::string_view sql) {
  constexpr std::size_t kHeadMax = 60;
  std::string head;
  bool inside = false;
  for (const char c : sql) {
    if (head.size() == kHeadMax) break;
    if (c == '\'') inside = !inside;
    if (!inside) head.push_back(c == '\n' ? ' ' : c);
  }
  return head;
}

// What may be said of an error. The server's message can hold values ("invalid input syntax for
// type date: …"), so it is left out but for class 42, which speaks of names only, and for scripts,
// which have no parameters.
std::string Describe(const pg_result* result, std::string_view sql_state, const std::string* sql) {
  std::string text = absl::StrCat("SQLSTATE ", std::string(sql_state));
  const auto add = [&](const char* label, int code) {
    const std::string_view field = Field(result, code);
    if (!field.empty()) absl::StrAppend(&text, " ", label, " ", std::string(field));
  };
  add("table", PG_DIAG_TABLE_NAME);
  add("column", PG_DIAG_COLUMN_NAME);
  add("type", PG_DIAG_DATATYPE_NAME);
  add("constraint", PG_DIAG_CONSTRAINT_NAME);
  if (sql == nullptr || sql_state.substr(0, 2) == "42") add("-", PG_DIAG_MESSAGE_PRIMARY);
  if (sql != nullptr) absl::StrAppend(&text, " in: ", Head(*sql));
  return text;
}

// `sql`: the statement, or null for a script.
absl::Status ErrorOf(const pg_result* result, const std::string* sql) {
  const std::string sql_state(Field(result, PG_DIAG_SQLSTATE));
  const std::string text = absl::StrCat("database: ", Describe(result, sql_state, sql));
  absl::Status status = sql_state.empty() || Transient(sql_state) ? status::Unavailable(text)
                                                                  : status::Internal(text);
  status.SetPayload(kSqlStatePayload, absl::Cord(sql_state));
  return status;
}

// True where the server ends the session after this error.
bool EndsSession(const pg_result* result) {
  const std::string_view severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity == "FATAL" || severity == "PANIC";
}

bool IsError(ExecStatusType state) {
  return state == PGRES_FATAL_ERROR || state == PGRES_BAD_RESPONSE || state == PGRES_NONFATAL_ERROR;
}

// Waits until the socket can be read (or written, where `write`). False at the deadline.
bool WaitFor(int socket, bool read, bool write, absl::Time deadline) {
  for (;;) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    constexpr absl::Duration kSliceMax = absl::Seconds(60);
    // Rounded up, so that the loop does not spin in the last millisecond.
    const int wait_ms = static_cast<int>(
        absl::ToInt64Milliseconds(absl::Ceil(std::min(left, kSliceMax), absl::Milliseconds(1))));
    pollfd watched{.fd = socket,
                   .events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0)),
                   .revents = 0};
    const int ready = poll(&watched, 1, wait_ms);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    if (absl::Now() >= deadline) return false;
  }
}

std::string Setting(std::string_view name, std::string_view value) {
  return absl::StrCat(" -c ", std::string(name), "=",
                      absl::StrReplaceAll(std::string(value), {{"\\", "\\\\"}, {" ", "\\ "}}));
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration));
}

// Settings that the session starts with: cheaper than setting them in each transaction.
std::string SessionSettings(const ConnectOptions& options) {
  std::string settings;
  settings += Setting("client_min_messages", "warning");
  settings += Setting("timezone", "UTC");
  settings += Setting("datestyle", "ISO");
  settings += Setting("default_transaction_isolation", "read committed");
  settings += Setting("statement_timeout", Milliseconds(options.statement_timeout));
  settings += Setting("lock_timeout", Milliseconds(options.lock_timeout));
  settings += Setting("idle_in_transaction_session_timeout",
                      Milliseconds(options.idle_in_transaction_timeout));
  if (!options.schema.empty()) settings += Setting("search_path", QuoteIdentifier(options.schema));
  return settings;
}

}  // namespace

std::string SqlStateOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kSqlStatePayload);
  return payload ? std::string(*payload) : std::string();
}

std::string QuoteIdentifier(std::string_view name) {
  return absl::StrCat("\"", absl::StrReplaceAll(status::Absl(name), {{"\"", "\"\""}}), "\"");
}

// What was sent of one statement.
struct Connection::Sent {
  const std::string* sql = nullptr;
  bool prepares = false;
};

Connection::Connection(pg_conn* connection, const ConnectOptions& options)
    : connection_(connection), call_timeout_(options.call_timeout), faults_(options.faults) {}

Connection::~Connection() { PQfinish(connection_); }

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectOptions& options) {
  const std::string port = absl::StrCat(options.port);
  const std::string settings = SessionSettings(options);
  const std::array<std::pair<const char*, const std::string*>, 9> wanted = {{
      {"host", &options.host},
      {"port", &port},
      {"dbname", &options.database},
      {"user", &options.user},
      {"password", &options.password},
      {"application_name", &options.application_name},
      {"sslmode", &options.ssl_mode},
      {"sslrootcert", &options.ssl_root_certificate},
      {"options", &settings},
  }};
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : wanted) {
    if (value->empty()) continue;
    names.push_back(name);
    values.push_back(value->c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);

  const absl::Time deadline = absl::Now() + options.connect_timeout;
  pg_conn* raw = PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/0);
  if (raw == nullptr) return status::Unavailable("database: out of memory");
  std::unique_ptr<Connection> connection(new Connection(raw, options));
  const auto failed = [&](std::string_view why) {
    return status::Unavailable(absl::StrCat("database ", options.database, " as ", options.user,
                                            " at ", options.host, ":", options.port, ": ",
                                            std::string(why)));
  };
  // Before the first poll: as if it had asked to be written.
  PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
  while (wants != PGRES_POLLING_OK) {
    if (wants == PGRES_POLLING_FAILED || PQstatus(raw) == CONNECTION_BAD) {
      return failed(status::Std(absl::StripAsciiWhitespace(PQerrorMessage(raw))));
    }
    if (!WaitFor(PQsocket(raw), wants == PGRES_POLLING_READING, wants == PGRES_POLLING_WRITING,
                 deadline)) {
      return failed("no answer in time");
    }
    wants = PQconnectPoll(raw);
  }
  // The default writes to standard error.
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(raw, 1) != 0) return failed("the socket can't be made non-blocking");
  return connection;
}

absl::Status Connection::Lost(std::string_view what) {
  broken_ = true;
  return status::Unavailable(absl::StrCat("database connection lost: ", std::string(what)));
}

absl::StatusOr<Result> Connection::Execute(const std::string& sql,
                                           const std::vector<Param>& params) {
  return Execute(Statement{.sql = sql, .params = {params.begin(), params.end()}});
}

absl::StatusOr<Result> Connection::Execute(const Statement& statement) {
  auto results = Pipeline({&statement, 1});
  if (!results.ok()) return results.status();
  return results->front();
}

absl::StatusOr<std::vector<Result>> Connection::Pipeline(std::span<const Statement> statements) {
  if (broken_) return Lost("it was used before");
  if (const absl::Status limited = LimitPrepared(); !limited.ok()) return limited;
  const Fault fault = faults_ ? faults_->NextCall() : Fault::kNone;
  if (fault == Fault::kBeforeSend) return Lost("a test says so");

  const absl::Time deadline = absl::Now() + call_timeout_;
  if (PQenterPipelineMode(connection_) != 1) return Lost("no pipeline mode");
  std::vector<Sent> sent;
  sent.reserve(statements.size());
  if (const absl::Status status = Send(statements, sent); !status.ok()) return status;
  if (const absl::Status status = Flush(deadline); !status.ok()) return status;
  auto results = Receive(sent, deadline);
  if (fault == Fault::kAnswerLost) return Lost("a test says so");
  if (!broken_ && PQexitPipelineMode(connection_) != 1) return Lost("the pipeline did not end");
  return results;
}

absl::Status Connection::Send(std::span<const Statement> statements, std::vector<Sent>& sent) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Statement& statement : statements) {
    const auto [entry, fresh] = prepared_.try_emplace(statement.sql);
    if (fresh) {
      entry->second.name = absl::StrCat("s", ++next_name_);
      if (PQsendPrepare(connection_, entry->second.name.c_str(), statement.sql.c_str(), 0,
                        nullptr) != 1) {
        return Lost("a statement can't be sent");
      }
    }
    sent.push_back({&statement.sql, fresh});
    values.clear();
    lengths.clear();
    formats.clear();
    for (const Value& value : statement.params) {
      values.push_back(value.bytes ? value.bytes->c_str() : nullptr);
      lengths.push_back(value.bytes ? static_cast<int>(value.bytes->size()) : 0);
      formats.push_back(value.binary ? 1 : 0);
    }
    if (PQsendQueryPrepared(connection_, entry->second.name.c_str(),
                            static_cast<int>(values.size()), values.data(), lengths.data(),
                            formats.data(), statement.binary_rows ? 1 : 0) != 1) {
      return Lost("a statement can't be sent");
    }
  }
  if (PQpipelineSync(connection_) != 1) return Lost("the pipeline can't be sent");
  return absl::OkStatus();
}

// Both sides could wait for the other to read when much is sent, so what comes in is read while
// sending.
absl::Status Connection::Flush(absl::Time deadline) {
  for (;;) {
    const int left = PQflush(connection_);
    if (left == 0) return absl::OkStatus();
    if (left < 0) return Lost("sending failed");
    if (!WaitFor(PQsocket(connection_), true, true, deadline))
      return Lost("sending takes too long");
    if (PQconsumeInput(connection_) != 1) return Lost("the server closed it");
  }
}

absl::StatusOr<pg_result*> Connection::NextResult(absl::Time deadline) {
  while (PQisBusy(connection_) != 0) {
    if (!WaitFor(PQsocket(connection_), true, false, deadline)) return Lost("no answer in time");
    if (PQconsumeInput(connection_) != 1) return Lost("the server closed it");
  }
  return PQgetResult(connection_);
}

// Takes the one result of a sent message and the null that ends it. The first error is kept in
// `failed`.
absl::StatusOr<Result> Connection::Take(const std::string& sql, absl::Time deadline,
                                        absl::Status& failed) {
  auto raw = NextResult(deadline);
  if (!raw.ok()) return raw.status();
  if (*raw == nullptr) return Lost("an answer is missing");
  Result result(*raw);
  const ExecStatusType state = PQresultStatus(*raw);
  if (IsError(state)) {
    if (failed.ok()) failed = ErrorOf(*raw, &sql);
    if (EndsSession(*raw) || PQstatus(connection_) == CONNECTION_BAD) {
      broken_ = true;
      return failed;
    }
  }
  if (state == PGRES_PIPELINE_SYNC) return result;
  auto end = NextResult(deadline);
  if (!end.ok()) return end.status();
  if (*end != nullptr) {
    PQclear(*end);
    return Lost("an answer too many");
  }
  return result;
}

absl::StatusOr<std::vector<Result>> Connection::Receive(const std::vector<Sent>& sent,
                                                        absl::Time deadline) {
  std::vector<Result> results;
  results.reserve(sent.size());
  absl::Status failed;
  for (const Sent& one : sent) {
    if (one.prepares) {
      const auto prepared = Take(*one.sql, deadline, failed);
      if (!prepared.ok()) return failed.ok() ? prepared.status() : failed;
      // Refused, or skipped because of an earlier error.
      if (!failed.ok()) prepared_.erase(*one.sql);
    }
    auto result = Take(*one.sql, deadline, failed);
    if (!result.ok()) return failed.ok() ? result.status() : failed;
    results.push_back(*std::move(result));
  }
  static const std::string kEnd = "end of the pipeline";
  const auto end = Take(kEnd, deadline, failed);
  if (!end.ok()) return failed.ok() ? end.status() : failed;
  if (!failed.ok()) return failed;
  return results;
}

// Texts are meant to be constant. Where a caller builds them, the session must not grow without
// end.
absl::Status Connection::LimitPrepared() {
  if (prepared_.size() < kPreparedMax || !idle()) return absl::OkStatus();
  prepared_.clear();
  return ExecuteScript("deallocate all");
}

absl::Status Connection::ExecuteScript(const std::string& sql) {
  if (broken_) return Lost("it was used before");
  const Fault fault = faults_ ? faults_->NextCall() : Fault::kNone;
  if (fault == Fault::kBeforeSend) return Lost("a test says so");
  const absl::Time deadline = absl::Now() + call_timeout_;
  if (PQsendQuery(connection_, sql.c_str()) != 1) return Lost("a script can't be sent");
  if (const absl::Status status = Flush(deadline); !status.ok()) return status;
  absl::Status first_error;
  for (;;) {
    auto raw = NextResult(deadline);
    if (!raw.ok()) return first_error.ok() ? raw.status() : first_error;
    if (*raw == nullptr) break;
    const Result result(*raw);
    if (IsError(PQresultStatus(*raw)) && first_error.ok()) {
      first_error = ErrorOf(*raw, nullptr);
      if (EndsSession(*raw)) broken_ = true;
    }
  }
  if (fault == Fault::kAnswerLost) return Lost("a test says so");
  if (PQstatus(connection_) == CONNECTION_BAD) broken_ = true;
  return first_error;
}

absl::Status Connection::Listen(const std::string& channel) {
  return ExecuteScript(absl::StrCat("listen ", QuoteIdentifier(channel)));
}

absl::StatusOr<bool> Connection::WaitForNotify(absl::Time deadline) {
  if (broken_) return Lost("it was used before");
  for (;;) {
    if (PQconsumeInput(connection_) != 1 || PQstatus(connection_) == CONNECTION_BAD) {
      return Lost("the server closed it");
    }
    bool notified = false;
    while (PGnotify* notification = PQnotifies(connection_)) {
      PQfreemem(notification);
      notified = true;
    }
    if (notified) return true;
    if (!WaitFor(PQsocket(connection_), true, false, deadline)) return false;
  }
}

void Connection::Rollback() {
  if (broken_ || idle()) return;
  // On an error the connection is broken, and the server rolls back by itself.
  if (!ExecuteScript("rollback").ok()) broken_ = true;
}

bool Connection::idle() const { return PQtransactionStatus(connection_) == PQTRANS_IDLE; }

bool Connection::StillOpen() {
  if (broken_) return false;
  // A session that lies idle has nothing to read, except notices, words of farewell, and behind
  // them its end.
  while (!broken_ && WaitFor(PQsocket(connection_), true, false, absl::InfinitePast())) {
    broken_ = PQconsumeInput(connection_) != 1 || PQstatus(connection_) == CONNECTION_BAD;
  }
  return !broken_;
}

absl::StatusOr<std::string> Connection::PasswordVerifier(const std::string& role,
                                                         const std::string& password) {
  char* text = PQencryptPasswordConn(connection_, password.c_str(), role.c_str(), "scram-sha-256");
  if (text == nullptr) return status::Internal("a password can't be encrypted");
  std::string verifier = text;
  PQfreemem(text);
  return verifier;
}

int Connection::backend_pid() const { return PQbackendPID(connection_); }

}  // namespace sankofa::postgres
