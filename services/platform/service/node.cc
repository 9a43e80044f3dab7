#include "services/platform/service/node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/postgres/migrate.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::service {
namespace {

constexpr char kNodeService[] = "sankofa.common.v1.NodeService";
constexpr absl::Duration kBringUpFirstPause = absl::Milliseconds(200);
constexpr absl::Duration kBringUpLongestPause = absl::Seconds(5);

absl::StatusOr<std::unique_ptr<crypto::Vault>> OpenVault(const config::Crypto& crypto) {
  if (!crypto.master_key.empty()) return crypto::Vault::FromBase64(crypto.master_key);
  return crypto::Vault::FromFile(crypto.master_key_file);
}

}  // namespace

// Sends a NodeService call to the service that it names.
class Node::Router final : public rpc::Dispatcher {
 public:
  explicit Router(const std::vector<std::unique_ptr<Runtime>>& runtimes) : runtimes_(runtimes) {}

  void Submit(engine::CommandCall /*call*/, std::function<void(engine::Outcome)> done) override {
    done(status::Internal("NodeService has no commands"));
  }
  void Query(rpc::QueryRequest query,
             std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done) override {
    const auto* field = query.request->GetDescriptor()->FindFieldByName("service");
    const std::string name = query.request->GetReflection()->GetString(*query.request, field);
    for (const auto& runtime : runtimes_) {
      if (runtime->definition().name == name) {
        runtime->NodeQuery(std::move(query), std::move(done));
        return;
      }
    }
    done(status::RefuseField(common::v1::REASON_NOT_FOUND, "service",
                             "no such service runs in this process"));
  }
  void OpenStream(rpc::QueryRequest /*query*/, std::shared_ptr<rpc::StreamSink> sink) override {
    sink->Finish(status::Internal("NodeService has no streams"));
  }

 private:
  const std::vector<std::unique_ptr<Runtime>>& runtimes_;
};

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const config::Config& config,
                                                  const std::vector<const Definition*>& services) {
  std::unique_ptr<Node> node(new Node());
  node->drain_seconds_ = config.listen.drain_seconds;
  auto vault = OpenVault(config.crypto);
  if (!vault.ok()) return vault.status();
  node->vault_ = *std::move(vault);
  auto signer = crypto::Signer::FromFile(config.crypto.signing_key_file);
  if (!signer.ok()) return signer.status();
  std::shared_ptr<const crypto::SealingKey> sealing_key;
  if (!config.crypto.sealing_key_file.empty()) {
    auto key = crypto::SealingKey::FromFile(config.crypto.sealing_key_file);
    if (!key.ok()) return key.status();
    sealing_key = *std::move(key);
  }
  node->shared_ = std::make_unique<Shared>(
      Shared{config, *node->vault_, std::shared_ptr<const crypto::Signer>(*std::move(signer)),
             std::move(sealing_key)});

  std::vector<rpc::ServiceBinding> bindings;
  for (const Definition* definition : services) {
    auto runtime = Runtime::Create(*definition, *node->shared_);
    if (!runtime.ok()) {
      return absl::Status(
          runtime.status().code(),
          absl::StrCat(definition->name, ": ", std::string(runtime.status().message())));
    }
    bindings.push_back({.rpc = definition->rpc,
                        .registry = &(*runtime)->registry(),
                        .queries = &(*runtime)->queries(),
                        .dispatcher = runtime->get()});
    node->runtimes_.push_back(*std::move(runtime));
  }
  node->router_ = std::make_unique<Router>(node->runtimes_);
  bindings.push_back(
      {.rpc = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(kNodeService),
       .registry = nullptr,
       .queries = &node->runtimes_.front()->node_queries(),
       .dispatcher = node->router_.get()});

  auto metrics = telemetry::MetricsServer::Start(config.metrics.address);
  if (!metrics.ok()) return metrics.status();
  node->metrics_ = *std::move(metrics);
  rpc::ServerOptions options;
  options.node = config.node.id;
  options.address = config.listen.address;
  options.tls = {.ca = config.listen.client_ca,
                 .certificate = config.listen.certificate,
                 .key = config.listen.key};
  options.health_address = config.health.address;
  options.identity = {.issuer = config.identity.issuer,
                      .audience = config.identity.audience,
                      .jwks_file = config.identity.jwks_file};
  options.accept_scenario_time = config.clock.accept_scenario_time;
  auto rate = SharedRate::Start({.person_per_minute = config.rate.person_per_minute,
                                 .partner_per_minute = config.rate.partner_per_minute},
                                config.redis.address);
  if (!rate.ok()) return rate.status();
  node->rate_ = *std::move(rate);
  options.rate = &node->rate_->limiter();
  auto server = rpc::Server::Start(std::move(options), bindings);
  if (!server.ok()) return server.status();
  node->server_ = *std::move(server);
  for (const auto& runtime : node->runtimes_) {
    node->tending_.emplace_back([&node = *node, &runtime = *runtime] { node.Tend(runtime); });
  }
  return node;
}

