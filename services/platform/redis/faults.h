#pragma once

#include <mutex>

// The hook by which a test makes the n-th call to Redis fail: the connection breaks as it would if the server or the
// network went away at that moment.
namespace sankofa::redis {

enum class Fault {
  kNone,
  kBeforeSend,  // nothing reached the server
  kAnswerLost,  // the server did it all, its answer never arrived
};

// Thread-safe. Shared by the clients that are made with it.
class Faults {
 public:
  // The n-th call from now fails (1 = the next one); the others go through.
  void FailNth(int n, Fault fault);
  // Every call from now on fails, until Clear.
  void FailAll(Fault fault);
  void Clear();
  // The number of calls since FailNth, FailAll or Clear.
  [[nodiscard]] int calls() const;
  // Counts a call, and says whether and how it fails.
  [[nodiscard]] Fault NextCall();

 private:
  void Set(int n, bool all, Fault fault);

  mutable std::mutex mutex_;
  int calls_ = 0;
  int fail_at_ = 0;
  bool fail_all_ = false;
  Fault fault_ = Fault::kNone;
};

}  // namespace sankofa::redis
