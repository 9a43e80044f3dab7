#include "services/monitoring/view/part.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/kafka/event.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/check.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::monitoring {
namespace {

constexpr int kWatchersMax = 1000;
constexpr int kRefreshRebuildsMax = 50;
constexpr absl::Duration kRefreshInterval = absl::Seconds(1);
constexpr absl::Duration kTopicTimeout = absl::Seconds(10);
constexpr char kConsumer[] = "monitoring.view";  // the group is called "sankofa." and this

class NoReplaySource final : public kafka::ReplaySource {
 public:
  absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(const std::string& /*source*/,
                                                           const engine::StreamKey& /*stream*/,
                                                           std::int64_t /*from_sequence*/,
                                                           int /*limit*/) override {
    return std::vector<engine::IncomingEvent>();
  }
};

kafka::ReactionOptions OptionsOf(service::Runtime& runtime) {
  const telemetry::Labels labels = {{"service", kConsumer}};
  auto lag = telemetry::GetGauge("sankofa_consumer_lag_messages",
                                 "Events in Kafka that were not read yet.", labels);
  auto applied = telemetry::GetCounter("sankofa_events_applied_total",
                                       "Events of other services that took effect.", labels);
  const bool partners = runtime.clients().Find("exchange") != nullptr;
  kafka::ReactionOptions options = ViewConsumerOptions(runtime.config().node.id, partners);
  options.ensure_topics = [&runtime, sources = options.sources] {
    auto admin = kafka::OpenAdmin(runtime.kafka_client());
    if (!admin.ok()) return admin.status();
    const auto& kafka = runtime.config().kafka;
    std::vector<kafka::TopicSpec> topics;
    for (const std::string& source : sources) {
      topics.push_back({.name = kafka::TopicOf(source),
                        .partitions = kafka.partitions,
                        .replication = kafka.replication,
                        .retention = absl::Hours(kafka.retention_hours)});
    }
    return (*admin)->EnsureTopics(topics, kTopicTimeout);
  };
  options.metrics.applied = [applied](std::int64_t events) mutable {
    applied.Add(static_cast<double>(events));
  };
  options.metrics.lag = [lag](std::int64_t messages) mutable {
    lag.Set(static_cast<double>(messages));
  };
  return options;
}

}  // namespace

kafka::ReactionOptions ViewConsumerOptions(const std::string& node, bool partners) {
  kafka::ReactionOptions options;
  options.node = node;
  options.service = kConsumer;
  options.sources = {"registration", "validation", "funding", "monitoring"};
  if (partners) options.sources.push_back("exchange");
  return options;
}

kafka::ReplaySource& NoReplay() {
  static NoReplaySource source;
  return source;
}

absl::StatusOr<engine::ReactionResult> ViewSink::Apply(
    std::span<const engine::IncomingEvent> events) {
  if (auto status = views_.Apply(events); !status.ok()) return status;
  return engine::ReactionResult{.applied = static_cast<int>(events.size())};
}

absl::Status ViewSink::Bury(std::span<const engine::DeadLetter> letters, bool /*once*/) {
  for (const engine::DeadLetter& letter : letters) {
    telemetry::Warn("the case views pass over what is no event",
                    {{"topic", letter.from.source}, {"reason", letter.reason}});
  }
  return absl::OkStatus();
}

ViewPart::ViewPart(service::Runtime& runtime) : hub_(kWatchersMax) {
  auto client = redis::Client::Create({.address = runtime.config().redis.address});
  status::Check(client.ok(), "the configuration has checked the address of Redis");
  redis_ = *std::move(client);
  store_ = std::make_unique<RedisViewStore>(*redis_);
  source_ = std::make_unique<RpcEventSource>(runtime.clients());
  views_ = std::make_unique<Views>(*store_, *source_, hub_);
  sink_ = std::make_unique<ViewSink>(*views_);
  runner_ = std::make_unique<kafka::ReactionRunner>(
      OptionsOf(runtime), *sink_, NoReplay(), [&runtime](kafka::ConsumerOptions consumer) {
        return kafka::OpenConsumer(runtime.kafka_client(), std::move(consumer));
      });
  runner_->Start();
  refresh_ = std::thread([this] { RefreshWatched(); });
}

ViewPart::~ViewPart() { Stop(); }

void ViewPart::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  hub_.Stop();
  if (refresh_.joinable()) refresh_.join();
  runner_->Stop();
}

void ViewPart::RefreshWatched() {
  const telemetry::ServiceScope scope(kConsumer);
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, absl::ToChronoMilliseconds(kRefreshInterval),
                         [this] { return stopping_; })) {
    lock.unlock();
    views_->Refresh(hub_.Watched(), kRefreshRebuildsMax);
    lock.lock();
  }
}

}  // namespace sankofa::monitoring
