#include "tests/simulation/world/simulation.h"

#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"
#include "tests/simulation/world/checker.h"
#include "tests/simulation/world/script.h"
#include "tests/simulation/world/service.h"

namespace sankofa::simulation {
namespace {

constexpr int kCommandsAtOnce = 4;
constexpr int kQuietRounds = 12;  // with the pause below longer than the longest back-off
constexpr int kRoundsMax = 2'000;
constexpr absl::Duration kQuietPause = absl::Milliseconds(600);

// libsodium's random numbers, which make nonces and keys, come from the seed too.
std::uint64_t sodium_state = 0;

std::uint32_t SodiumNext() {
  Random random(sodium_state);
  sodium_state = random.Next();
  return static_cast<std::uint32_t>(sodium_state >> 32U);
}

void SodiumFill(void* const buffer, const std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(buffer);
  for (std::size_t i = 0; i < size; i += sizeof(std::uint32_t)) {
    const std::uint32_t word = SodiumNext();
    std::memcpy(bytes + i, &word, std::min(sizeof(word), size - i));
  }
}

randombytes_implementation& SeededSodium() {
  static randombytes_implementation seeded = {.implementation_name = [] { return "seeded"; },
                                              .random = SodiumNext,
                                              .stir = nullptr,
                                              .uniform = nullptr,
                                              .buf = SodiumFill,
                                              .close = nullptr};
  return seeded;
}

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        random_(options.seed),
        names_(options.nodes == 1 ? std::vector<std::string>{"cm"}
                                  : std::vector<std::string>{"cm", "fr", "tg"}),
        world_(random_, names_, options.planted),
        checker_(world_) {
    for (auto& [_, node] : world_.nodes()) {
      for (const auto& [name, service] : node->services()) services_.push_back(service.get());
    }
  }

  Result Go() {
    for (Service* service : services_) service->Start();
    SetUp();
    if (checker_.violation().empty()) Suffer();
    if (checker_.violation().empty()) Heal();
    if (checker_.violation().empty()) checker_.CheckEnd();
    Result result{.violation = checker_.violation(),
                  .trace = absl::BytesToHexString(checker_.trace()),
                  .events = checker_.events(),
                  .messages = checker_.messages(),
                  .crashes = crashes_};
    for (auto& [_, node] : world_.nodes()) {
      result.refused += static_cast<std::int64_t>(
          node->service("exchange").AllKept<exchange::v1::Evidence>().size());
    }
    return result;
  }

 private:
  // Partners and offices, while nothing goes wrong.
  void SetUp() {
    for (auto& [_, node] : world_.nodes()) {
      if (names_.size() > 1) scripts_.push_back(Introduce(*node, names_));
      scripts_.push_back(OpenOffice(*node));
    }
    Settle();
    if (names_.size() > 1) {
      for (auto& [_, node] : world_.nodes()) scripts_.push_back(Countersign(*node, names_));
      Settle();
    }
    EndScripts();
    scripts_.clear();
  }

  // What the seed says goes wrong.
  void Suffer() {
    int number = 0;
    for (auto& [id, node] : world_.nodes()) {
      const int cases = names_.size() == 1 ? 2 + random_.Below(3) : 1 + random_.Below(2);
      for (int i = 0; i < cases; ++i) {
        std::string partner =
            names_[static_cast<std::size_t>(random_.Below(static_cast<int>(names_.size())))];
        if (partner == id) partner = names_.size() == 1 ? "anpe" : names_[id == names_[0] ? 1 : 0];
        scripts_.push_back(CaseScript(*node, partner, number++, random_));
      }
    }
    faults_ = Faults::Draw(random_);
    world_.Suffer(faults_);
    for (int step = 0; step < options_.steps && checker_.violation().empty(); ++step) {
      world_.clock().Advance(absl::Milliseconds(random_.Below(40)));
      Weather();
      if (random_.Chance(350)) {
        Send();
      } else {
        Service& service =
            *services_[static_cast<std::size_t>(random_.Below(static_cast<int>(services_.size())))];
        if (service.up()) StepPart(service, random_.Below(service.parts()));
      }
      Bury();
    }
  }

