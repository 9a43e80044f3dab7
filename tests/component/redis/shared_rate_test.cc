#include "services/platform/service/shared_rate.h"

#include <gtest/gtest.h>

#include "tests/component/redis/redis_server.h"

namespace sankofa::service {
namespace {

engine::Actor Somebody() {
  engine::Actor actor;
  actor.subject = "u-1";
  return actor;
}

// Two processes of a node, seen through the Redis that they share.
TEST(SharedRateTest, CallsOfAllProcessesCount) {
  const test::RedisServer server;
  auto client = redis::Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok()) << client.status();
  RedisCounts counts(**client);
  time::ManualClock clock(absl::FromUnixSeconds(600));
  rpc::RateLimiter one({.person_per_minute = 10, .partner_per_minute = 0}, clock);
  rpc::RateLimiter two({.person_per_minute = 10, .partner_per_minute = 0}, clock);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(one.Take(Somebody()).ok());
  ASSERT_TRUE(one.Share(counts).ok());
  ASSERT_TRUE(two.Take(Somebody()).ok());
  ASSERT_TRUE(two.Share(counts).ok());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(two.Take(Somebody()).ok()) << i;
  EXPECT_FALSE(two.Take(Somebody()).ok());
  // Nothing of it stays.
  const auto left = (*client)->Call({"TTL", "rate/person/u-1/10"});
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_GT(left->integer, 0);
  EXPECT_LE(left->integer, 180);
}

TEST(SharedRateTest, WithRedisGoneEachGoesOnAlone) {
  test::RedisServer server;
  const auto rate =
      SharedRate::Start({.person_per_minute = 10, .partner_per_minute = 0}, server.address());
  ASSERT_TRUE(rate.ok()) << rate.status();
  server.Kill();
  int made = 0;
  for (int i = 0; i < 30; ++i) made += (*rate)->limiter().Take(Somebody()).ok() ? 1 : 0;
  EXPECT_GE(made, 10);
  EXPECT_LE(made, 20);  // where a minute ended meanwhile
}

}  // namespace
}  // namespace sankofa::service
