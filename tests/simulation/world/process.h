#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/status/refuse.h"
#include "tests/simulation/world/faults.h"

namespace sankofa::simulation {

// One running process. All that it does outside its own memory goes through Reach, where a call can fail, lose its
// answer, or be the process's last: it dies before the effect or behind it, and nothing it does afterwards has any. The
// scheduler takes it away when its step is over.
class Process {
 public:
  explicit Process(Random& random) : random_(random) {}

  // `effect` gives a Status or a StatusOr.
  template <class F>
  auto Reach(F effect) -> decltype(effect()) {
    if (auto begun = Begin(); !begun.ok()) return begun;
    auto result = effect();
    if (random_.Chance(faults_.crash)) {
      dead_ = true;
      return status::Unavailable("the process died behind it");
    }
    if (random_.Chance(faults_.answer_lost)) return status::Unavailable("the answer is lost");
    return result;
  }

  // The same for an effect within the process's own memory, whose result can't be lost on its way: before it, a call
  // fails or the process dies.
  [[nodiscard]] absl::Status Begin() {
    if (dead_) return status::Unavailable("the process is dead");
    if (random_.Chance(faults_.crash)) {
      dead_ = true;
      return status::Unavailable("the process died before it");
    }
    if (random_.Chance(faults_.call_fails)) return status::Unavailable("the call failed");
    return absl::OkStatus();
  }

  void Live() { dead_ = false; }
  [[nodiscard]] bool dead() const { return dead_; }
  void Suffer(const Faults& faults) { faults_ = faults; }
  [[nodiscard]] const Faults& faults() const { return faults_; }
  [[nodiscard]] Random& random() { return random_; }

 private:
  Random& random_;
  Faults faults_;
  bool dead_ = false;
};

}  // namespace sankofa::simulation
