#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/rpc/server.h"
#include "services/platform/service/runtime.h"
#include "services/platform/service/shared_rate.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::service {

// One process: the services that were asked for, one gRPC server, one metrics page. The server answers from the first
// moment, with health NOT_SERVING; each service is SERVING once its database and migrations are ready.
class Node {
 public:
  // `services`: their definitions outlive the node. An error says what is wrong with the configuration or a service.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Node>> Start(
      const config::Config& config, const std::vector<const Definition*>& services);
  ~Node();

  // Drains: NOT_SERVING, running calls finish, queues empty, reports come in.
  void Stop();

 private:
  class Router;

  Node() = default;
  // Starts a service, again and again until its database is there; then keeps its health up to date.
  void Tend(Runtime& runtime);

  std::unique_ptr<crypto::Vault> vault_;
  std::unique_ptr<crypto::Signer> signer_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Runtime>> runtimes_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<SharedRate> rate_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<telemetry::MetricsServer> metrics_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<std::thread> tending_;
  int drain_seconds_ = 10;
};

// `sankofa migrate`: makes roles and schemas with the administrator's rights, then applies each service's migrations.
[[nodiscard]] absl::Status MigrateAll(const config::Config& config,
                                      const std::vector<const Definition*>& services);

}  // namespace sankofa::service
