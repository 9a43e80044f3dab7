#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "services/platform/rpc/client.h"

namespace sankofa::ctl {

// Which node, and with which certificate.
struct Target {
  std::string address;                           // of every service that has none of its own
  std::map<std::string, std::string> addresses;  // by service
  rpc::TlsFiles tls;
  std::string server_name;
};

// The node as this client calls it. Tests have one of their own.
class Caller {
 public:
  virtual ~Caller() = default;

  // `service` ("registration") says who answers, `method` is the full name. UNAVAILABLE names the address.
  [[nodiscard]] virtual absl::Status Call(const std::string& service, const std::string& method,
                                          const google::protobuf::Message& request,
                                          google::protobuf::Message& response,
                                          const rpc::CallOptions& options) = 0;
  // As rpc::Client::ReadStream.
  [[nodiscard]] virtual absl::Status ReadStream(
      const std::string& service, const std::string& method,
      const google::protobuf::Message& request, google::protobuf::Message& response,
      const rpc::CallOptions& options,
      const std::function<bool(const google::protobuf::Message&)>& take) = 0;
};

using Connect = std::function<absl::StatusOr<std::unique_ptr<Caller>>(const Target&)>;

// Over gRPC, one channel an address.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Caller>> ConnectByGrpc(const Target& target);

}  // namespace sankofa::ctl
