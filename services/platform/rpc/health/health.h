#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "grpc/health/v1/health.pb.h"

namespace sankofa::rpc {

using HealthStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

// The name under which the process is always SERVING: it answers, so it lives. What asks whether to start it anew asks for
// this one, for a process without its database has to wait and not to begin again.
inline constexpr char kLiveness[] = "liveness";

class HealthWatch;

// Which services of the process are serving, and who wants to know. Thread-safe.
class HealthBoard {
 public:
  // All begin as NOT_SERVING. The empty name is SERVING while all of them are.
  explicit HealthBoard(const std::vector<std::string>& services);

  void Set(const std::string& service, bool serving);
  // From now on all are NOT_SERVING, and Set changes nothing.
  void SetDraining();
  // Ends all watches, and those that come later at once.
  void CloseWatches();

  // SERVICE_UNKNOWN where there is no such service.
  [[nodiscard]] HealthStatus StatusOf(const std::string& service) const;

 private:
  friend class HealthWatch;
  static constexpr std::size_t kWatchesMax = 1000;
  // False where watches are closed or too many.
  [[nodiscard]] bool Join(const std::shared_ptr<HealthWatch>& watch);
  void Leave(const std::shared_ptr<HealthWatch>& watch);
  void TellAll();

  mutable std::mutex mutex_;
  std::map<std::string, bool> serving_;
  bool draining_ = false;
  bool closed_ = false;
  std::set<std::shared_ptr<HealthWatch>> watches_;
};

// grpc.health.v1.Health over a board. One board may be served on several ports, by an instance each.
class HealthService final : public grpc::Service {
 public:
  explicit HealthService(std::shared_ptr<HealthBoard> board);

 private:
  std::shared_ptr<HealthBoard> board_;
};

}  // namespace sankofa::rpc
