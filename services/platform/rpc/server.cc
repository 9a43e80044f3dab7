#include "services/platform/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/service_type.h>

#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/calls.h"
#include "services/platform/rpc/certificates.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/health/health.h"
#include "services/platform/rpc/identity/token.h"
#include "services/platform/rpc/library_logs.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::rpc {
namespace {

using grpc::internal::RpcMethod;
using grpc::internal::RpcServiceMethod;

constexpr int kStreamsPerConnection = 1024;
constexpr int kConnectionAgeMs = 5 * 60'000;
constexpr int kServerThreadsMax = 32;
// Beyond our own limit a call is still read, so that the refusal can say why; beyond this gRPC refuses it itself.
constexpr std::size_t kReadBeyondLimit = 4;

// What protoc's plugin would generate for a service with raw callback methods, made from the descriptor.
class DynamicService final : public grpc::Service {
 public:
  DynamicService(Calls& calls, const std::vector<const Method*>& methods) {
    for (int i = 0; i < static_cast<int>(methods.size()); ++i) {
      const Method& method = *methods[i];
      if (method.kind == MethodKind::kStream) {
        AddMethod(new RpcServiceMethod(method.path.c_str(), RpcMethod::SERVER_STREAMING, nullptr));
        MarkMethodRawCallback(
            i,
            new grpc::internal::CallbackServerStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                [&calls, &method](grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request) {
                  return calls.StartStream(method, context, request);
                }));
      } else {
        AddMethod(new RpcServiceMethod(method.path.c_str(), RpcMethod::NORMAL_RPC, nullptr));
        MarkMethodRawCallback(
            i, new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                   [&calls, &method](grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
                     return calls.StartUnary(method, context, request, response);
                   }));
      }
    }
  }
};

// gRPC's reflection, once linked, is in every server of the process, and the health port is to serve nothing else.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->clear();
  }
};

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsFiles& files) {
  const auto certificates = CertificatesOf(files);
  if (!certificates.ok()) return certificates.status();
  // gRPC speaks TLS 1.2 and 1.3 and nothing before.
  grpc::experimental::TlsServerCredentialsOptions options(*certificates);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

void SetCommon(grpc::ServerBuilder& builder) {
  // Without this a second process would share the port silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  // Clients look again where the service is, and so find processes that were added. What runs on a connection that is
  // told to end goes on to its own end.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  grpc::ResourceQuota quota("sankofa");
  quota.SetMaxThreads(kServerThreadsMax);
  builder.SetResourceQuota(quota);
  // Only reflection runs on threads of its own; one is enough.
  using Sync = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Sync::NUM_CQS, 1);
  builder.SetSyncServerOption(Sync::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Sync::MAX_POLLERS, 1);
}

std::chrono::system_clock::time_point ToChrono(absl::Time time) { return absl::ToChronoTime(time); }

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerOptions& options, std::vector<std::unique_ptr<Method>> methods,
       std::unique_ptr<TokenVerifier> tokens)
      : methods_(std::move(methods)) {
    std::map<std::string, std::vector<const Method*>> by_service;
    for (const auto& method : methods_) {
      by_service[method->descriptor.service()->full_name()].push_back(method.get());
    }
    std::vector<std::string> names;
    for (const auto& [name, _] : by_service) names.push_back(name);
    health_ = std::make_shared<HealthBoard>(names);
    calls_ = std::make_unique<Calls>(options, std::move(tokens), health_);
    for (const auto& [_, list] : by_service) {
      services_.push_back(std::make_unique<DynamicService>(*calls_, list));
    }
  }

  absl::Status Listen(const ServerOptions& options) {
    auto credentials = CredentialsOf(options.tls);
    if (!credentials.ok()) return credentials.status();
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetCommon(builder);
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(options.message_bytes_max * kReadBeyondLimit));
    builder.AddListeningPort(options.address, *credentials, &port_);
    for (const auto& service : services_) builder.RegisterService(service.get());
    builder.RegisterService(&health_service_.emplace(health_));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return status::Unavailable(absl::StrCat("can't listen at ", options.address));
    }
    return options.health_address.empty() ? absl::OkStatus() : ListenForProbes(options);
  }

  void SetServing(const std::string& service, bool serving) { health_->Set(service, serving); }

  void Drain(absl::Duration patience) {
    if (drained_) return;
    drained_ = true;
    const absl::Time deadline = absl::Now() + patience;
    health_->SetDraining();
    if (server_ != nullptr) {
      calls_->Drain();
      server_->Shutdown(ToChrono(deadline));
    }
    if (probe_server_ != nullptr) probe_server_->Shutdown(ToChrono(absl::Now()));
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int health_port() const { return health_port_; }

 private:
  absl::Status ListenForProbes(const ServerOptions& options) {
    grpc::ServerBuilder builder;
    SetCommon(builder);
    builder.SetOption(std::make_unique<WithoutPlugins>());
    builder.SetMaxReceiveMessageSize(1024);
    builder.AddListeningPort(options.health_address, grpc::InsecureServerCredentials(),
                             &health_port_);
    builder.RegisterService(&probe_service_.emplace(health_));
    probe_server_ = builder.BuildAndStart();
    if (probe_server_ == nullptr || health_port_ == 0) {
      return status::Unavailable(absl::StrCat("can't listen at ", options.health_address));
    }
    return absl::OkStatus();
  }

  // In the order in which one needs the one before it; destroyed the other way round.
  const std::vector<std::unique_ptr<Method>> methods_;
  std::shared_ptr<HealthBoard> health_;
  std::unique_ptr<Calls> calls_;
  std::vector<std::unique_ptr<DynamicService>> services_;
  std::optional<HealthService> health_service_;
  std::optional<HealthService> probe_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::Server> probe_server_;
  int port_ = 0;
  int health_port_ = 0;
  bool drained_ = false;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options,
                                                      const std::vector<ServiceBinding>& services) {
  AdoptLibraryLogs();
  auto methods = BindMethods(services);
  if (!methods.ok()) return methods.status();
  TokenVerifier::Options identity;
  identity.issuer = options.identity.issuer;
  identity.audience = options.identity.audience;
  identity.jwks_file = options.identity.jwks_file;
  identity.clock = options.clock;
  auto tokens = TokenVerifier::Create(std::move(identity));
  if (!tokens.ok()) return tokens.status();
  auto impl = std::make_unique<Impl>(options, *std::move(methods), *std::move(tokens));
  if (absl::Status listening = impl->Listen(options); !listening.ok()) return listening;
  telemetry::Info(
      "gRPC server listens",
      {{"address", options.address}, {"port", impl->port()}, {"health_port", impl->health_port()}});
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->Drain(absl::ZeroDuration()); }

void Server::SetServing(const std::string& service, bool serving) {
  impl_->SetServing(service, serving);
}
void Server::Drain(absl::Duration patience) { impl_->Drain(patience); }
int Server::port() const { return impl_->port(); }
int Server::health_port() const { return impl_->health_port(); }

}  // namespace sankofa::rpc
