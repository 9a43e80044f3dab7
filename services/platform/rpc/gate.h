#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "services/platform/engine/decider.h"
#include "services/platform/rpc/identity/access.h"
#include "services/platform/rpc/identity/token.h"
#include "services/platform/rpc/server.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"

// What stands between a caller and a service.
namespace sankofa::rpc {

enum class MethodKind { kCommand, kQuery, kStream };

// A bound method: what the gate and the calls need to know of it, looked up once.
class Method {
 public:
  Method(const google::protobuf::MethodDescriptor& descriptor, MethodKind kind, AccessRule access,
         Dispatcher& dispatcher);

  const google::protobuf::MethodDescriptor& descriptor;
  const MethodKind kind;
  const AccessRule access;
  Dispatcher& dispatcher;
  const std::string name;     // "sankofa.registration.v1.RegistrationService/GetCase"
  const std::string path;     // the same after a slash, as HTTP/2 has it
  const std::string service;  // "registration"
  const google::protobuf::Message* request = nullptr;  // prototype

  // Counts a call that ended with `reason` ("OK" where it was answered).
  void Count(const std::string& reason, absl::Duration took) const;

 private:
  mutable telemetry::Counter answered_;
  mutable telemetry::Histogram seconds_;
};

// All methods of `services`, or everything that keeps them from being served, a line each.
[[nodiscard]] absl::StatusOr<std::vector<std::unique_ptr<Method>>> BindMethods(
    const std::vector<ServiceBinding>& services);

// What is known of a call that may pass.
struct Admission {
  engine::Actor actor;
  absl::Time now;
  absl::Time deadline;
  std::string traceparent;
};

// Thread-safe.
class Gate {
 public:
  Gate(const ServerOptions& options, std::unique_ptr<TokenVerifier> tokens)
      : options_(options), tokens_(std::move(tokens)) {}

  // Deadline, system, person, access, rate, in this order: the first that fails is the answer.
  [[nodiscard]] absl::StatusOr<Admission> Admit(const grpc::CallbackServerContext& context,
                                                const Method& method,
                                                const std::string& traceparent);

  // The trace that the caller is in, with a span of our own; a new one where the caller has none.
  [[nodiscard]] static std::string TraceOf(const grpc::CallbackServerContext& context);

  // The request, parsed and well formed, without fields that are not known here: what is not known can't be sealed.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> Read(
      const Method& method, const grpc::ByteBuffer& bytes, absl::Time now) const;

 private:
  [[nodiscard]] absl::StatusOr<absl::Time> DeadlineOf(const grpc::CallbackServerContext& context,
                                                      const Method& method) const;
  [[nodiscard]] absl::Status ReadSystem(const grpc::CallbackServerContext& context,
                                        engine::Actor& actor) const;
  [[nodiscard]] absl::Status ReadPerson(const grpc::CallbackServerContext& context,
                                        engine::Actor& actor);
  [[nodiscard]] absl::StatusOr<absl::Time> NowOf(const grpc::CallbackServerContext& context) const;

  const ServerOptions options_;
  const std::unique_ptr<TokenVerifier> tokens_;
  telemetry::RepeatedLog denied_;
  telemetry::RepeatedLog limited_;
};

}  // namespace sankofa::rpc
