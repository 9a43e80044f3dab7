#pragma once

#include <mutex>

// The hook by which a test makes the n-th call to the database fail: the connection breaks as it
// would if the server or the network went away at that moment.
namespace sankofa::postgres {

enum class Fault {
  kNone,
  kBeforeSend,  // nothing reached the server
  kAnswerLost,  // the server did it all, its answer never arrived
};

// Thread-safe.
class Faults {
 public:
  // The n-th call from now fails (1 = the next one), on whichever connection it is made; the others
  // go through.
  void FailNth(int n, Fault fault);
  void Clear();
  // The number of calls since FailNth or Clear.
  [[nodiscard]] int calls() const;
  // Counts a call, and says whether and how it fails.
  [[nodiscard]] Fault NextCall();

 private:
  mutable std::mutex mutex_;
  int calls_ = 0;
  int fail_at_ = 0;
  Fault fault_ = Fault::kNone;
};

}  // namespace sankofa::postgres
