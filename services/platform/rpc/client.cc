#include "services/platform/rpc/client.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/rpc/certificates.h"
#include "services/platform/rpc/library_logs.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::rpc {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageLite;
using grpc::internal::RpcMethod;

constexpr absl::Duration kDefaultPatience = absl::Seconds(10);
constexpr int kResponseBytesMax = 16 << 20;

void Prepare(grpc::ClientContext& context, const CallOptions& options) {
  const absl::Time deadline =
      options.deadline == absl::InfinitePast() ? absl::Now() + kDefaultPatience : options.deadline;
  if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  const std::string& outer =
      options.traceparent.empty() ? telemetry::CurrentTraceparent() : options.traceparent;
  context.AddMetadata("traceparent", telemetry::ChildTraceparent(outer));
  if (!options.token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", options.token));
  }
  if (options.scenario_time) {
    context.AddMetadata(
        "sankofa-scenario-time",
        absl::FormatTime(absl::RFC3339_full, *options.scenario_time, absl::UTCTimeZone()));
  }
  for (const auto& [key, value] : options.metadata) context.AddMetadata(key, value);
}

absl::Status FromGrpc(const grpc::Status& status, const std::string& method) {
  if (status.ok()) return absl::OkStatus();
  absl::Status rebuilt =
      status::FromTrailer(status.error_code(), status.error_message(), status.error_details());
  if (!status::ReasonOf(rebuilt).empty()) return rebuilt;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return status::Unavailable(absl::StrCat(method, ": ", status.error_message()));
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return status::Refuse(common::v1::REASON_DEADLINE_PASSED,
                          {.fields = {}, .metadata = {{"method", method}}});
  }
  return rebuilt;
}

std::string PathOf(const std::string& method) { return absl::StrCat("/", method); }

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ChannelOptions& options) {
  AdoptLibraryLogs();
  const auto certificates = CertificatesOf(options.tls);
  if (!certificates.ok()) return certificates.status();
  grpc::experimental::TlsChannelCredentialsOptions credentials;
  credentials.set_certificate_provider(*certificates);
  credentials.watch_root_certs();
  credentials.watch_identity_key_cert_pairs();
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetMaxReceiveMessageSize(kResponseBytesMax);
  // A service that was moved is found again at once, and not after the library's half minute.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  if (!options.server_name.empty()) arguments.SetSslTargetNameOverride(options.server_name);
  return std::make_unique<Client>(
      grpc::CreateCustomChannel(absl::StrCat("dns:///", options.address),
                                grpc::experimental::TlsCredentials(credentials), arguments));
}

Client::Client(std::shared_ptr<grpc::Channel> channel) : channel_(std::move(channel)) {}
Client::~Client() = default;

absl::Status Client::Call(const std::string& method, const Message& request, Message& response,
                          const CallOptions& options) const {
  grpc::ClientContext context;
  Prepare(context, options);
  const std::string path = PathOf(method);
  const RpcMethod rpc(path.c_str(), RpcMethod::NORMAL_RPC);
  return FromGrpc(grpc::internal::BlockingUnaryCall<Message, Message, MessageLite, MessageLite>(
                      channel_.get(), rpc, &context, request, &response),
                  method);
}

void Client::CallAsync(const std::string& method, const Message& request, Message& response,
                       const CallOptions& options, std::function<void(absl::Status)> done) const {
  struct Running {
    grpc::ClientContext context;
    std::string path;
  };
  const auto running = std::make_shared<Running>();
  Prepare(running->context, options);
  running->path = PathOf(method);
  const RpcMethod rpc(running->path.c_str(), RpcMethod::NORMAL_RPC);
  grpc::internal::CallbackUnaryCall<Message, Message, MessageLite, MessageLite>(
      channel_.get(), rpc, &running->context, &request, &response,
      [running, method, done = std::move(done)](const grpc::Status& status) {
        done(FromGrpc(status, method));
      });
}

absl::Status Client::ReadStream(const std::string& method, const Message& request,
                                Message& response, const CallOptions& options,
                                const std::function<bool(const Message&)>& take) const {
  grpc::ClientContext context;
  Prepare(context, options);
  const std::string path = PathOf(method);
  const RpcMethod rpc(path.c_str(), RpcMethod::SERVER_STREAMING);
  const std::unique_ptr<grpc::ClientReader<MessageLite>> reader(
      grpc::internal::ClientReaderFactory<MessageLite>::Create<MessageLite>(channel_.get(), rpc,
                                                                            &context, request));
  bool enough = false;
  while (!enough && reader->Read(&response)) enough = !take(response);
  if (enough) context.TryCancel();
  const grpc::Status status = reader->Finish();
  return enough ? absl::OkStatus() : FromGrpc(status, method);
}

absl::StatusOr<std::unique_ptr<Clients>> Clients::Create(
    const std::map<std::string, std::string>& addresses, const TlsFiles& tls) {
  auto clients = std::make_unique<Clients>();
  for (const auto& [service, address] : addresses) {
    auto client = Client::Create({.address = address, .tls = tls, .server_name = {}});
    if (!client.ok()) return client.status();
    clients->clients_[service] = *std::move(client);
  }
  return clients;
}

const Client* Clients::Find(const std::string& service) const {
  const auto found = clients_.find(service);
  return found == clients_.end() ? nullptr : found->second.get();
}

absl::Status Clients::Call(const std::string& method, const Message& request, Message& response,
                           const CallOptions& options) const {
  const std::vector<std::string> parts = absl::StrSplit(method, '.');
  const Client* client = parts.size() > 1 ? Find(parts[1]) : nullptr;
  if (client == nullptr) {
    return status::Unavailable(absl::StrCat("no address is known for ", method));
  }
  return client->Call(method, request, response, options);
}

}  // namespace sankofa::rpc
