#include "services/platform/rpc/rate_limit.h"

#include <gtest/gtest.h>

#include <map>

#include "services/platform/status/refuse.h"

namespace sankofa::rpc {
namespace {

engine::Actor Person(std::string subject) {
  engine::Actor actor;
  actor.subject = std::move(subject);
  actor.system = "portal";
  return actor;
}

engine::Actor System(std::string name) {
  engine::Actor actor;
  actor.system = std::move(name);
  return actor;
}

// What Redis does.
class MemoryCounts final : public SharedCounts {
 public:
  absl::StatusOr<std::vector<std::int64_t>> Add(const std::vector<Count>& counts) override {
    if (away) return absl::UnavailableError("away");
    std::vector<std::int64_t> sums;
    for (const Count& count : counts) sums.push_back(kept[count.key] += count.added);
    return sums;
  }
  bool away = false;
  std::map<std::string, std::int64_t> kept;
};

class RateLimitTest : public testing::Test {
 protected:
  // How many of `calls` got through.
  static int Made(RateLimiter& limiter, const engine::Actor& actor, int calls) {
    int made = 0;
    for (int i = 0; i < calls; ++i) made += limiter.Take(actor).ok() ? 1 : 0;
    return made;
  }

  time::ManualClock clock{absl::FromUnixSeconds(60 * 1000)};
  RateLimiter limiter{{.person_per_minute = 60, .partner_per_minute = 120}, clock};
};

TEST_F(RateLimitTest, EachCallerHasALimitOfTheirOwn) {
  EXPECT_EQ(Made(limiter, Person("a"), 100), 60);
  EXPECT_EQ(Made(limiter, Person("b"), 100), 60);
  EXPECT_EQ(Made(limiter, System("partner-fr"), 200), 120);
  const absl::Status refused = limiter.Take(Person("a"));
  EXPECT_EQ(status::ReasonOf(refused), "RATE_LIMITED");
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
}

TEST_F(RateLimitTest, ServicesOfTheNodeHaveNone) {
  EXPECT_EQ(Made(limiter, System("funding"), 1000), 1000);
  RateLimiter unlimited({}, clock);
  EXPECT_EQ(Made(unlimited, Person("a"), 1000), 1000);
  EXPECT_EQ(Made(unlimited, System("partner-fr"), 1000), 1000);
}

// No sixty seconds hold more than the limit and a little, wherever they begin.
TEST_F(RateLimitTest, TheMinuteBeforeCounts) {
  clock.Advance(absl::Seconds(59));
  EXPECT_EQ(Made(limiter, Person("a"), 100), 60);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(Made(limiter, Person("a"), 100), 0);
  clock.Advance(absl::Seconds(30));
  EXPECT_EQ(Made(limiter, Person("a"), 100), 30);
  clock.Advance(absl::Seconds(120));
  EXPECT_EQ(Made(limiter, Person("a"), 100), 60);
}

TEST_F(RateLimitTest, AClockThatGoesBackForgets) {
  EXPECT_EQ(Made(limiter, Person("a"), 100), 60);
  clock.Advance(-absl::Hours(1));
  EXPECT_EQ(Made(limiter, Person("a"), 100), 60);
}

TEST_F(RateLimitTest, ProcessesAddUp) {
  MemoryCounts shared;
  RateLimiter other({.person_per_minute = 60, .partner_per_minute = 120}, clock);
  EXPECT_EQ(Made(limiter, Person("a"), 40), 40);
  EXPECT_EQ(Made(other, Person("a"), 15), 15);
  ASSERT_TRUE(limiter.Share(shared).ok());
  ASSERT_TRUE(other.Share(shared).ok());
  EXPECT_EQ(Made(other, Person("a"), 100), 5);
  ASSERT_TRUE(other.Share(shared).ok());
  ASSERT_TRUE(limiter.Share(shared).ok());
  EXPECT_EQ(Made(limiter, Person("a"), 100), 0);
}

TEST_F(RateLimitTest, GoesOnAloneAndTellsLater) {
  MemoryCounts shared;
  shared.away = true;
  EXPECT_EQ(Made(limiter, Person("a"), 40), 40);
  EXPECT_FALSE(limiter.Share(shared).ok());
  EXPECT_EQ(Made(limiter, Person("a"), 10), 10);
  shared.away = false;
  ASSERT_TRUE(limiter.Share(shared).ok());
  ASSERT_TRUE(limiter.Share(shared).ok());
  ASSERT_EQ(shared.kept.size(), 1U);
  EXPECT_EQ(shared.kept.begin()->second, 50);
  EXPECT_EQ(Made(limiter, Person("a"), 100), 10);
}

}  // namespace
}  // namespace sankofa::rpc
