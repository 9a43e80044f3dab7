#include "services/platform/postgres/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/platform/postgres/pool.h"
#include "services/platform/status/refuse.h"
#include "tests/component/postgres/database.h"

namespace sankofa::postgres {
namespace {

using testing::Database;
using ::testing::HasSubstr;
using ::testing::Not;

absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

TEST(Connection, CarriesValuesThereAndBack) {
  const Database database;
  const auto connection = database.Connect();
  const std::string odd = "é\"\\{},NULL \n";
  ArrayBuilder texts(Type::kText);
  texts.Bytes(odd);
  texts.Null();
  ArrayBuilder bytes(Type::kBytea);
  bytes.Bytes(std::string("\0\xff", 2));
  bytes.Bytes("");
  ArrayBuilder numbers(Type::kInt8);
  numbers.Int8(std::numeric_limits<std::int64_t>::min());
  numbers.Int8(7);
  ArrayBuilder flags(Type::kBool);
  flags.Bool(true);
  flags.Bool(false);
  ArrayBuilder times(Type::kTimestamptz);
  const absl::Time time = absl::FromUnixMicros(1'500'000'000'123'456);
  times.Time(time);
  times.Time(absl::InfiniteFuture());
  const std::vector<Value> params = {std::move(texts).Finish(), std::move(bytes).Finish(),
                                     std::move(numbers).Finish(), std::move(flags).Finish(),
                                     std::move(times).Finish()};
  const std::string sql =
      "select * from unnest($1::text[], $2::bytea[], $3::bigint[], $4::bool[], $5::timestamptz[])";
  for (const bool binary : {false, true}) {
    const auto result =
        connection->Execute(Statement{.sql = sql, .params = params, .binary_rows = binary});
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->rows(), 2);
    EXPECT_EQ(result->text(0, 0), odd);
    EXPECT_TRUE(result->null(1, 0));
    EXPECT_EQ(result->bytes(0, 1), std::string("\0\xff", 2));
    EXPECT_EQ(result->bytes(1, 1), "");
    EXPECT_FALSE(result->null(1, 1));
    EXPECT_EQ(result->integer(0, 2), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(result->integer(1, 2), 7);
    EXPECT_EQ(result->integer(0, 3), 1);
    EXPECT_EQ(result->integer(1, 3), 0);
    EXPECT_EQ(result->time(0, 4), time);
    EXPECT_GT(result->time(1, 4), absl::FromCivil(absl::CivilYear(9999), absl::UTCTimeZone()));
  }
}

TEST(Connection, CarriesEmptyArraysAndLiterals) {
  const Database database;
  const auto connection = database.Connect();
  const auto empty = connection->Execute(Statement{
      .sql = "select cardinality($1::bytea[])", .params = {ArrayBuilder(Type::kBytea).Finish()}});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->integer(0, 0), 0);
  const auto literal = connection->Execute(
      "select x from unnest($1::text[]) x",
      {ArrayLiteral(std::vector<std::optional<std::string>>{"a\"\\b", std::nullopt, "", "NULL"})});
  ASSERT_TRUE(literal.ok()) << literal.status();
  EXPECT_EQ(literal->text(0, 0), "a\"\\b");
  EXPECT_TRUE(literal->null(1, 0));
  EXPECT_FALSE(literal->null(2, 0));
  EXPECT_EQ(literal->text(3, 0), "NULL");
}

// Every kind of error whose own words would quote the row.
TEST(Connection, ErrorsDoNotTellValues) {
  const Database database(
      "create table person (name text primary key check (length(name) < 20), born date, "
      "code varchar(3)); insert into person values ('Kofi Mensah');");
  const auto connection = database.Connect();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"insert into person values ($1::text)", "23505"},
      {"insert into person values ($1::text || $1::text || $1::text)", "23514"},
      {"insert into person (name, born) values ('x', $1::text::date)", "22007"},
      {"insert into person (name, code) values ('x', $1::text)", "22001"},
      {"select $1::text::bigint", "22P02"},
      {"insert into person (born) select now() where $1::text <> ''", "23502"},
      {"do $$ begin raise exception 'Kofi Mensah'; end $$", "P0001"}};
  for (const auto& [sql, state] : cases) {
    const bool parameter = sql.find("$1") != std::string::npos;
    const absl::Status failed =
        connection
            ->Execute(sql, parameter ? std::vector<Param>{"Kofi Mensah"} : std::vector<Param>{})
            .status();
    EXPECT_EQ(SqlStateOf(failed), state) << sql;
    EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(failed.ToString(), Not(HasSubstr("Kofi"))) << sql;
  }
  // What a developer needs is there.
  const absl::Status duplicate =
      connection->Execute("insert into person values ($1::text)", {"Kofi Mensah"}).status();
  EXPECT_THAT(duplicate.ToString(), HasSubstr("constraint person_pkey"));
  EXPECT_THAT(connection->Execute("select nowhere").status().ToString(), HasSubstr("nowhere"));
}

