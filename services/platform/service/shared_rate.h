#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/redis/client.h"
#include "services/platform/rpc/rate_limit.h"

namespace sankofa::service {

// Adds counts up in Redis: a number a caller and minute, gone two minutes later.
class RedisCounts final : public rpc::SharedCounts {
 public:
  explicit RedisCounts(redis::Client& client) : client_(client) {}
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Add(
      const std::vector<Count>& counts) override;

 private:
  redis::Client& client_;
};

// The rate limiter of one process, told once a second what others counted. With Redis away it goes on alone.
class SharedRate {
 public:
  // INVALID_ARGUMENT for an address that is none.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SharedRate>> Start(
      rpc::RateLimits limits, const std::string& redis_address);
  ~SharedRate();
  SharedRate(const SharedRate&) = delete;
  SharedRate& operator=(const SharedRate&) = delete;

  [[nodiscard]] rpc::RateLimiter& limiter() { return limiter_; }

 private:
  SharedRate(rpc::RateLimits limits, std::unique_ptr<redis::Client> client);
  void Run();

  rpc::RateLimiter limiter_;
  const std::unique_ptr<redis::Client> client_;
  RedisCounts counts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sankofa::service