void Node::Tend(Runtime& runtime) {
  const telemetry::ServiceScope scope(runtime.definition().name);
  const std::string rpc_name = runtime.definition().rpc->full_name();
  auto serves = telemetry::GetGauge("sankofa_serving", "1 while a service answers calls, else 0.",
                                    {{"service", runtime.definition().name}});
  telemetry::RepeatedLog waiting;
  absl::Duration pause = kBringUpFirstPause;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const absl::Status started = runtime.Start();
    lock.lock();
    if (started.ok()) break;
    if (status::IsTransient(started)) {
      waiting.Met(telemetry::Level::kWarn, "not serving: the database is not ready, trying again",
                  {{"status", started}});
    } else {
      waiting.Met(telemetry::Level::kError, "not serving: the service can't start, see status",
                  {{"status", started}});
    }
    wake_.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return stopping_; });
    pause = std::min(pause * 2, kBringUpLongestPause);
  }
  bool serving = false;
  while (!stopping_) {
    if (runtime.ready() != serving) {
      serving = !serving;
      serves.Set(serving ? 1 : 0);
      server_->SetServing(rpc_name, serving);
      telemetry::Info(serving ? "serving" : "not serving: the database does not answer");
      if (serving) {
        // NodeService answers for every service by name, so it serves as soon as one does.
        server_->SetServing(kNodeService, true);
      }
    }
    wake_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stopping_; });
  }
}

void Node::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_all();
  telemetry::Info("draining: no new calls are taken, running ones finish");
  if (server_) server_->Drain(absl::Seconds(drain_seconds_));
  for (std::thread& thread : tending_) thread.join();
  for (auto& runtime : runtimes_) runtime->Stop();
  telemetry::Info("stopped");
}

Node::~Node() { Stop(); }

absl::Status MigrateAll(const config::Config& config,
                        const std::vector<const Definition*>& services) {
  postgres::BootstrapOptions bootstrap;
  bootstrap.admin.host = config.postgres.host;
  bootstrap.admin.port = config.postgres.port;
  bootstrap.admin.database = config.postgres.database;
  bootstrap.admin.user = config.postgres.admin.user;
  bootstrap.password_folder = config.postgres.password_folder;
  auto password = crypto::ReadSecretText(config.postgres.admin.password_file);
  if (!password.ok()) return password.status();
  bootstrap.admin.password = *std::move(password);
  for (const Definition* definition : services) bootstrap.services.push_back(definition->name);
  if (auto made = postgres::Bootstrap(bootstrap); !made.ok()) return made;
  for (const Definition* definition : services) {
    auto connect = ConnectAs(config.postgres, definition->name);
    if (!connect.ok()) return connect.status();
    const auto migrated = postgres::Migrate(*connect, definition->name, definition->migrations);
    if (!migrated.ok()) return migrated;
    telemetry::Info("schema is up to date", {{"service", definition->name}});
  }
  return absl::OkStatus();
}

}  // namespace sankofa::service
