#include "services/platform/postgres/faults.h"

namespace sankofa::postgres {

void Faults::FailNth(int n, Fault fault) {
  const std::lock_guard lock(mutex_);
  calls_ = 0;
  fail_at_ = n;
  fault_ = fault;
}

void Faults::Clear() { FailNth(0, Fault::kNone); }

int Faults::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

Fault Faults::NextCall() {
  const std::lock_guard lock(mutex_);
  ++calls_;
  return calls_ == fail_at_ ? fault_ : Fault::kNone;
}

}  // namespace sankofa::postgres
