#include "services/exchange/ingest/ingest.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::exchange {
namespace {

constexpr char kService[] = "exchange";

bool IsRead(const v1::Partner& partner) {
  return partner.kind() == v1::PARTNER_KIND_NODE && partner.state() == v1::PARTNER_STATE_ACTIVE &&
         !partner.brokers().empty() && !partner.topic().empty();
}

}  // namespace

// One partner's feed being read. What the runner refers to stands before it.
struct Ingest::Reading {
  std::string stamp;
  std::string where;  // for the operator
  std::string replay_where;
  std::atomic<std::int64_t> lag = -1;
  std::unique_ptr<PartnerFeed> feed;
  std::unique_ptr<kafka::ReactionRunner> runner;
};

Ingest::Ingest(IngestOptions options, const engine::Engine& engine, engine::Store& store,
               Directory& directory, PartnerClients& clients)
    : options_(std::move(options)),
      engine_(engine),
      store_(store),
      directory_(directory),
      clients_(clients) {
  if (options_.partner_folder.empty()) return;  // a node that reads from no partner
  thread_ = std::thread([this] { Run(); });
}

Ingest::~Ingest() { Stop(); }

void Ingest::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::map<std::string, std::shared_ptr<Reading>> readings;
  {
    const std::lock_guard lock(mutex_);
    readings.swap(readings_);
  }
  for (auto& [_, reading] : readings) reading->runner->Stop();
}

void Ingest::Run() {
  const telemetry::ServiceScope scope(kService);
  while (true) {
    LookAround();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, absl::ToChronoNanoseconds(options_.look), [this] { return stopping_; });
    if (stopping_) return;
  }
}

// Stops what is not to be read any more, starts what is.
void Ingest::LookAround() {
  const auto snapshot = directory_.Current();
  if (!snapshot.ok()) return;  // what is read goes on; it looks for itself, under lock
  std::map<std::string, std::string> wanted;  // stamps
  std::map<std::string, absl::Status> refused;
  for (const auto& [code, partner] : (*snapshot)->partners) {
    if (!IsRead(partner)) continue;
    const PartnerFiles files = PartnerFilesOf(options_.partner_folder, code);
    const absl::Status there = files.Check(code);
    if (there.ok()) {
      missing_[code].Over("the partner's feed can be read");
      wanted[code] = absl::StrCat(partner.brokers(), " ", partner.topic(), " ",
                                  partner.exchange_address(), " ", files.Stamp());
    } else {
      missing_[code].Met(telemetry::Level::kWarn, "a partner's feed can't be read",
                         {{"partner", code}, {"status", there}});
      refused[code] = there;
    }
  }
  std::vector<std::shared_ptr<Reading>> over;
  std::vector<std::string> to_start;
  {
    const std::lock_guard lock(mutex_);
    refused_ = std::move(refused);
    looked_ = absl::Now();
    for (auto reading = readings_.begin(); reading != readings_.end();) {
      const auto found = wanted.find(reading->first);
      if (found != wanted.end() && found->second == reading->second->stamp) {
        ++reading;
        continue;
      }
      over.push_back(std::move(reading->second));
      reading = readings_.erase(reading);
    }
    for (const auto& [code, _] : wanted) {
      if (!readings_.contains(code)) to_start.push_back(code);
    }
  }
  for (const auto& reading : over) {
    reading->runner->Stop();  // finishes its unit of work
    telemetry::Info("a partner's feed is not read any more", {{"from", reading->where}});
  }
  for (const std::string& code : to_start) {
    std::shared_ptr<Reading> reading = Start((*snapshot)->partners.at(code), wanted[code]);
    telemetry::Info("a partner's feed is read", {{"from", reading->where}});
    const std::lock_guard lock(mutex_);
    readings_[code] = std::move(reading);
  }
}

