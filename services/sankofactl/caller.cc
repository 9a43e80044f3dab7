#include "services/sankofactl/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/failure.h"

namespace sankofa::ctl {
namespace {

class GrpcCaller final : public Caller {
 public:
  explicit GrpcCaller(Target target) : target_(std::move(target)) {}

  absl::Status Call(const std::string& service, const std::string& method,
                    const google::protobuf::Message& request, google::protobuf::Message& response,
                    const rpc::CallOptions& options) override {
    const auto client = ClientOf(service);
    if (!client.ok()) return client.status();
    return (*client)->Call(method, request, response, options);
  }

  absl::Status ReadStream(
      const std::string& service, const std::string& method,
      const google::protobuf::Message& request, google::protobuf::Message& response,
      const rpc::CallOptions& options,
      const std::function<bool(const google::protobuf::Message&)>& take) override {
    const auto client = ClientOf(service);
    if (!client.ok()) return client.status();
    return (*client)->ReadStream(method, request, response, options, take);
  }

 private:
  absl::StatusOr<const rpc::Client*> ClientOf(const std::string& service) {
    const auto own = target_.addresses.find(service);
    const std::string& address = own == target_.addresses.end() ? target_.address : own->second;
    if (address.empty()) {
      return UsageError(absl::StrCat("no address is known for the service '", service,
                                     "'. Give one with --address host:port."));
    }
    auto& client = clients_[address];
    if (client == nullptr) {
      auto made = rpc::Client::Create(
          {.address = address, .tls = target_.tls, .server_name = target_.server_name});
      if (!made.ok()) return UsageError(status::Std(made.status().message()));
      client = *std::move(made);
    }
    return client.get();
  }

  const Target target_;
  std::map<std::string, std::unique_ptr<rpc::Client>> clients_;  // by address
};

}  // namespace

absl::StatusOr<std::unique_ptr<Caller>> ConnectByGrpc(const Target& target) {
  return std::make_unique<GrpcCaller>(target);
}

}  // namespace sankofa::ctl
