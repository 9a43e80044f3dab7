#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/world/faults.h"

namespace sankofa::simulation {

struct Options {
  std::uint64_t seed = 0;
  int nodes = 3;  // 1: no partners, no feeds
  int steps = 1'500;
  Planted planted = Planted::kNothing;
  bool verbose = false;  // says what each step did
};

struct Result {
  std::string violation;      // "G3: …"; empty where everything holds
  std::string trace;          // a hash over all that was committed, in hex
  std::int64_t events = 0;    // journal rows of all services
  std::int64_t messages = 0;  // on partners' feeds
  std::int64_t crashes = 0;
  std::int64_t refused = 0;  // messages of partners
};

// One run: a few people's cases on each node while things go wrong as the seed says, then the faults end, everything
// comes to rest, and the checker looks at all of it. Nothing but the options decides what happens.
[[nodiscard]] Result Simulate(const Options& options);

// The line that plays a run again: "scripts/simulate --seed 17 --nodes 3".
[[nodiscard]] std::string ReplayLine(const Options& options);

}  // namespace sankofa::simulation
