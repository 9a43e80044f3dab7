#include "tests/component/postgres/database.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "services/platform/config/config.h"
#include "services/platform/status/check.h"

namespace sankofa::postgres::testing {
namespace {

config::Postgres TestNode() {
  const char* file = std::getenv("SANKOFA_TEST_CONFIG");
  status::Check(
      file != nullptr && *file != '\0',
      "SANKOFA_TEST_CONFIG is not set: this test needs a test node's PostgreSQL. Run it through "
      "scripts/test, which starts one.");
  auto loaded = config::Load(file);
  status::Check(loaded.ok(), absl::StrCat(file, ": ", loaded.status().ToString()));
  return loaded->postgres;
}

// Unique among tests that run side by side.
std::string FreshName() {
  static std::atomic<int> counter = 0;
  return absl::StrCat("t", getpid(), "_", ++counter);
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void Must(const absl::Status& status) { status::Check(status.ok(), status.ToString()); }

}  // namespace

Database::Database(const std::vector<service::Migration>& migrations) : service_(FreshName()) {
  const config::Postgres node = TestNode();
  admin_ = {.host = node.host,
            .port = node.port,
            .database = node.database,
            .user = node.admin.user,
            .password = FirstLine(node.admin.password_file),
            .application_name = "test"};
  folder_ = std::filesystem::temp_directory_path() / absl::StrCat("sankofa-", service_);
  std::filesystem::create_directory(folder_);
  std::ofstream(absl::StrCat(folder_, "/", service_, ".password")) << "of " << service_ << "\n";

  Must(Bootstrap({.admin = admin_, .services = {service_}, .password_folder = folder_}));
  options_ = admin_;
  options_.user = options_.schema = service_;
  options_.password = *ReadPassword(folder_, service_);
  Must(Migrate(options_, service_, migrations));
}

Database::~Database() {
  std::filesystem::remove_all(folder_);
  // A test's session that is still open must not keep the schema from going.
  EndSessions();
  const auto connection = ConnectAdmin();
  // Others make and drop roles too; the server does not let two change one thing at a time.
  Must(
      connection->Execute("select pg_advisory_lock($1::bigint)", {absl::StrCat(BootstrapLockKey())})
          .status());
  Must(connection->ExecuteScript(absl::StrCat("drop schema if exists ", service_, " cascade;",
                                              "drop owned by ", service_, " cascade;", "drop role ",
                                              service_)));
}

ConnectOptions Database::admin() const {
  ConnectOptions options = admin_;
  options.schema = service_;
  return options;
}

std::unique_ptr<Connection> Database::Connect() const {
  auto opened = Connection::Open(options_);
  Must(opened.status());
  return *std::move(opened);
}

std::unique_ptr<Connection> Database::ConnectAdmin() const {
  auto opened = Connection::Open(admin());
  Must(opened.status());
  return *std::move(opened);
}

std::string Database::Value(const std::string& sql) const {
  auto result = Connect()->Execute(sql);
  Must(result.status());
  status::Check(result->rows() == 1, absl::StrCat("not one row: ", sql));
  return std::string(result->text(0, 0));
}

std::int64_t Database::Number(const std::string& sql) const {
  auto result = Connect()->Execute(sql);
  Must(result.status());
  status::Check(result->rows() == 1, absl::StrCat("not one row: ", sql));
  return result->integer(0, 0);
}

int Database::EndSessions() const {
  auto result = ConnectAdmin()->Execute(
      "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where usename = "
      "$1::text",
      {service_});
  Must(result.status());
  return static_cast<int>(result->integer(0, 0));
}

void Database::AwaitBlocked(int sessions) const {
  const auto connection = ConnectAdmin();
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  for (;;) {
    auto result = connection->Execute(
        "select count(*) from pg_stat_activity where usename = $1::text and wait_event_type = "
        "'Lock'",
        {service_});
    Must(result.status());
    if (result->integer(0, 0) >= sessions) return;
    status::Check(absl::Now() < deadline, "nobody waits for a lock");
  }
}

}  // namespace sankofa::postgres::testing
