#include "services/platform/rpc/health/health.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sankofa::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One Watch call: writes the status whenever it differs from the last one written. Kept alive by the board while it is
// listed, and by itself until gRPC is done with it.
class HealthWatch final : public grpc::ServerWriteReactor<HealthCheckResponse>,
                          public std::enable_shared_from_this<HealthWatch> {
 public:
  HealthWatch(std::shared_ptr<HealthBoard> board, std::string service)
      : board_(std::move(board)), service_(std::move(service)) {}

  void Begin() {
    self_ = shared_from_this();
    if (board_->Join(self_)) {
      Tell();
    } else {
      End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down, or too many watch"));
    }
  }

  // Something changed. The status is read here and not handed in, so that two changes can't overtake each other.
  void Tell() {
    {
      const std::lock_guard lock(mutex_);
      latest_ = board_->StatusOf(service_);
    }
    Advance();
  }

  void End(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!ending_) ending_ = std::move(status);
    }
    Advance();
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok && !ending_) ending_ = grpc::Status::CANCELLED;
    }
    Advance();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    board_->Leave(self_);
    self_.reset();
  }

 private:
  // Starts what is next, if nothing is under way: the end before a status, for who ends has said enough.
  void Advance() {
    std::optional<grpc::Status> finish;
    bool write = false;
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finished_) return;
      if (latest_ && latest_ != written_) {
        written_ = latest_;
        response_.set_status(*latest_);
        writing_ = write = true;
      } else if (ending_) {
        finished_ = true;
        finish = ending_;
      }
    }
    if (write) StartWrite(&response_);
    if (finish) Finish(*finish);
  }

  const std::shared_ptr<HealthBoard> board_;
  const std::string service_;
  std::shared_ptr<HealthWatch> self_;
  std::mutex mutex_;
  HealthCheckResponse response_;
  std::optional<HealthStatus> latest_;
  std::optional<HealthStatus> written_;
  std::optional<grpc::Status> ending_;
  bool writing_ = false;
  bool finished_ = false;
};

HealthBoard::HealthBoard(const std::vector<std::string>& services) {
  for (const std::string& service : services) serving_[service] = false;
}

void HealthBoard::Set(const std::string& service, bool serving) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = serving_.find(service);
    if (found == serving_.end() || draining_) return;
    found->second = serving;
  }
  TellAll();
}

void HealthBoard::SetDraining() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  TellAll();
}

void HealthBoard::CloseWatches() {
  std::set<std::shared_ptr<HealthWatch>> watches;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    watches = watches_;
  }
  for (const auto& watch : watches) {
    watch->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down"));
  }
}

HealthStatus HealthBoard::StatusOf(const std::string& service) const {
  const std::lock_guard lock(mutex_);
  const auto word = [&](bool serving) {
    return serving && !draining_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  };
  if (service == kLiveness) return HealthCheckResponse::SERVING;
  if (service.empty()) {
    return word(std::all_of(serving_.begin(), serving_.end(),
                            [](const auto& entry) { return entry.second; }));
  }
  const auto found = serving_.find(service);
  return found == serving_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : word(found->second);
}

bool HealthBoard::Join(const std::shared_ptr<HealthWatch>& watch) {
  const std::lock_guard lock(mutex_);
  if (closed_ || watches_.size() >= kWatchesMax) return false;
  watches_.insert(watch);
  return true;
}

void HealthBoard::Leave(const std::shared_ptr<HealthWatch>& watch) {
  const std::lock_guard lock(mutex_);
  watches_.erase(watch);
}

void HealthBoard::TellAll() {
  std::set<std::shared_ptr<HealthWatch>> watches;
  {
    const std::lock_guard lock(mutex_);
    watches = watches_;
  }
  for (const auto& watch : watches) watch->Tell();
}

HealthService::HealthService(std::shared_ptr<HealthBoard> board) : board_(std::move(board)) {
  using grpc::internal::RpcMethod;
  using grpc::internal::RpcServiceMethod;
  AddMethod(new RpcServiceMethod("/grpc.health.v1.Health/Check", RpcMethod::NORMAL_RPC, nullptr));
  MarkMethodCallback(
      0, new grpc::internal::CallbackUnaryHandler<HealthCheckRequest, HealthCheckResponse>(
             [this](grpc::CallbackServerContext* context, const HealthCheckRequest* request,
                    HealthCheckResponse* response) -> grpc::ServerUnaryReactor* {
               grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
               const HealthStatus status = board_->StatusOf(request->service());
               response->set_status(status);
               reactor->Finish(status == HealthCheckResponse::SERVICE_UNKNOWN
                                   ? grpc::Status(grpc::StatusCode::NOT_FOUND, "unknown service")
                                   : grpc::Status::OK);
               return reactor;
             }));
  AddMethod(
      new RpcServiceMethod("/grpc.health.v1.Health/Watch", RpcMethod::SERVER_STREAMING, nullptr));
  MarkMethodCallback(
      1,
      new grpc::internal::CallbackServerStreamingHandler<HealthCheckRequest, HealthCheckResponse>(
          [this](grpc::CallbackServerContext* /*context*/, const HealthCheckRequest* request)
              -> grpc::ServerWriteReactor<HealthCheckResponse>* {
            const auto watch = std::make_shared<HealthWatch>(board_, request->service());
            watch->Begin();
            return watch.get();
          }));
}

}  // namespace sankofa::rpc
