#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/message.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/build/builder.h"
#include "services/exchange/ingest/partner_feed.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/platform/crypto/box.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/engine/engine.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/kafka/relay.h"
#include "services/platform/rpc/queries.h"
#include "services/platform/service/definition.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"
#include "tests/simulation/world/broker.h"
#include "tests/simulation/world/store.h"

// One service of one node: its database, which stays, and the process that works on it, which dies and is started again.
// What runs in it is the product's own: registry, engine, queries, reactions, relay, runner; for exchange the builder of
// feeds and the readers of partners' feeds. The simulation gives them store, Kafka, network and clock.
namespace sankofa::simulation {

class Node;
class World;

class Service {
 public:
  Service(Node& node, const service::Definition& definition, Planted planted);
  ~Service();

  // The process begins, and ends where it has died.
  void Start();
  void Stop();
  [[nodiscard]] bool up() const { return running_ != nullptr; }

  // The parts of the process, each for one round; true where it did something. The first is the relay, the second the
  // runner of reactions, the third gives deadlines, the others read partners' feeds.
  [[nodiscard]] int parts() const;
  bool Step(int part);

  // Commands as the executor gives them to the engine, with the facts that they need.
  [[nodiscard]] std::vector<engine::Outcome> Submit(std::vector<engine::CommandCall> calls);
  // A query as the gate lets it through. Reads are on the trail before it answers.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> Answer(
      const engine::Actor& actor, const google::protobuf::Message& request);
  // Calls a method of a service of this node, or of another one.
  [[nodiscard]] absl::Status Call(Node& to, const std::string& method,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message& response);

  // What the night does: both sides' digests are compared, and what is missing here is asked for. True where they are
  // equal.
  [[nodiscard]] absl::StatusOr<bool> CompareDigests(const std::string& partner);
  // Partners that are to be read from, as the process finds them when it starts and from time to time.
  void LookAround();

  [[nodiscard]] const std::string& name() const { return definition_.name; }
  [[nodiscard]] Node& node() { return node_; }
  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] Database& database() { return database_; }
  [[nodiscard]] const Database& database() const { return database_; }
  [[nodiscard]] const engine::Registry& registry() const { return registry_; }
  [[nodiscard]] const engine::Reactions& reactions() const { return reactions_; }
  [[nodiscard]] engine::Engine& engine() { return engine_; }
  [[nodiscard]] const engine::Engine& engine() const { return engine_; }

  // A state as it is kept; nothing where there is none.
  template <class State>
  [[nodiscard]] std::optional<State> Kept(const std::string& id) const {
    const auto& streams = database_.kept().streams();
    const auto found = streams.find(engine::KeyOf<State>(id));
    if (found == streams.end()) return std::nullopt;
    State state;
    status::Check(state.ParseFromString(found->second.state), "a state can't be read");
    return state;
  }
  template <class State>
  [[nodiscard]] std::vector<State> AllKept() const {
    std::vector<State> all;
    const auto& streams = database_.kept().streams();
    const std::string type = State::descriptor()->name();
    for (auto at = streams.lower_bound({type, ""}); at != streams.end() && at->first.type == type;
         ++at) {
      State& state = all.emplace_back();
      status::Check(state.ParseFromString(at->second.state), "a state can't be read");
    }
    return all;
  }

 private:
  class Facts;
  class Query;
  class OwnReplay;
  class Directory;
  class Sources;
  struct Reading;
  struct Running;

  [[nodiscard]] exchange::FeedReader Reader();
  [[nodiscard]] postgres::Result Sql(const std::string& statement,
                                     const std::vector<postgres::Param>& params) const;
  [[nodiscard]] std::unique_ptr<kafka::Relay> MakeRelay();
  [[nodiscard]] std::unique_ptr<kafka::ReactionRunner> MakeRunner();
  [[nodiscard]] std::unique_ptr<Reading> MakeReading(const exchange::v1::Partner& partner);
  bool GiveDeadlines();

  Node& node_;
  const service::Definition& definition_;
  const Planted planted_;
  Process process_;
  Database database_;
  const engine::Registry& registry_;
  const engine::Reactions& reactions_;
  rpc::Queries queries_;
  engine::Engine engine_;
  exchange::OutgoingFeed outgoing_;
  std::unique_ptr<Directory> directory_;
  // With kConsentTooEarly: what was answered first.
  std::map<std::string, std::optional<registration::v1::Disclosure>> first_answers_;
  std::unique_ptr<Running> running_;
};

class Node {
 public:
  Node(World& world, std::string id, Planted planted);

  [[nodiscard]] Service& service(const std::string& name) { return *services_.at(name); }
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Service>>& services() const {
    return services_;
  }
  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::string country() const;
  [[nodiscard]] Broker& broker() { return broker_; }
  [[nodiscard]] const std::shared_ptr<const crypto::Signer>& signer() const { return signer_; }
  [[nodiscard]] const crypto::SealingKey& sealing_key() const { return *sealing_key_; }

 private:
  World& world_;
  const std::string id_;
  std::shared_ptr<const crypto::Signer> signer_;
  std::unique_ptr<crypto::SealingKey> sealing_key_;
  Broker broker_;
  std::map<std::string, std::unique_ptr<Service>> services_;
};

// All nodes, the road between them, and the one clock.
class World {
 public:
  World(Random& random, const std::vector<std::string>& nodes, Planted planted);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] time::ManualClock& clock() { return clock_; }
  [[nodiscard]] std::map<std::string, std::unique_ptr<Node>>& nodes() { return nodes_; }
  [[nodiscard]] Node& node(const std::string& id) { return *nodes_.at(id); }

  // All processes suffer from now on.
  void Suffer(const Faults& faults);
  void Cut(const std::string& a, const std::string& b, bool cut);
  [[nodiscard]] bool IsCut(const std::string& a, const std::string& b) const;

 private:
  Random& random_;
  time::ManualClock clock_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  std::set<std::pair<std::string, std::string>> cut_;
};

}  // namespace sankofa::simulation