std::unique_ptr<Ingest::Reading> Ingest::Start(const v1::Partner& partner, std::string stamp) {
  const std::string& code = partner.id();
  auto reading = std::make_unique<Reading>();
  reading->stamp = std::move(stamp);
  reading->where = absl::StrCat(partner.topic(), " at ", partner.brokers());
  reading->replay_where = partner.exchange_address();
  reading->feed = std::make_unique<PartnerFeed>(
      PartnerFeed::Options{
          .partner = code, .node = options_.node, .scenario_time = options_.scenario_time},
      engine_, store_, directory_, options_.sealing_key,
      [this, code](const v1::ReplayRequest& request, std::optional<absl::Time> scenario_time) {
        return Replay(code, request, scenario_time);
      });
  kafka::ReactionOptions options;
  options.node = options_.node;
  options.service = kService;
  options.topics = {partner.topic()};
  options.group = absl::StrCat("partner-", options_.node);
  options.from = absl::StrCat("partner ", code);
  options.retry = options_.retry;
  options.replay_retry = options_.retry;
  options.parse = [feed = reading->feed.get()](const kafka::Message& message) {
    return feed->Parse(message);
  };
  auto gauge =
      telemetry::GetGauge("sankofa_feed_lag_messages",
                          "Messages of partners that were not read yet.", {{"partner", code}});
  options.metrics.lag = [gauge, at = &reading->lag](std::int64_t messages) mutable {
    gauge.Set(static_cast<double>(messages));
    *at = messages;
  };
  const PartnerFiles files = PartnerFilesOf(options_.partner_folder, code);
  kafka::ClientOptions client{.brokers = partner.brokers(),
                              .ca = files.ca,
                              .certificate = files.certificate,
                              .key = files.key,
                              .client_id = absl::StrCat("sankofa-exchange-", options_.node),
                              .faults = nullptr};
  reading->runner = std::make_unique<kafka::ReactionRunner>(
      std::move(options), *reading->feed, *reading->feed,
      [this, client](kafka::ConsumerOptions consumer) {
        return options_.open_consumer(client, std::move(consumer));
      });
  reading->runner->Start();
  return reading;
}

absl::StatusOr<v1::ReplayResponse> Ingest::Replay(const std::string& partner,
                                                  const v1::ReplayRequest& request,
                                                  std::optional<absl::Time> scenario_time) {
  if (options_.replay) return options_.replay(partner, request);
  const auto snapshot = directory_.Current();
  if (!snapshot.ok()) return snapshot.status();
  const v1::Partner* found = (*snapshot)->FindActive(partner);
  if (found == nullptr) return status::Unavailable("the partner is suspended");
  rpc::CallOptions options;
  options.deadline = absl::Now() + options_.replay_timeout;
  if (options_.scenario_time) options.scenario_time = scenario_time;
  v1::ReplayResponse response;
  if (auto called = clients_.Call(*found, "Replay", request, response, options); !called.ok()) {
    return called;
  }
  return response;
}

void Ingest::Ask(const std::string& partner, const std::string& subject, std::int64_t next) {
  const std::lock_guard lock(mutex_);
  const auto reading = readings_.find(partner);
  if (reading == readings_.end()) return;
  reading->second->runner->Ask(PartnerFeed::StreamOf(partner, subject), next);
}

Ingest::Health Ingest::HealthOf(const std::string& partner) const {
  const std::lock_guard lock(mutex_);
  Health health;
  health.tried = looked_;
  if (const auto refused = refused_.find(partner); refused != refused_.end()) {
    health.status = refused->second;
  }
  const auto found = readings_.find(partner);
  if (found == readings_.end()) return health;
  const Reading& reading = *found->second;
  health.reading = true;
  health.last_applied = reading.feed->last_applied();
  const absl::Status kafka = reading.runner->Health();
  const absl::Status replay = reading.feed->ReplayHealth();
  if (!kafka.ok()) {
    health.status = absl::Status(
        kafka.code(), absl::StrCat("its feed ", reading.where, " is not read: ", kafka.message()));
  } else {
    health.lag = reading.lag;
    if (!replay.ok()) {
      health.status =
          absl::Status(replay.code(), absl::StrCat("messages are missing, and its exchange at ",
                                                   reading.replay_where,
                                                   " does not give them: ", replay.message()));
    }
  }
  return health;
}

}  // namespace sankofa::exchange
