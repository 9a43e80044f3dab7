#include "services/platform/postgres/migrate.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/platform/postgres/journal.h"
#include "services/platform/postgres/keys.h"

namespace sankofa::postgres {
namespace {

using service::Migration;

// Migrations may take long; nobody waits for them with a deadline.
constexpr absl::Duration kMigrationMax = absl::Hours(6);

std::string HashOf(const std::string& sql) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(sql.data()), sql.size());
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

std::vector<Migration> WithPlatform(const std::vector<Migration>& migrations) {
  std::vector<Migration> all = Migrations();
  all.insert(all.end(), migrations.begin(), migrations.end());
  return all;
}

absl::Status CheckNames(const std::vector<Migration>& migrations) {
  for (std::size_t i = 1; i < migrations.size(); ++i) {
    if (migrations[i - 1].name >= migrations[i].name) {
      return absl::FailedPreconditionError(absl::StrCat("migration ", migrations[i].name,
                                                        " stands behind ", migrations[i - 1].name,
                                                        ": number them in order"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> Applied(Connection& connection) {
  auto result = connection.Execute("select name, hash from schema_migration");
  if (!result.ok()) return result.status();
  std::map<std::string, std::string> applied;
  for (int row = 0; row < result->rows(); ++row) {
    applied.emplace(result->text(row, 0), result->text(row, 1));
  }
  return applied;
}

absl::Status CheckUnchanged(const Migration& migration, const std::string& applied_hash) {
  if (HashOf(migration.sql) == applied_hash) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("migration ", migration.name,
                   " was changed after it had been applied to this database. Restore the file as "
                   "it was and put the change into a new migration."));
}

// Where the transaction fails, nothing of the file was done.
absl::Status Apply(Connection& connection, const Migration& migration) {
  auto done = connection.ExecuteScript("begin");
  if (done.ok()) done = connection.ExecuteScript(migration.sql);
  if (done.ok()) {
    done = connection
               .Execute("insert into schema_migration (name, hash) values ($1::text, $2::text)",
                        {migration.name, HashOf(migration.sql)})
               .status();
  }
  if (done.ok()) done = connection.ExecuteScript("commit");
  if (!done.ok()) connection.Rollback();
  return done;
}

absl::Status ApplyMissing(Connection& connection, const std::vector<Migration>& migrations) {
  if (auto made = connection.ExecuteScript(
          "create table if not exists schema_migration (name text primary key, hash text not null, "
          "applied_time timestamptz not null default now())");
      !made.ok()) {
    return made;
  }
  const auto applied = Applied(connection);
  if (!applied.ok()) return applied.status();
  // First all checks: a changed file keeps the newer ones from being applied, too.
  for (const Migration& migration : migrations) {
    const auto found = applied->find(migration.name);
    if (found == applied->end()) continue;
    if (auto unchanged = CheckUnchanged(migration, found->second); !unchanged.ok()) {
      return unchanged;
    }
  }
  for (const Migration& migration : migrations) {
    if (applied->contains(migration.name)) continue;
    if (auto done = Apply(connection, migration); !done.ok()) return done;
  }
  return absl::OkStatus();
}

// See journal_is_ahead in 0000_platform.sql.
absl::Status RebaseIfRestored(Connection& connection) {
  auto ahead = connection.Execute("select journal_is_ahead($1::int)", {absl::StrCat(kShards)});
  if (!ahead.ok()) return ahead.status();
  if (ahead->integer(0, 0) == 0) return absl::OkStatus();
  return connection.Execute("select rebase_journal()").status();
}

// A name that can stand in a statement, a role and a channel.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name.size() < 60 && absl::ascii_islower(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

absl::Status MakeService(Connection& connection, const BootstrapOptions& options,
                         const std::string& service) {
  if (!IsPlainName(service)) {
    return absl::InvalidArgumentError(absl::StrCat(service, " can't be the name of a service"));
  }
  const auto password = ReadPassword(options.password_folder, service);
  if (!password.ok()) return password.status();
  const auto verifier = connection.PasswordVerifier(service, *password);
  if (!verifier.ok()) return verifier.status();
  auto known = connection.Execute(
      "select exists (select from pg_roles where rolname = $1::text), "
      "pg_has_role(current_user, coalesce((select oid from pg_roles where rolname = $1::text), "
      "(select oid from pg_roles where rolname = current_user)), 'member')",
      {service});
  if (!known.ok()) return known.status();
  const bool exists = known->integer(0, 0) != 0;
  const bool member = exists && known->integer(0, 1) != 0;

  const std::string role = QuoteIdentifier(service);
  const std::string database = QuoteIdentifier(options.admin.database);
  std::string script = "begin;";
  absl::StrAppend(&script, exists ? "alter" : "create", " role ", role, " with login password '",
                  *verifier, "';");
  // To make a schema for a role, one must be a member of it.
  if (!member) absl::StrAppend(&script, "grant ", role, " to current_user;");
  absl::StrAppend(&script, "grant connect on database ", database, " to ", role, ";");
  absl::StrAppend(&script, "create schema if not exists ", role, " authorization ", role, ";");
  absl::StrAppend(&script, "revoke all on schema ", role, " from public;");
  absl::StrAppend(&script, "alter role ", role, " in database ", database,
                  " set search_path = ", role, ";commit");
  auto done = connection.ExecuteScript(script);
  if (!done.ok()) connection.Rollback();
  return done;
}

}  // namespace

absl::StatusOr<std::string> ReadPassword(const std::string& folder, const std::string& service) {
  const std::string path = absl::StrCat(folder, "/", service, ".password");
  std::ifstream file(path);
  std::string password;
  if (!file || !std::getline(file, password) || password.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the password file ", path, " is missing, empty or not readable"));
  }
  if (password.back() == '\r') password.pop_back();
  return password;
}

std::int64_t BootstrapLockKey() { return LockKey(LockClass::kMigration, "", "bootstrap"); }

absl::Status Bootstrap(const BootstrapOptions& options) {
  auto connection = Connection::Open(options.admin);
  if (!connection.ok()) return connection.status();
  // Roles are the whole server's: two processes that change one at a time would fail.
  auto locked =
      (*connection)
          ->Execute("select pg_advisory_lock($1::bigint)", {absl::StrCat(BootstrapLockKey())});
  if (!locked.ok()) return locked.status();
  for (const std::string& service : options.services) {
    if (auto made = MakeService(**connection, options, service); !made.ok()) return made;
  }
  return absl::OkStatus();
}

absl::Status Migrate(const ConnectOptions& service, const std::string& schema,
                     const std::vector<Migration>& migrations) {
  const std::vector<Migration> all = WithPlatform(migrations);
  if (auto ordered = CheckNames(all); !ordered.ok()) return ordered;
  ConnectOptions options = service;
  options.schema = schema;
  options.call_timeout = options.statement_timeout = options.lock_timeout = kMigrationMax;
  options.idle_in_transaction_timeout = absl::ZeroDuration();
  auto connection = Connection::Open(options);
  if (!connection.ok()) return connection.status();
  // Given up with the session.
  auto locked = (*connection)
                    ->Execute("select pg_advisory_lock($1::bigint)",
                              {absl::StrCat(LockKey(LockClass::kMigration, schema, "migrate"))});
  if (!locked.ok()) return locked.status();
  if (auto done = ApplyMissing(**connection, all); !done.ok()) return done;
  if (auto done = RebaseIfRestored(**connection); !done.ok()) return done;
  return MaintainPartitions(**connection, {.journal = std::nullopt, .answers = std::nullopt})
      .status();
}

absl::StatusOr<ComparedMigrations> CompareMigrations(Connection& connection,
                                                     const std::vector<Migration>& migrations) {
  auto applied = Applied(connection);
  if (!applied.ok()) {
    if (SqlStateOf(applied.status()) != "42P01") return applied.status();
    applied.emplace();
  }
  ComparedMigrations compared;
  for (const Migration& migration : WithPlatform(migrations)) {
    const auto found = applied->find(migration.name);
    if (found == applied->end()) {
      compared.missing.push_back(migration.name);
      continue;
    }
    if (HashOf(migration.sql) != found->second) compared.changed.push_back(migration.name);
    applied->erase(found);
  }
  for (const auto& [name, _] : *applied) compared.newer.push_back(name);
  return compared;
}

absl::Status CheckMigrated(Connection& connection, const std::vector<Migration>& migrations) {
  const auto applied = Applied(connection);
  if (!applied.ok()) {
    if (SqlStateOf(applied.status()) != "42P01") return applied.status();
    return absl::FailedPreconditionError("the schema has no tables yet: run `sankofa migrate`");
  }
  for (const Migration& migration : WithPlatform(migrations)) {
    const auto found = applied->find(migration.name);
    if (found == applied->end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("migration ", migration.name, " is not applied: run `sankofa migrate`"));
    }
    if (auto unchanged = CheckUnchanged(migration, found->second); !unchanged.ok()) {
      return unchanged;
    }
  }
  return absl::OkStatus();
}

}  // namespace sankofa::postgres
