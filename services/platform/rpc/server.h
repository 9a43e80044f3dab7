#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "services/platform/engine/registry.h"
#include "services/platform/rpc/dispatcher.h"
#include "services/platform/rpc/queries.h"
#include "services/platform/rpc/rate_limit.h"
#include "services/platform/time/time.h"

// The gRPC server of a process: mutual TLS, reflection, health, and one way for every call of every service. There is
// no generated service code: methods are bound from their descriptors, so that no method can go round the gate.
//
//   gate       trace, caller's system (certificate), deadline, person (token), access option of the method, rate
//   shape      size, wire form, the field rules of the request
//   dispatcher commands to the engine's queue, queries and streams to threads that may wait
//   answer     personal fields removed unless granted; refusals as google.rpc.Status with reason and texts
namespace sankofa::rpc {

// PEM files.
struct TlsFiles {
  std::string ca;  // who may have signed the other side's certificate
  std::string certificate;
  std::string key;
};

struct IdentityOptions {
  std::string issuer;
  std::string audience;
  std::string jwks_file;
};

struct ServerOptions {
  std::string node;  // "cm": callers' certificates say spiffe://<node>.sankofa/<system>
  std::string address;
  TlsFiles tls;
  std::string health_address;  // without TLS, health and nothing else; empty: none
  IdentityOptions identity;
  bool accept_scenario_time = false;
  std::size_t message_bytes_max = 1 << 20;
  absl::Duration deadline_max = absl::Minutes(1);
  absl::Duration stream_deadline_max = absl::Hours(1);
  int streams_max = 1000;               // open at a time
  std::size_t stream_buffer_max = 256;  // messages that wait for a slow client
  RateLimiter* rate = nullptr;          // none: nobody is limited; outlives the server
  const time::Clock* clock = &time::WallClock();
};

// One proto service and what its methods are bound to. All pointers outlive the server; `registry` and `queries` may
// be null where the service has no commands or no queries.
struct ServiceBinding {
  const google::protobuf::ServiceDescriptor* rpc = nullptr;
  const engine::Registry* registry = nullptr;
  const Queries* queries = nullptr;
  Dispatcher* dispatcher = nullptr;
};

class Server {
 public:
  // FAILED_PRECONDITION naming everything that is wrong with the services: methods without an access option, bound to
  // nothing, or bound to what does not fit; field rules that don't fit their field; messages that can't be sealed.
  // UNAVAILABLE where an address can't be had. No service is SERVING yet.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Server>> Start(
      ServerOptions options, const std::vector<ServiceBinding>& services);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `service`: full name of the proto service. The empty name, the node as a whole, is SERVING when all are.
  void SetServing(const std::string& service, bool serving);

  // Says NOT_SERVING, takes no new calls, lets running ones finish for at most `patience`, then closes streams and what
  // is left. Called once; the destructor does it without patience.
  void Drain(absl::Duration patience);

  [[nodiscard]] int port() const;
  [[nodiscard]] int health_port() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sankofa::rpc
