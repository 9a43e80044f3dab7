#pragma once

#include <algorithm>
#include <cstdint>

namespace sankofa::simulation {

// Numbers that follow from a seed and from nothing else (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  // 0 … n - 1.
  int Below(int n) { return static_cast<int>(Next() % static_cast<std::uint64_t>(n)); }
  // True `per_mille` times in a thousand.
  bool Chance(int per_mille) { return per_mille > 0 && Below(1000) < per_mille; }

 private:
  std::uint64_t state_;
};

}  // namespace sankofa::simulation
