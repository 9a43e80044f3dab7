#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <set>

#include "absl/status/status.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/health/health.h"
#include "services/platform/rpc/server.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"

// The calls that are running. Each is a reactor of gRPC's callback API that owns itself until gRPC is done with it, and
// is answered once: by the dispatcher, or before that by the end of the caller's patience or of the server. An answer
// that comes later finds nobody and is dropped.
namespace sankofa::rpc {

class StreamCall;

// What all calls of a server share. Outlives them; thread-safe.
class Calls {
 public:
  Calls(const ServerOptions& options, std::unique_ptr<TokenVerifier> tokens,
        std::shared_ptr<HealthBoard> health);

  [[nodiscard]] grpc::ServerUnaryReactor* StartUnary(const Method& method,
                                                     grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request,
                                                     grpc::ByteBuffer* response);
  [[nodiscard]] grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(
      const Method& method, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request);

  // From now on streams end as soon as no unary call is running; new streams are refused.
  void Drain();

 private:
  friend class StreamCall;
  friend class UnaryCall;

  void UnaryBegan();
  void UnaryEnded();
  [[nodiscard]] absl::Status StreamBegan(const std::shared_ptr<StreamCall>& call);
  void StreamEnded(const std::shared_ptr<StreamCall>& call);
  void CloseStreams();

  // A failure as the caller may see it. What is behind an internal error or a dependency that is away goes to the log,
  // under the trace id that the caller gets.
  [[nodiscard]] absl::Status Presentable(const absl::Status& status, const Method& method,
                                         const std::string& traceparent);

  const ServerOptions options_;
  Gate gate_;
  const std::shared_ptr<HealthBoard> health_;
  telemetry::Gauge unary_gauge_;
  telemetry::Gauge stream_gauge_;
  telemetry::RepeatedLog unavailable_;

  std::mutex mutex_;
  int unary_running_ = 0;
  bool draining_ = false;
  std::set<std::shared_ptr<StreamCall>> streams_;
};

}  // namespace sankofa::rpc
