#include <gtest/gtest.h>

#include "tests/simulation/world/playing.h"

namespace sankofa::simulation {
namespace {

TEST(Simulation, OneNodeKeepsItsPromises) { Play(1, std::chrono::seconds(4)); }

TEST(Simulation, ASeedSaysAll) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Options options{.seed = seed, .nodes = 1};
    EXPECT_EQ(Simulate(options).trace, Simulate(options).trace);
  }
}

TEST(Planted, AnInboxMarkOutsideTheTransactionLosesAnEvent) {
  EXPECT_GT(FoundBy(Planted::kMarksApart, 1, "G3", 50), 0);
}

TEST(Planted, ARelayWithoutTheHorizonLosesAnEvent) {
  EXPECT_GT(FoundBy(Planted::kNoHorizon, 1, "G", 50), 0);
}

}  // namespace
}  // namespace sankofa::simulation
