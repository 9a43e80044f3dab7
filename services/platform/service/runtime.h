#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/platform/config/config.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/engine.h"
#include "services/platform/kafka/client.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/kafka/relay.h"
#include "services/platform/postgres/pool.h"
#include "services/platform/postgres/store.h"
#include "services/platform/rpc/client.h"
#include "services/platform/rpc/dispatcher.h"
#include "services/platform/service/definition.h"
#include "services/platform/service/executor.h"
#include "services/platform/service/waiting_threads.h"

namespace sankofa::service {

inline constexpr char kVersion[] = "0.1.0";

// What all services of a process share. Outlives them.
struct Shared {
  const config::Config& config;
  const crypto::Vault& vault;
  std::shared_ptr<const crypto::Signer> signer;
  std::shared_ptr<const crypto::SealingKey> sealing_key;  // null where the node has none
};

// How `service` connects to its schema. FAILED_PRECONDITION where its password can't be read.
[[nodiscard]] absl::StatusOr<postgres::ConnectOptions> ConnectAs(const config::Postgres& postgres,
                                                                 const std::string& service);

// One running service: its role in the database, its engine with queue and workers, its relay, its reactions. Start
// needs the database; Kafka, Redis and other services may come later or go.
class Runtime final : public rpc::Dispatcher {
 public:
  // FAILED_PRECONDITION where the definition or the configuration does not hold together.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Runtime>> Create(const Definition& definition,
                                                                       const Shared& shared);
  ~Runtime() override;

  // Applies migrations, then starts threads. UNAVAILABLE while the database can't be reached: try again.
  [[nodiscard]] absl::Status Start();
  // Ends relay, reactions and deadlines, finishes queued commands. Called once.
  void Stop();

  // True from the end of Start until the database is gone.
  [[nodiscard]] bool ready() const { return started_ && database_up_; }

  // rpc::Dispatcher
  void Submit(engine::CommandCall call, std::function<void(engine::Outcome)> done) override;
  void Query(rpc::QueryRequest query,
             std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done) override;
  void OpenStream(rpc::QueryRequest query, std::shared_ptr<rpc::StreamSink> sink) override;
  // A query of NodeService that names this service; has threads of its own, so that services may ask each other.
  void NodeQuery(rpc::QueryRequest query,
                 std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done);

  // Gives the commands that are due at `now`. How many were given, and how many of them were refused.
  struct DeadlinesRun {
    int commands = 0;
    int refused = 0;
  };
  [[nodiscard]] absl::StatusOr<DeadlinesRun> RunDeadlines(absl::Time now);

  [[nodiscard]] const Definition& definition() const { return definition_; }
  [[nodiscard]] const config::Config& config() const { return shared_.config; }
  [[nodiscard]] const crypto::Vault& vault() const { return shared_.vault; }
  [[nodiscard]] const crypto::Signer& signer() const { return *shared_.signer; }
  // Null where the node has none.
  [[nodiscard]] const crypto::SealingKey* sealing_key() const { return shared_.sealing_key.get(); }
  [[nodiscard]] const engine::Registry& registry() const { return registry_; }
  [[nodiscard]] const engine::Reactions& reactions() const { return reactions_; }
  // Where the commands of other services' events come from.
  [[nodiscard]] engine::CallSource& call_source() { return *call_source_; }
  [[nodiscard]] const rpc::Queries& queries() const { return queries_; }
  [[nodiscard]] const rpc::Queries& node_queries() const { return node_queries_; }
  [[nodiscard]] engine::Store& store() { return *store_; }
  [[nodiscard]] const engine::Engine& engine() const { return *engine_; }
  [[nodiscard]] Executor& executor() { return *executor_; }
  [[nodiscard]] postgres::Pool& pool() { return *pool_; }
  [[nodiscard]] const rpc::Clients& clients() const { return *clients_; }
  // The part of this type that the definition made; null before Start and where there is none.
  template <class P>
  [[nodiscard]] P* part() const {
    for (const auto& part : parts_) {
      if (auto* found = dynamic_cast<P*>(part.get())) return found;
    }
    return nullptr;
  }
  // All parts of this type, in the order in which the definition made them.
  template <class P>
  [[nodiscard]] std::vector<P*> parts() const {
    std::vector<P*> found;
    for (const auto& part : parts_) {
      if (auto* one = dynamic_cast<P*>(part.get())) found.push_back(one);
    }
    return found;
  }
  // Those who read the topics of the node's services here: the reactions, and parts that are TopicReaders.
  [[nodiscard]] std::vector<const kafka::ReactionRunner*> consumers() const;
  // For a part that reads topics itself: this service's certificate and brokers.
  [[nodiscard]] kafka::ClientOptions kafka_client() const;

 private:
  Runtime(const Definition& definition, const Shared& shared);

  void RunQuery(WaitingThreads& threads, const rpc::Queries& queries, rpc::QueryRequest query,
                std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done);
  [[nodiscard]] absl::Status MaintainPartitions();
  [[nodiscard]] engine::Outcome GiveDue(const engine::DueCommand& due, absl::Time now);
  [[nodiscard]] kafka::TopicSpec SpecOf(const std::string& topic) const;
  // See kafka::RelayOptions.
  [[nodiscard]] absl::StatusOr<std::map<std::string, std::int64_t>> LookAfter(
      const std::vector<std::string>& topics) const;
  void StartRelays();
  void StartReactions();
  void Tend();  // deadlines, partitions, retention, whether the database answers

  const Definition& definition_;
  const Shared shared_;
  engine::Registry registry_;
  engine::Reactions reactions_;
  rpc::Queries queries_;
  rpc::Queries node_queries_;

  std::unique_ptr<rpc::Clients> clients_;
  std::unique_ptr<postgres::Pool> pool_;
  std::unique_ptr<engine::Store> store_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<WaitingThreads> query_threads_;
  std::unique_ptr<WaitingThreads> node_threads_;
  std::vector<std::unique_ptr<kafka::RelaySource>> relay_sources_;  // one a shard
  std::vector<std::unique_ptr<kafka::Relay>> relays_;
  std::unique_ptr<engine::CallSource> call_source_;
  std::unique_ptr<kafka::ReplaySource> replay_source_;
  std::unique_ptr<kafka::ReactionSink> reaction_sink_;
  std::unique_ptr<kafka::ReactionRunner> reaction_runner_;
  std::vector<std::unique_ptr<Part>> parts_;

  std::mutex deadlines_mutex_;
  std::map<std::pair<engine::StreamKey, std::int64_t>, absl::Time>
      refused_deadlines_;  // until when

  std::atomic<bool> started_ = false;
  std::atomic<bool> database_up_ = false;
  std::mutex tend_mutex_;
  std::condition_variable tend_wake_;
  bool stopping_ = false;
  std::thread tend_;
};

}  // namespace sankofa::service
