#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/postgres/connection.h"
#include "services/platform/service/definition.h"

// How a database comes to be what the services expect. An administrator makes roles and schemas
// (Bootstrap); each service makes its own tables under its own role (Migrate).
namespace sankofa::postgres {

struct BootstrapOptions {
  ConnectOptions admin;  // a role that may create roles and, in this database, schemas
  std::vector<std::string> services;
  std::string password_folder;  // holds <service>.password
};

// Makes a role and a schema for each service, both called after it. The role owns its schema and
// has no right in another's. Can be run again; a changed password file changes the password.
[[nodiscard]] absl::Status Bootstrap(const BootstrapOptions& options);

// The advisory lock that Bootstrap holds: for others that change roles.
[[nodiscard]] std::int64_t BootstrapLockKey();

// The text of <folder>/<service>.password without the line's end. FAILED_PRECONDITION where it
// can't be read.
[[nodiscard]] absl::StatusOr<std::string> ReadPassword(const std::string& folder,
                                                       const std::string& service);

// Brings the service's schema up to date: the platform's tables, then `migrations` in the order of
// their names, each file in a transaction and once. One process at a time does it; others wait.
// Also makes the journal's partitions, and puts the journal in order after a dump was restored into
// another server.
//
// FAILED_PRECONDITION, with what to do, where a file was changed after it was applied. Files that
// this binary does not know are left alone: during a rolling upgrade the old binary meets the new
// one's schema.
[[nodiscard]] absl::Status Migrate(const ConnectOptions& service, const std::string& schema,
                                   const std::vector<service::Migration>& migrations);

// OK where every file is applied as this binary has it: for the health of a process that does not
// migrate by itself.
[[nodiscard]] absl::Status CheckMigrated(Connection& connection,
                                         const std::vector<service::Migration>& migrations);

// A schema's migrations beside those of this binary.
struct ComparedMigrations {
  std::vector<std::string> missing;  // not applied; all of them where the schema has no tables yet
  std::vector<std::string> changed;  // applied with another text
  std::vector<std::string> newer;    // applied, and not known to this binary
};
[[nodiscard]] absl::StatusOr<ComparedMigrations> CompareMigrations(
    Connection& connection, const std::vector<service::Migration>& migrations);

// The platform's own migrations; Migrate and CheckMigrated put them before the service's.
[[nodiscard]] std::vector<service::Migration> Migrations();

}  // namespace sankofa::postgres