TEST(Connection, ALostRaceIsTransient) {
  const Database database(
      "create table t (id int primary key, n int); "
      "insert into t values (1, 0), (2, 0);");
  const auto first = database.Connect();
  const auto second = database.Connect();
  const std::string begin = "begin isolation level repeatable read";
  ASSERT_TRUE(first->ExecuteScript(begin + "; select * from t").ok());
  ASSERT_TRUE(second->ExecuteScript("update t set n = 1").ok());
  const absl::Status race = first->Execute("update t set n = 2").status();
  EXPECT_EQ(SqlStateOf(race), "40001");
  EXPECT_TRUE(status::IsTransient(race));
  first->Rollback();

  // A deadlock: one of the two is ended by the server.
  ASSERT_TRUE(first->ExecuteScript("begin; update t set n = 3 where id = 1").ok());
  ASSERT_TRUE(second->ExecuteScript("begin; update t set n = 3 where id = 2").ok());
  absl::Status of_first;
  std::thread crossing(
      [&] { of_first = first->ExecuteScript("update t set n = 4 where id = 2; commit"); });
  const absl::Status of_second = second->ExecuteScript("update t set n = 4 where id = 1; commit");
  crossing.join();
  const absl::Status& victim = of_first.ok() ? of_second : of_first;
  EXPECT_EQ(SqlStateOf(victim), "40P01");
  EXPECT_TRUE(status::IsTransient(victim));
  EXPECT_TRUE(of_first.ok() || of_second.ok());
}

TEST(Connection, APipelineEndsAtItsFirstErrorAndGoesOnAfterwards) {
  const Database database("create table t (n int)");
  const auto connection = database.Connect();
  const std::vector<Statement> statements = {{.sql = "insert into t values (1)"},
                                             {.sql = "select 1 / 0"},
                                             {.sql = "insert into t values (2)"}};
  const absl::Status failed = connection->Pipeline(statements).status();
  EXPECT_EQ(SqlStateOf(failed), "22012");
  EXPECT_EQ(database.Number("select count(*) from t"), 0);
  EXPECT_TRUE(connection->idle());

  const std::vector<Statement> begun = {{.sql = "begin"},
                                        {.sql = "insert into t values (1)"},
                                        {.sql = "select nowhere"},
                                        {.sql = "commit"}};
  EXPECT_FALSE(connection->Pipeline(begun).ok());
  EXPECT_FALSE(connection->idle());
  connection->Rollback();
  EXPECT_TRUE(connection->idle());
  EXPECT_EQ(database.Number("select count(*) from t"), 0);

  // The statements that were skipped are prepared now.
  const std::vector<Statement> right = {
      {.sql = "insert into t values (1)"}, {.sql = "insert into t values (2)"}, {.sql = "commit"}};
  EXPECT_TRUE(connection->Pipeline(right).ok());
  EXPECT_EQ(database.Number("select count(*) from t"), 2);
}

// Both sides send more than the sockets hold.
TEST(Connection, APipelineMayBeLargeBothWays) {
  const Database database;
  const auto connection = database.Connect();
  std::string large;
  large.resize(20'000'000, 'x');
  const std::vector<Statement> statements(2, {.sql = "select $1::text", .params = {Param(large)}});
  const auto results = connection->Pipeline(statements);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->at(0).text(0, 0).size(), large.size());
  EXPECT_EQ(results->at(1).text(0, 0).size(), large.size());
}

TEST(Connection, StatementsArePreparedOnceAndTheirNumberHasALimit) {
  const Database database;
  const auto connection = database.Connect();
  const auto prepared = [&] {
    return connection->Execute("select count(*) from pg_prepared_statements")->integer(0, 0);
  };
  const std::int64_t before = prepared();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(connection->Execute("select 'one'").ok());
  EXPECT_EQ(prepared(), before + 1);
  for (int i = 0; i < 1200; ++i) {
    ASSERT_TRUE(connection->Execute(absl::StrCat("select ", i)).ok());
    // Those that fail leave nothing.
    ASSERT_FALSE(connection->Execute(absl::StrCat("select nowhere", i)).ok());
  }
  EXPECT_LE(prepared(), 513);
}

TEST(Connection, ASilentServerIsGivenUp) {
  const Database database;
  ConnectOptions options = database.options();
  options.call_timeout = absl::Milliseconds(50);
  auto connection = Connection::Open(options);
  ASSERT_TRUE(connection.ok());
  const absl::Status failed = (*connection)->Execute("select pg_sleep(20)").status();
  EXPECT_TRUE(status::IsTransient(failed)) << failed;
  EXPECT_TRUE((*connection)->broken());
}

TEST(Connection, AStatementThatTakesTooLongIsTransient) {
  const Database database;
  ConnectOptions options = database.options();
  options.statement_timeout = absl::Milliseconds(50);
  auto connection = Connection::Open(options);
  ASSERT_TRUE(connection.ok());
  const absl::Status failed = (*connection)->Execute("select pg_sleep(20)").status();
  EXPECT_EQ(SqlStateOf(failed), "57014");
  EXPECT_TRUE(status::IsTransient(failed));
  EXPECT_FALSE((*connection)->broken());
  EXPECT_TRUE((*connection)->Execute("select 1").ok());
}

