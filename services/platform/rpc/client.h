#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/rpc/server.h"

namespace grpc {
class Channel;
}  // namespace grpc

// Calls to services, by method name, without generated stubs. Errors come back as the callee made them: reason, fields
// and texts. What the callee never said gets a reason here: DEPENDENCY_UNAVAILABLE where it can't be reached,
// DEADLINE_PASSED where it didn't answer in time (it may have acted: the same request id finds out).
namespace sankofa::rpc {

struct CallOptions {
  absl::Time deadline = absl::InfinitePast();  // in the past: 10 s from now
  std::string traceparent;                     // empty: of the thread's TraceScope
  std::string token;                           // a person's; empty: on the system's own account
  std::optional<absl::Time> scenario_time;     // for nodes that accept it
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct ChannelOptions {
  std::string address;  // "host:port"; all addresses of a DNS name are used in turn
  TlsFiles tls;
  std::string server_name;  // where the certificate names another host; empty: as in the address
};

// Thread-safe. Connects on the first call, and again after a loss.
class Client {
 public:
  // NOT_FOUND where a TLS file can't be read.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Client>> Create(
      const ChannelOptions& options);
  explicit Client(std::shared_ptr<grpc::Channel> channel);
  ~Client();

  // `method`: "sankofa.registration.v1.RegistrationService/GetCase". Waits; not for gRPC's threads.
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response,
                                  const CallOptions& options = {}) const;

  // The same without waiting. `request` is read before this returns; `response` stays until `done`, which is called
  // once, on a thread of gRPC that must not wait.
  void CallAsync(const std::string& method, const google::protobuf::Message& request,
                 google::protobuf::Message& response, const CallOptions& options,
                 std::function<void(absl::Status)> done) const;

  // Reads a server stream to its end. `take` gets each message and says whether to go on. OK where it ended well or
  // `take` ended it.
  [[nodiscard]] absl::Status ReadStream(
      const std::string& method, const google::protobuf::Message& request,
      google::protobuf::Message& response, const CallOptions& options,
      const std::function<bool(const google::protobuf::Message&)>& take) const;

  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

// The services that a process calls, by name ("registration"), all with one certificate.
class Clients {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Clients>> Create(
      const std::map<std::string, std::string>& addresses, const TlsFiles& tls);

  // Null where the service has no address.
  [[nodiscard]] const Client* Find(const std::string& service) const;

  // Finds the service in the method's package: "sankofa.registration.v1.…" → registration.
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response,
                                  const CallOptions& options = {}) const;

 private:
  std::map<std::string, std::unique_ptr<Client>> clients_;
};

}  // namespace sankofa::rpc
