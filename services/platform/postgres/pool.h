#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/platform/postgres/connection.h"

namespace sankofa::postgres {

class Pool;

// A connection on loan; goes back to its pool at the end of its scope. A broken one, or one with an
// open transaction, is closed instead.
class PooledConnection {
 public:
  PooledConnection(Pool* pool, std::unique_ptr<Connection> connection);
  PooledConnection(PooledConnection&& other) noexcept;
  PooledConnection& operator=(PooledConnection&& other) noexcept;
  ~PooledConnection();
  Connection* operator->() const { return connection_.get(); }
  Connection& operator*() const { return *connection_; }

 private:
  void Release();

  Pool* pool_;
  std::unique_ptr<Connection> connection_;
};

// At most `size` connections to one database with one role. They are opened when they are needed;
// one that the server closed while it lay idle is replaced before it is lent. Thread-safe; must
// outlive what it has lent.
class Pool {
 public:
  Pool(ConnectOptions options, int size);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Waits for a free connection, and opens one where none is idle. UNAVAILABLE where the database
  // can't be reached, DEADLINE_EXCEEDED where all were in use until the deadline.
  [[nodiscard]] absl::StatusOr<PooledConnection> Acquire(absl::Time deadline);

  // One round trip on a connection of the pool: whether the database answers.
  [[nodiscard]] absl::Status Ping(absl::Time deadline);

  struct Numbers {
    int size = 0;    // the limit
    int open = 0;    // idle and lent
    int in_use = 0;  // lent
    int waiting = 0;
  };
  [[nodiscard]] Numbers numbers() const;
  [[nodiscard]] const ConnectOptions& options() const { return options_; }

  // For tests: the n-th call from now on any of the pool's connections fails.
  void FailNth(int n, Fault fault = Fault::kBeforeSend) { options_.faults->FailNth(n, fault); }
  [[nodiscard]] Faults& faults() { return *options_.faults; }

 private:
  friend class PooledConnection;
  void Return(std::unique_ptr<Connection> connection);

  ConnectOptions options_;
  const int size_;
  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  int in_use_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sankofa::postgres
