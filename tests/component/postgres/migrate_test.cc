#include "services/platform/postgres/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "services/platform/postgres/store.h"
#include "tests/component/postgres/database.h"

namespace sankofa::postgres {
namespace {

using service::Migration;
using testing::Database;
using ::testing::HasSubstr;

const std::vector<Migration>& TwoFiles() {
  static const std::vector<Migration> made = {
      {"0001_a.sql", "create table a (n int); insert into a values (1);"},
      {"0002_b.sql", "create table b (n int);"}};
  return made;
}

TEST(Migrate, AppliesEachFileOnce) {
  const Database database(TwoFiles());
  ASSERT_TRUE(Migrate(database.options(), database.service(), TwoFiles()).ok());
  EXPECT_EQ(database.Number("select count(*) from a"), 1);
  EXPECT_EQ(database.Value("select string_agg(name, ' ' order by name) from schema_migration"),
            "0000_platform.sql 0000_relay_topics.sql 0001_a.sql 0002_b.sql");
  EXPECT_TRUE(CheckMigrated(*database.Connect(), TwoFiles()).ok());
}

TEST(Migrate, RefusesAFileThatWasChangedAfterwards) {
  const Database database(TwoFiles());
  std::vector<Migration> changed = TwoFiles();
  changed[0].sql += " ";
  changed.push_back({"0003_c.sql", "create table c (n int)"});
  const absl::Status refused = Migrate(database.options(), database.service(), changed);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("0001_a.sql was changed"));
  EXPECT_EQ(database.Value("select to_regclass('c') is null"), "t");
  EXPECT_EQ(CheckMigrated(*database.Connect(), changed).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Migrate, AFileThatFailsLeavesNothing) {
  const Database database(TwoFiles());
  std::vector<Migration> more = TwoFiles();
  more.push_back({"0003_c.sql", "create table c (n int); insert into nowhere values (1);"});
  const absl::Status failed = Migrate(database.options(), database.service(), more);
  EXPECT_EQ(SqlStateOf(failed), "42P01");
  EXPECT_EQ(database.Value("select to_regclass('c') is null"), "t");
  // The file can be put right, for it was never applied.
  more.back().sql = "create table c (n int)";
  EXPECT_TRUE(Migrate(database.options(), database.service(), more).ok());
  EXPECT_EQ(database.Value("select to_regclass('c') is null"), "f");
}

TEST(Migrate, LeavesFilesOfANewerBinaryAlone) {
  const Database database(TwoFiles());
  const std::vector<Migration> older = {TwoFiles()[0]};
  EXPECT_TRUE(Migrate(database.options(), database.service(), older).ok());
  EXPECT_TRUE(CheckMigrated(*database.Connect(), older).ok());
}

TEST(Migrate, RefusesFilesOutOfOrder) {
  const Database database;
  EXPECT_EQ(Migrate(database.options(), database.service(), {TwoFiles()[1], TwoFiles()[0]}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Migrate, SaysWhatIsNotAppliedYet) {
  const Database database({TwoFiles()[0]});
  const absl::Status missing = CheckMigrated(*database.Connect(), TwoFiles());
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("0002_b.sql is not applied"));
}

TEST(Migrate, ProcessesThatStartTogetherWaitForEachOther) {
  const Database database;
  std::vector<std::thread> processes;
  std::vector<absl::Status> outcomes(4);
  for (absl::Status& outcome : outcomes) {
    processes.emplace_back(
        [&] { outcome = Migrate(database.options(), database.service(), TwoFiles()); });
  }
  for (std::thread& process : processes) process.join();
  for (const absl::Status& outcome : outcomes) EXPECT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ(database.Number("select count(*) from a"), 1);
}

TEST(Bootstrap, CanBeRunAgainAndFollowsThePasswordFile) {
  const Database database;
  std::ofstream(absl::StrCat(database.password_folder(), "/", database.service(), ".password"))
      << "another\n";
  ASSERT_TRUE(Bootstrap({.admin = database.admin(),
                         .services = {database.service()},
                         .password_folder = database.password_folder()})
                  .ok());
  EXPECT_EQ(Connection::Open(database.options()).status().code(), absl::StatusCode::kUnavailable);
  ConnectOptions options = database.options();
  options.password = "another";
  EXPECT_TRUE(Connection::Open(options).ok());
}

TEST(Bootstrap, RefusesWithoutAPassword) {
  const Database database;
  EXPECT_EQ(Bootstrap({.admin = database.admin(),
                       .services = {"nobody"},
                       .password_folder = database.password_folder()})
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Bootstrap, RefusesANameThatIsNone) {
  const Database database;
  EXPECT_EQ(Bootstrap({.admin = database.admin(),
                       .services = {"x\"; drop table journal"},
                       .password_folder = database.password_folder()})
                .code(),
            absl::StatusCode::kInvalidArgument);
}

// No service has a right in another's schema.
TEST(Bootstrap, AServiceCannotReachAnothersTables) {
  const Database mine;
  const Database theirs(TwoFiles());
  const auto connection = mine.Connect();
  for (const std::string verb :
       {"select * from $.a", "select * from $.journal", "insert into $.a values (2)",
        "update $.a set n = 2", "delete from $.a", "create table $.c (n int)", "drop table $.a",
        "select $.create_partitions(1)", "alter schema $ rename to mine",
        "create schema another"}) {
    std::string sql = verb;
    if (const auto at = sql.find('$'); at != std::string::npos) {
      sql.replace(at, 1, theirs.service());
    }
    EXPECT_EQ(SqlStateOf(connection->Execute(sql).status()), "42501") << sql;
  }
  EXPECT_EQ(SqlStateOf(connection->Execute(absl::StrCat("set role ", theirs.service())).status()),
            "42501");
}

// What the role finds without naming a schema is its own, also for a session that sets no search
// path (psql).
TEST(Bootstrap, TheRolesSearchPathIsItsSchema) {
  const Database database;
  ConnectOptions options = database.options();
  options.schema.clear();
  auto connection = Connection::Open(options);
  ASSERT_TRUE(connection.ok());
  auto result = (*connection)->Execute("select current_schema()");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text(0, 0), database.service());
}

}  // namespace
}  // namespace sankofa::postgres
