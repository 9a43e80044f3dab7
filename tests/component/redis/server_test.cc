#include <gtest/gtest.h>

#include <thread>

#include "services/platform/redis/client.h"
#include "tests/component/redis/redis_server.h"

namespace sankofa::redis {
namespace {

std::unique_ptr<Client> ClientOf(Options options, const time::Clock& clock = time::WallClock()) {
  auto client = Client::Create(std::move(options), clock);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(RealRedis, KeepsAnyBytes) {
  const test::RedisServer server;
  const auto client = ClientOf({.address = server.address()});
  const std::string value("a\0b\r\n\xff", 6);
  ASSERT_TRUE(client->Call({"SET", "key", value}).ok());
  const auto reply = client->Call({"GET", "key"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->text, value);
  const auto missing = client->Call({"GET", "other"});
  ASSERT_TRUE(missing.ok());
  EXPECT_TRUE(missing->nil());
}

TEST(RealRedis, AnswersAPipelineInOrderWithErrorsInPlace) {
  const test::RedisServer server;
  const auto client = ClientOf({.address = server.address()});
  const std::vector<Command> commands = {
      {"SET", "n", "1"}, {"INCR", "n"}, {"LPUSH", "n", "x"}, {"MGET", "n", "none"}};
  const auto replies = client->Pipeline(commands);
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ((*replies)[0].text, "OK");
  EXPECT_EQ((*replies)[1].integer, 2);
  EXPECT_EQ((*replies)[2].kind, Reply::Kind::kError);
  ASSERT_EQ((*replies)[3].list.size(), 2U);
  EXPECT_EQ((*replies)[3].list[0].text, "2");
  EXPECT_TRUE((*replies)[3].list[1].nil());
}

TEST(RealRedis, ComesBackAfterAKill) {
  test::RedisServer server;
  time::ManualClock clock(absl::UnixEpoch());
  const auto client = ClientOf({.address = server.address()}, clock);
  ASSERT_TRUE(client->Call({"PING"}).ok());
  server.Kill();
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"PING"}).status()));
  server.Start();
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(client->Call({"PING"}).ok());
  // A connection that the server closed while it was idle is found out before it is used.
  server.Kill();
  server.Start();
  EXPECT_TRUE(client->Call({"PING"}).ok());
}

TEST(RealRedis, AFrozenServerSlowsOneCallOnly) {
  const test::RedisServer server;
  time::ManualClock clock(absl::UnixEpoch());
  const auto client =
      ClientOf({.address = server.address(), .call_timeout = absl::Milliseconds(50)}, clock);
  ASSERT_TRUE(client->Call({"PING"}).ok());
  server.Freeze();
  EXPECT_TRUE(absl::IsUnavailable(client->Call({"PING"}).status()));
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(client->Call({"PING"}).ok());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(2));
  server.Thaw();
  clock.Advance(absl::Seconds(10));
  EXPECT_TRUE(client->Call({"PING"}).ok());
}

TEST(RealRedis, ServesManyThreads) {
  const test::RedisServer server;
  const auto client = ClientOf({.address = server.address(), .connections_max = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&client] {
      for (int i = 0; i < 200; ++i) EXPECT_TRUE(client->Call({"INCR", "count"}).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto count = client->Call({"GET", "count"});
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(count->text, "1600");
}

TEST(RealRedis, AnAnswerLostWasDoneAllTheSame) {
  const test::RedisServer server;
  const auto faults = std::make_shared<Faults>();
  time::ManualClock clock(absl::UnixEpoch());
  const auto client = ClientOf({.address = server.address(), .faults = faults}, clock);
  faults->FailNth(1, Fault::kAnswerLost);
  EXPECT_FALSE(client->Call({"SET", "key", "value"}).ok());
  faults->FailNth(1, Fault::kBeforeSend);
  clock.Advance(absl::Seconds(1));
  EXPECT_FALSE(client->Call({"SET", "key", "other"}).ok());
  faults->Clear();
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(client->Call({"GET", "key"})->text, "value");
}

}  // namespace
}  // namespace sankofa::redis