TEST(Connection, ASessionThatTheServerEndsIsBroken) {
  const Database database;
  const auto connection = database.Connect();
  EXPECT_TRUE(connection->StillOpen());
  ASSERT_EQ(database.EndSessions(), 1);
  EXPECT_FALSE(connection->StillOpen());
  EXPECT_TRUE(connection->broken());
  EXPECT_TRUE(status::IsTransient(connection->Execute("select 1").status()));
}

TEST(Connection, NobodyListensAtThePort) {
  const Database database;
  ConnectOptions options = database.options();
  options.port = 1;
  EXPECT_EQ(Connection::Open(options).status().code(), absl::StatusCode::kUnavailable);
  options = database.options();
  options.password = "wrong";
  const absl::Status refused = Connection::Open(options).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(refused.ToString(), HasSubstr("password authentication failed"));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("wrong\"")));
}

TEST(Connection, NotificationsWakeWhoListens) {
  const Database database;
  const auto listener = database.Connect();
  const auto speaker = database.Connect();
  ASSERT_TRUE(listener->Listen("some.channel").ok());
  EXPECT_FALSE(*listener->WaitForNotify(absl::InfinitePast()));
  std::thread speaking([&] {
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(speaker->ExecuteScript("notify \"some.channel\"").ok());
  });
  EXPECT_TRUE(*listener->WaitForNotify(Soon()));
  speaking.join();
  database.EndSessions();
  absl::StatusOr<bool> woken = true;
  // A notification may still be there, then comes the end.
  while (woken.ok() && *woken) woken = listener->WaitForNotify(Soon());
  EXPECT_TRUE(status::IsTransient(woken.status())) << woken.status();
}

TEST(Connection, TheNthCallFailsWhereATestSaysSo) {
  const Database database("create table t (n int)");
  for (const Fault fault : {Fault::kBeforeSend, Fault::kAnswerLost}) {
    Pool pool(database.options(), 1);
    pool.FailNth(2, fault);
    auto connection = pool.Acquire(Soon());
    ASSERT_TRUE(connection.ok());
    EXPECT_TRUE((*connection)->Execute("delete from t").ok());
    const absl::Status failed = (*connection)->Execute("insert into t values (1)").status();
    EXPECT_TRUE(status::IsTransient(failed));
    EXPECT_TRUE((*connection)->broken());
    EXPECT_EQ(pool.faults().calls(), 2);
    EXPECT_EQ(database.Number("select count(*) from t"), fault == Fault::kAnswerLost ? 1 : 0);
  }
}

TEST(Pool, LendsNoMoreThanItsSize) {
  const Database database;
  Pool pool(database.options(), 2);
  auto first = pool.Acquire(Soon());
  auto second = pool.Acquire(Soon());
  ASSERT_TRUE(first.ok() && second.ok());
  const absl::Status none = pool.Acquire(absl::Now() + absl::Milliseconds(10)).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status::ReasonOf(none), "DEADLINE_PASSED");
  EXPECT_EQ(pool.numbers().in_use, 2);

  std::thread waiting([&] { EXPECT_TRUE(pool.Acquire(Soon()).ok()); });
  while (pool.numbers().waiting == 0) std::this_thread::yield();
  const int lent = (*first)->backend_pid();
  { const PooledConnection done = *std::move(first); }
  waiting.join();
  EXPECT_EQ(pool.numbers().open, 2);
  auto again = pool.Acquire(Soon());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->backend_pid(), lent);
}

TEST(Pool, ReplacesWhatBrokeWhileItWasLentOrLay) {
  const Database database;
  Pool pool(database.options(), 1);
  {
    auto lent = pool.Acquire(Soon());
    ASSERT_TRUE(lent.ok());
    database.EndSessions();
    EXPECT_TRUE(status::IsTransient((*lent)->Execute("select 1").status()));
  }
  EXPECT_TRUE(pool.Ping(Soon()).ok());
  database.EndSessions();
  EXPECT_TRUE(pool.Ping(Soon()).ok());
  EXPECT_EQ(pool.numbers().open, 1);
}

TEST(Pool, AnOpenTransactionIsNotLentOn) {
  const Database database("create table t (n int)");
  Pool pool(database.options(), 1);
  {
    auto careless = pool.Acquire(Soon());
    ASSERT_TRUE((*careless)->ExecuteScript("begin; insert into t values (1)").ok());
  }
  auto next = pool.Acquire(Soon());
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE((*next)->idle());
  EXPECT_EQ((*next)->Execute("select count(*) from t")->integer(0, 0), 0);
}

TEST(Pool, SaysSoWhereThereIsNoDatabase) {
  const Database database;
  ConnectOptions options = database.options();
  options.port = 1;
  Pool pool(options, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pool.Ping(Soon()).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(pool.numbers().in_use, 0);
}

}  // namespace
}  // namespace sankofa::postgres
