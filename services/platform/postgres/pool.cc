#include "services/platform/postgres/pool.h"

#include <utility>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::postgres {

PooledConnection::PooledConnection(Pool* pool, std::unique_ptr<Connection> connection)
    : pool_(pool), connection_(std::move(connection)) {}

PooledConnection::PooledConnection(PooledConnection&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}

PooledConnection& PooledConnection::operator=(PooledConnection&& other) noexcept {
  if (this != &other) {
    Release();
    pool_ = std::exchange(other.pool_, nullptr);
    connection_ = std::move(other.connection_);
  }
  return *this;
}

PooledConnection::~PooledConnection() { Release(); }

void PooledConnection::Release() {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->Return(std::move(connection_));
}

Pool::Pool(ConnectOptions options, int size) : options_(std::move(options)), size_(size) {
  status::Check(size > 0, "a pool without connections");
  if (options_.faults == nullptr) options_.faults = std::make_shared<Faults>();
}

Pool::~Pool() {
  const absl::MutexLock lock(&mutex_);
  status::Check(in_use_ == 0, "a pool ends before what it has lent");
}

absl::StatusOr<PooledConnection> Pool::Acquire(absl::Time deadline) {
  {
    absl::MutexLock lock(&mutex_);
    ++waiting_;
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return in_use_ < size_; };
    const bool got = mutex_.AwaitWithDeadline(absl::Condition(&free), deadline);
    --waiting_;
    if (!got) return status::Refuse(common::v1::REASON_DEADLINE_PASSED);
    ++in_use_;
  }
  for (;;) {
    std::unique_ptr<Connection> idle;
    {
      const absl::MutexLock lock(&mutex_);
      if (idle_.empty()) break;
      idle = std::move(idle_.back());
      idle_.pop_back();
    }
    if (idle->StillOpen()) return PooledConnection(this, std::move(idle));
  }
  ConnectOptions options = options_;
  options.connect_timeout = std::min(options.connect_timeout, deadline - absl::Now());
  auto opened = Connection::Open(options);
  if (!opened.ok()) {
    Return(nullptr);
    return opened.status();
  }
  return PooledConnection(this, *std::move(opened));
}

void Pool::Return(std::unique_ptr<Connection> connection) {
  const bool usable = connection != nullptr && !connection->broken() && connection->idle();
  // A connection is closed outside the lock.
  std::unique_ptr<Connection> closing;
  const absl::MutexLock lock(&mutex_);
  --in_use_;
  if (usable) {
    idle_.push_back(std::move(connection));
  } else {
    closing = std::move(connection);
  }
}

absl::Status Pool::Ping(absl::Time deadline) {
  auto connection = Acquire(deadline);
  if (!connection.ok()) return connection.status();
  return (*connection)->Execute("select 1").status();
}

Pool::Numbers Pool::numbers() const {
  const absl::MutexLock lock(&mutex_);
  return {.size = size_,
          .open = static_cast<int>(idle_.size()) + in_use_,
          .in_use = in_use_,
          .waiting = waiting_};
}

}  // namespace sankofa::postgres
