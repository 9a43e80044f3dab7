#pragma once

#include <map>
#include <mutex>

#include "absl/status/status.h"

// The hook by which a test makes the n-th call to Kafka fail.
namespace sankofa::kafka {

enum class Operation {
  kProduce,   // handing a record to the producer
  kDelivery,  // its delivery report: the broker may have kept the record all the same
  kPoll,      // reading a batch
  kCommit,    // committing offsets
  kAdmin,     // any call of Admin
};

// Thread-safe. Shared by the clients that are opened with it.
class Faults {
 public:
  // The n-th call of `operation` from now fails with `failure` (1 = the next one); the others go through.
  void FailNth(Operation operation, int n, absl::Status failure);
  void Clear();
  // The number of calls of `operation` since its FailNth, or since Clear.
  [[nodiscard]] int calls(Operation operation) const;
  // Counts a call; the failure that it shall have, or OK.
  [[nodiscard]] absl::Status Next(Operation operation);

 private:
  struct Plan {
    int calls = 0;
    int fail_at = 0;
    absl::Status failure;
  };
  mutable std::mutex mutex_;
  std::map<Operation, Plan> plans_;
};

}  // namespace sankofa::kafka
