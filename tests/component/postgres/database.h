#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/platform/postgres/migrate.h"
#include "services/platform/postgres/pool.h"

// A service's database for one test: a role and a schema of its own on the PostgreSQL of the test
// node, migrated, gone at the end. The node's configuration is named by SANKOFA_TEST_CONFIG;
// scripts/test starts the node and sets it.
namespace sankofa::postgres::testing {

class Database {
 public:
  // Ends the test with what to do where there is no test node.
  explicit Database(const std::vector<service::Migration>& migrations = {});
  // With one migration of this text.
  explicit Database(const std::string& sql)
      : Database(std::vector<service::Migration>{{"0001_test.sql", sql}}) {}
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The name of the service, its role and its schema.
  [[nodiscard]] const std::string& service() const { return service_; }
  // As the service's role.
  [[nodiscard]] const ConnectOptions& options() const { return options_; }
  // As the administrator, with this schema as search path.
  [[nodiscard]] ConnectOptions admin() const;
  // Folder of the password file.
  [[nodiscard]] const std::string& password_folder() const { return folder_; }
  [[nodiscard]] std::unique_ptr<Connection> Connect() const;
  [[nodiscard]] std::unique_ptr<Connection> ConnectAdmin() const;
  // One value of one row, as the service.
  [[nodiscard]] std::string Value(const std::string& sql) const;
  [[nodiscard]] std::int64_t Number(const std::string& sql) const;
  // Ends the sessions of the service's role, as a failing server would; says how many.
  int EndSessions() const;
  // Waits until a session of the role waits for a lock.
  void AwaitBlocked(int sessions = 1) const;

 private:
  ConnectOptions admin_;
  ConnectOptions options_;
  std::string service_;
  std::string folder_;
};

}  // namespace sankofa::postgres::testing
