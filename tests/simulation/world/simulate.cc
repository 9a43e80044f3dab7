#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "tests/simulation/world/simulation.h"

// Plays seeds, one after another, and ends with the first that breaks a guarantee. See README.md beside it.
int main(int argc, char** argv) {
  using sankofa::simulation::Options;
  using sankofa::simulation::PlantedOf;
  using sankofa::simulation::ReplayLine;
  using sankofa::simulation::Result;
  using sankofa::simulation::Simulate;
  CLI::App app(
      "Plays nodes in one thread while things go wrong as a seed says, and checks the guarantees.");
  Options options;
  std::uint64_t seed = 0;
  std::uint64_t from = 1;
  int seconds = 10;
  int seeds = 0;
  std::string planted;
  auto* one = app.add_option("--seed", seed, "play this one, and say what happens in it");
  app.add_option("--from", from, "the first seed");
  app.add_option("--seconds", seconds, "how long");
  app.add_option("--seeds", seeds, "how many, whatever it takes");
  app.add_option("--nodes", options.nodes, "1 or 3")->check(CLI::IsMember({1, 3}));
  app.add_option("--steps", options.steps, "of the scheduler while things go wrong");
  app.add_option("--planted", planted, "break a guarantee on purpose")
      ->check(CLI::IsMember({"marks-apart", "no-horizon", "consent-too-early"}));
  CLI11_PARSE(app, argc, argv);
  options.planted = PlantedOf(planted);

  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  if (*one) {
    options.seed = seed;
    options.verbose = true;
    const Result result = Simulate(options);
    std::printf("seed %llu: %lld events, %lld messages, %lld crashes, trace %.16s\n%s\n",
                static_cast<unsigned long long>(seed), static_cast<long long>(result.events),
                static_cast<long long>(result.messages), static_cast<long long>(result.crashes),
                result.trace.c_str(),
                result.violation.empty() ? "everything holds" : result.violation.c_str());
    return result.violation.empty() ? 0 : 1;
  }
  Result sum;
  int played = 0;
  for (options.seed = from; seeds > 0 ? played < seeds : passed() < seconds; ++options.seed) {
    const Result result = Simulate(options);
    ++played;
    sum.events += result.events;
    sum.messages += result.messages;
    sum.crashes += result.crashes;
    sum.refused += result.refused;
    if (result.violation.empty()) continue;
    std::printf("%s\n%s\n", result.violation.c_str(), ReplayLine(options).c_str());
    return 1;
  }
  std::printf(
      "%d seeds in %.1f s: %lld events, %lld messages between nodes, %lld refused, %lld crashes; "
      "everything holds\n",
      played, passed(), static_cast<long long>(sum.events), static_cast<long long>(sum.messages),
      static_cast<long long>(sum.refused), static_cast<long long>(sum.crashes));
  return 0;
}
