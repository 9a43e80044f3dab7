#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/simulation/world/simulation.h"

namespace sankofa::simulation {

// Plays seeds for a while.
inline void Play(int nodes, std::chrono::seconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  Options options{.seed = 0, .nodes = nodes};
  Result sum;
  while (std::chrono::steady_clock::now() < until) {
    ++options.seed;
    const Result result = Simulate(options);
    ASSERT_EQ(result.violation, "") << ReplayLine(options);
    sum.crashes += result.crashes;
    sum.messages += result.messages;
  }
  EXPECT_GT(sum.crashes, 0);
  if (nodes > 1) {
    EXPECT_GT(sum.messages, 0);
  }
  testing::Test::RecordProperty("seeds", static_cast<int>(options.seed));
}

// Seeds until one finds what was broken on purpose; 0 where none of `most` does.
inline std::uint64_t FoundBy(Planted planted, int nodes, const std::string& guarantee,
                             std::uint64_t most) {
  for (std::uint64_t seed = 1; seed <= most; ++seed) {
    const Result result = Simulate({.seed = seed, .nodes = nodes, .planted = planted});
    if (result.violation.starts_with(guarantee)) return seed;
    EXPECT_EQ(result.violation, "") << "seed " << seed;
  }
  return 0;
}

}  // namespace sankofa::simulation