  // Brokers, roads and processes that come back, or go away.
  void Weather() {
    const absl::Time now = world_.clock().Now();
    for (auto& [id, node] : world_.nodes()) {
      if (away_.contains(id) && now >= away_[id]) {
        away_.erase(id);
        node->broker().SetAvailable(true);
      } else if (!away_.contains(id) && random_.Chance(faults_.broker_away)) {
        away_[id] = now + absl::Milliseconds(random_.Below(6'000));
        node->broker().SetAvailable(false);
      }
      for (const std::string& other : names_) {
        if (other <= id) continue;
        const auto road = std::pair(id, other);
        if (cut_.contains(road) && now >= cut_[road]) {
          cut_.erase(road);
          world_.Cut(id, other, false);
        } else if (!cut_.contains(road) && random_.Chance(faults_.link_cut)) {
          cut_[road] = now + absl::Milliseconds(random_.Below(8'000));
          world_.Cut(id, other, true);
        }
      }
    }
    for (Service* service : services_) {
      if (!service->up() && now >= starts_[service]) service->Start();
    }
  }

  // Processes that died in this step are taken away with all they had in memory.
  void Bury() {
    for (Service* service : services_) {
      if (!service->up() || !service->process().dead()) continue;
      ++crashes_;
      if (options_.verbose) {
        std::printf("  %s %s died\n", service->node().id().c_str(), service->name().c_str());
      }
      service->Stop();
      starts_[service] = world_.clock().Now() + absl::Milliseconds(random_.Below(3'000));
    }
  }

  bool StepPart(Service& service, int part) {
    const bool worked = service.Step(part);
    if (options_.verbose && worked) {
      std::printf("  %s %s part %d\n", service.node().id().c_str(), service.name().c_str(), part);
    }
    return worked;
  }

  // Commands of some scripts, those for one service in one batch.
  bool Send() {
    std::vector<Script*> open;
    for (Script& script : scripts_) {
      if (!script.done()) open.push_back(&script);
    }
    if (open.empty()) return false;
    Script& first = *open[static_cast<std::size_t>(random_.Below(static_cast<int>(open.size())))];
    const std::string wanted = first.Next().service;
    Service& service = first.node().service(wanted);
    if (!service.up()) return false;
    std::vector<Script*> senders;
    std::vector<engine::CommandCall> calls;
    for (Script* script : open) {
      if (&script->node() != &first.node() || calls.size() == kCommandsAtOnce) continue;
      const Command command = script->Next();
      if (command.service != wanted) continue;
      senders.push_back(script);
      calls.push_back(CallOf(command));
    }
    auto outcomes = service.Submit(calls);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      Learn(*senders[i], calls[i], service, outcomes[i]);
    }
    return true;
  }

  engine::CommandCall CallOf(const Command& command) {
    engine::CommandCall call;
    call.request = command.request;
    call.actor = command.actor;
    call.now = world_.clock().Now();
    return call;
  }

  // What the client makes of an answer, where one reaches it.
  void Learn(Script& script, const engine::CommandCall& call, Service& service,
             const engine::Outcome& outcome) {
    if (options_.verbose) {
      std::printf("  %s: %s %s\n", script.name().c_str(),
                  call.request->GetDescriptor()->name().c_str(),
                  outcome.ok() ? "ok" : status::ReasonOf(outcome.status()).c_str());
    }
    if (service.process().dead() || random_.Chance(faults_.answer_lost)) return;
    if (!outcome.ok()) {
      if (!status::IsTransient(outcome.status())) {
        script.Refused(
            absl::StrCat(call.request->GetDescriptor()->name(), ": ", outcome.status().ToString()));
      }
      return;
    }
    script.Acknowledged();
    if (!random_.Chance(faults_.resend)) return;
    const engine::Outcome again = service.Submit({call}).front();
    if (again.ok() ? (*again)->SerializeAsString() != (*outcome)->SerializeAsString()
                   : !status::IsTransient(again.status())) {
      checker_.Violated(absl::StrCat("G2: ", call.request->GetDescriptor()->name(),
                                     " sent again has another answer"));
    }
  }

  // Nothing goes wrong any more.
  void Heal() {
    faults_ = Faults();
    world_.Suffer(faults_);
    for (auto& [id, node] : world_.nodes()) node->broker().SetAvailable(true);
    for (const auto& [road, _] : cut_) world_.Cut(road.first, road.second, false);
    for (Service* service : services_) {
      if (!service->up()) service->Start();
      service->database().EndOpenTransactions();
    }
    Settle();
    if (names_.size() > 1) CompareDigests();
    EndScripts();
  }

  // Until nobody has done anything for longer than anybody waits.
  void Settle() {
    int quiet = 0;
    for (int round = 0; round < kRoundsMax && quiet < kQuietRounds; ++round) {
      if (!checker_.violation().empty()) return;
      bool worked = false;
      const std::size_t before = Progress();
      while (Send() && Progress() != before && round < kRoundsMax) {
        if (AllDone()) break;
        if (!random_.Chance(700)) break;
      }
      worked |= Progress() != before;
      for (Service* service : services_) {
        service->LookAround();
        for (int part = 0; part < service->parts(); ++part) {
          for (int turn = 0; turn < 20 && StepPart(*service, part); ++turn) worked = true;
        }
      }
      quiet = worked ? 0 : quiet + 1;
      world_.clock().Advance(worked ? absl::Milliseconds(10) : kQuietPause);
    }
    if (quiet < kQuietRounds) checker_.Violated("G11: nothing comes to rest");
  }

  [[nodiscard]] std::size_t Progress() const {
    std::size_t steps = 0;
    for (const Script& script : scripts_) steps += script.at();
    return steps;
  }
  [[nodiscard]] bool AllDone() const {
    return std::all_of(scripts_.begin(), scripts_.end(),
                       [](const Script& script) { return script.done(); });
  }

  void EndScripts() {
    for (const Script& script : scripts_) {
      if (script.done()) continue;
      checker_.Violated(absl::StrCat("G1: '", script.name(), "' does not get on at step ",
                                     script.at(), ": ", script.refused()));
    }
  }

  // As at night: what a partner's topic lost is asked for. Then both sides are equal.
  void CompareDigests() {
    for (int night = 0; night < 3 && checker_.violation().empty(); ++night) {
      bool equal = true;
      std::string differ;
      for (const std::string& name : names_) {
        for (const std::string& other : names_) {
          if (other == name) continue;
          const auto compared = world_.node(name).service("exchange").CompareDigests(other);
          if (compared.ok() && *compared) continue;
          equal = false;
          differ = absl::StrCat(name, " and ", other, " ",
                                compared.ok() ? "" : compared.status().ToString());
        }
      }
      if (equal) return;
      if (night == 2) checker_.Violated("G7: the digests differ: " + differ);
      Settle();
    }
  }

  const Options options_;
  Random random_;
  const std::vector<std::string> names_;
  World world_;
  Checker checker_;
  std::vector<Service*> services_;
  std::vector<Script> scripts_;
  Faults faults_;
  std::map<std::string, absl::Time> away_;
  std::map<std::pair<std::string, std::string>, absl::Time> cut_;
  std::map<Service*, absl::Time> starts_;
  std::int64_t crashes_ = 0;
};

}  // namespace

Result Simulate(const Options& options) {
  static const bool prepared = [] {
    telemetry::ConfigureLog({.level = telemetry::Level::kError, .node = "sim", .service = {}});
    return randombytes_set_implementation(&SeededSodium()) == 0;
  }();
  status::Check(prepared, "libsodium takes no random numbers");
  sodium_state = options.seed;
  return Run(options).Go();
}

std::string ReplayLine(const Options& options) {
  std::string line = absl::StrCat("scripts/simulate --seed ", options.seed, " --nodes ",
                                  options.nodes, " --steps ", options.steps);
  switch (options.planted) {
    case Planted::kNothing: break;
    case Planted::kMarksApart: line.append(" --planted marks-apart"); break;
    case Planted::kNoHorizon: line.append(" --planted no-horizon"); break;
    case Planted::kConsentTooEarly: line.append(" --planted consent-too-early"); break;
  }
  return line;
}

}  // namespace sankofa::simulation
