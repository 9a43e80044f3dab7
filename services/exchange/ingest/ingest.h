#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/exchange/directory.h"
#include "services/exchange/ingest/partner_feed.h"
#include "services/exchange/partner_clients.h"
#include "services/platform/kafka/client.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/telemetry/log.h"

// Reads the feeds of all active partners that run a node, each from the partner's own cluster, with the certificate that
// the partner made for this node. A feed is read while its partner is active; it starts anew when the partner's addresses
// or this node's certificate there change.
namespace sankofa::exchange {

struct IngestOptions {
  std::string node;
  std::string partner_folder;  // empty: nothing is read
  bool scenario_time = false;
  const crypto::SealingKey* sealing_key = nullptr;
  absl::Duration look = absl::Seconds(1);  // how often partners are looked up
  absl::Duration replay_timeout = absl::Seconds(5);
  kafka::BackoffOptions retry{.first = absl::Milliseconds(200), .max = absl::Seconds(5)};
  std::function<absl::StatusOr<std::unique_ptr<kafka::Consumer>>(const kafka::ClientOptions&,
                                                                 kafka::ConsumerOptions)>
      open_consumer = kafka::OpenConsumer;
  // In place of the partner's exchange, for tests.
  std::function<absl::StatusOr<v1::ReplayResponse>(const std::string& partner,
                                                   const v1::ReplayRequest&)>
      replay;
};

class Ingest {
 public:
  // References outlive it. Starts at once.
  Ingest(IngestOptions options, const engine::Engine& engine, engine::Store& store,
         Directory& directory, PartnerClients& clients);
  ~Ingest();
  void Stop();

  // How the reading of one partner's feed goes.
  struct Health {
    bool reading = false;
    absl::Status status;    // what is in the way, for the operator
    std::int64_t lag = -1;  // messages not read yet; -1 where that is not known
    absl::Time tried = absl::InfinitePast();
    absl::Time last_applied = absl::InfinitePast();
  };
  [[nodiscard]] Health HealthOf(const std::string& partner) const;

  // The partner is asked for what is missing of a subject, from the sequence on that is the next one here.
  void Ask(const std::string& partner, const std::string& subject, std::int64_t next);

 private:
  struct Reading;

  void Run();
  void LookAround();
  [[nodiscard]] std::unique_ptr<Reading> Start(const v1::Partner& partner, std::string stamp);
  [[nodiscard]] absl::StatusOr<v1::ReplayResponse> Replay(const std::string& partner,
                                                          const v1::ReplayRequest& request,
                                                          std::optional<absl::Time> scenario_time);

  const IngestOptions options_;
  const engine::Engine& engine_;
  engine::Store& store_;
  Directory& directory_;
  PartnerClients& clients_;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Reading>> readings_;  // guarded by mutex_
  std::map<std::string, absl::Status> refused_;  // why one is not read; guarded by mutex_
  absl::Time looked_ = absl::InfinitePast();     // guarded by mutex_
  std::map<std::string, telemetry::RepeatedLog> missing_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sankofa::exchange
