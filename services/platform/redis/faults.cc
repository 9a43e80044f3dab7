#include "services/platform/redis/faults.h"

namespace sankofa::redis {

void Faults::Set(int n, bool all, Fault fault) {
  const std::lock_guard lock(mutex_);
  calls_ = 0;
  fail_at_ = n;
  fail_all_ = all;
  fault_ = fault;
}

void Faults::FailNth(int n, Fault fault) { Set(n, false, fault); }

void Faults::FailAll(Fault fault) { Set(0, true, fault); }

void Faults::Clear() { Set(0, false, Fault::kNone); }

int Faults::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

Fault Faults::NextCall() {
  const std::lock_guard lock(mutex_);
  ++calls_;
  return fail_all_ || calls_ == fail_at_ ? fault_ : Fault::kNone;
}

}  // namespace sankofa::redis
