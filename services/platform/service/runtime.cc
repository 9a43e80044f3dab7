#include "services/platform/service/runtime.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "services/platform/engine/access_log.h"
#include "services/platform/kafka/event.h"
#include "services/platform/postgres/journal.h"
#include "services/platform/postgres/migrate.h"
#include "services/platform/service/gathered_calls.h"
#include "services/platform/service/held_sink.h"
#include "services/platform/service/letters.h"
#include "services/platform/service/measures.h"
#include "services/platform/service/node_queries.h"
#include "services/platform/service/query_call.h"
#include "services/platform/service/relay_source.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::service {
namespace {

using kafka::TopicOf;

constexpr absl::Duration kTendInterval = absl::Seconds(1);
constexpr absl::Duration kMaintainInterval = absl::Hours(6);
constexpr absl::Duration kReplayTimeout = absl::Seconds(5);
constexpr absl::Duration kTopicTimeout = absl::Seconds(10);
constexpr absl::Duration kDeadlineCommandTime = absl::Seconds(20);
constexpr absl::Duration kRefusedDeadlinePause = absl::Minutes(10);
constexpr int kDeadlinesAtOnce = 200;
constexpr int kQueryQueueMax = 1024;
constexpr int kNodeThreads = 2;
// Beside workers and queries: deadlines, maintenance, the reaction runner and NodeService.
constexpr int kExtraConnections = 5;

// The journal of another service, by its NodeService.
class RpcReplaySource final : public kafka::ReplaySource {
 public:
  explicit RpcReplaySource(Runtime& runtime) : runtime_(runtime) {}

  absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(const std::string& source,
                                                           const engine::StreamKey& stream,
                                                           std::int64_t from_sequence,
                                                           int limit) override {
    const rpc::Client* client = runtime_.clients().Find(source);
    if (client == nullptr) return status::Unavailable(absl::StrCat(source, " has no address"));
    common::v1::ReplayStreamRequest request;
    request.set_service(source);
    request.set_aggregate(stream.type);
    request.set_aggregate_id(stream.id);
    request.set_from_sequence(from_sequence);
    request.set_page_size(limit);
    common::v1::ReplayResponse response;
    rpc::CallOptions options;
    options.deadline = absl::Now() + kReplayTimeout;
    if (auto called =
            client->Call("sankofa.common.v1.NodeService/ReplayStream", request, response, options);
        !called.ok()) {
      return called;
    }
    std::vector<engine::IncomingEvent> events;
    for (const auto& event : response.events()) {
      events.push_back({.meta = {.source = source,
                                 .stream = {event.aggregate(), event.aggregate_id()},
                                 .sequence = event.sequence(),
                                 .partition_key = event.partition_key(),
                                 .time = time::FromTimestamp(event.event_time()),
                                 .traceparent = event.traceparent()},
                        .event_type = event.type(),
                        .payload = event.payload()});
    }
    return events;
  }

 private:
  Runtime& runtime_;
};

}  // namespace

absl::StatusOr<postgres::ConnectOptions> ConnectAs(const config::Postgres& postgres,
                                                   const std::string& service) {
  auto password = postgres::ReadPassword(postgres.password_folder, service);
  if (!password.ok()) return password.status();
  postgres::ConnectOptions connect;
  connect.host = postgres.host;
  connect.port = postgres.port;
  connect.database = postgres.database;
  connect.user = service;
  connect.password = *std::move(password);
  connect.application_name = absl::StrCat("sankofa ", service);
  connect.schema = service;
  return connect;
}

Runtime::Runtime(const Definition& definition, const Shared& shared)
    : definition_(definition), shared_(shared) {}

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Create(const Definition& definition,
                                                         const Shared& shared) {
  std::unique_ptr<Runtime> runtime(new Runtime(definition, shared));
  Runtime& self = *runtime;
  const config::Config& config = shared.config;

  engine::RegisterAccessLog(self.registry_);
  definition.commands(self.registry_, [&self](std::string_view label, std::string_view text) {
    return self.vault().Blind(label, text);
  });
  if (auto checked = self.registry_.Check(); !checked.ok()) return checked;
  if (definition.queries) definition.queries(self.queries_, self);
  if (definition.reactions) definition.reactions(self.reactions_);
  BindNodeQueries(self.node_queries_, self);

  const std::string base = absl::StrCat(config.kafka.certificate_folder, "/", definition.name);
  auto clients = rpc::Clients::Create(
      config.services,
      {.ca = config.listen.client_ca, .certificate = base + ".pem", .key = base + ".key"});
  if (!clients.ok()) return clients.status();
  self.clients_ = *std::move(clients);

  auto connect = ConnectAs(config.postgres, definition.name);
  if (!connect.ok()) return connect.status();
  const int connections = config.engine.workers + config.engine.query_threads + kExtraConnections;
  self.pool_ = std::make_unique<postgres::Pool>(*connect, connections);
  self.store_ = std::make_unique<postgres::PostgresStore>(
      *self.pool_, postgres::PostgresStore::Options{.schema = definition.name});
  self.engine_ =
      std::make_unique<engine::Engine>(engine::EngineOptions{.node = config.node.id,
                                                             .country = config.node.country,
                                                             .service = definition.name,
                                                             .signer = shared.signer},
                                       self.registry_, shared.vault);
  self.call_source_ = std::make_unique<GatheredCalls>(
      self.registry_, *definition.rpc,
      definition.call_source ? definition.call_source(self)
                             : std::make_unique<engine::ReactionCalls>(self.reactions_),
      [&self](const engine::CommandCall& call) {
        return std::make_unique<RuntimeFactCall>(self, call);
      });
  return runtime;
}

Runtime::~Runtime() {
  if (started_) Stop();
}

kafka::ClientOptions Runtime::kafka_client() const {
  const auto& kafka = shared_.config.kafka;
  const std::string base = absl::StrCat(kafka.certificate_folder, "/", definition_.name);
  return {.brokers = kafka.brokers,
          .ca = kafka.ca,
          .certificate = base + ".pem",
          .key = base + ".key",
          .client_id = absl::StrCat("sankofa-", definition_.name),
          .faults = nullptr};
}

absl::Status Runtime::MaintainPartitions() {
  auto connection = pool_->Acquire(absl::Now() + absl::Seconds(10));
  if (!connection.ok()) return connection.status();
  const auto& retention = config().retention;
  postgres::Retention kept;
  if (retention.journal_days > 0) kept.journal = absl::Hours(24 * retention.journal_days);
  kept.answers = absl::Hours(24 * retention.answer_days);
  return postgres::MaintainPartitions(**connection, kept).status();
}

absl::Status Runtime::Start() {
  const telemetry::ServiceScope scope(definition_.name);
  const absl::Status migrated =
      postgres::Migrate(pool_->options(), definition_.name, definition_.migrations);
  if (!migrated.ok()) return migrated;
  if (auto maintained = MaintainPartitions(); !maintained.ok()) return maintained;
  const auto& limits = config().engine;
  executor_ = std::make_unique<Executor>(Executor::Options{.service = definition_.name,
                                                           .workers = limits.workers,
                                                           .queue_max = limits.queue_max,
                                                           .batch_max = limits.batch_max},
                                         *engine_, *store_);
  query_threads_ =
      std::make_unique<WaitingThreads>(definition_.name, limits.query_threads, kQueryQueueMax);
  node_threads_ = std::make_unique<WaitingThreads>(definition_.name, kNodeThreads, kQueryQueueMax);
  StartRelays();
  StartReactions();
  if (definition_.parts) parts_ = definition_.parts(*this);
  database_up_ = true;
  started_ = true;
  tend_ = std::thread([this] { Tend(); });
  return absl::OkStatus();
}

kafka::TopicSpec Runtime::SpecOf(const std::string& topic) const {
  const auto& kafka = config().kafka;
  return {.name = topic,
          .partitions = kafka.partitions,
          .replication = kafka.replication,
          .retention = absl::Hours(kafka.retention_hours)};
}

absl::StatusOr<std::map<std::string, std::int64_t>> Runtime::LookAfter(
    const std::vector<std::string>& topics) const {
  auto admin = kafka::OpenAdmin(kafka_client());
  if (!admin.ok()) return admin.status();
  std::map<std::string, std::int64_t> records;
  for (const std::string& topic : topics) {
    absl::Status status = (*admin)->EnsureTopics({SpecOf(topic)}, kTopicTimeout);
    if (status.ok()) {
      const auto partitions = (*admin)->TopicWatermarks(topic, kTopicTimeout);
      status = partitions.status();
      if (status.ok()) {
        std::int64_t& held = records[topic] = 0;
        for (const auto& [_, marks] : *partitions) held += marks.next;
        continue;
      }
    }
    if (absl::IsUnavailable(status) || topic == TopicOf(definition_.name)) return status;
    telemetry::Error("a topic can't be had: what is for it waits, the rest goes on",
                     {{"topic", topic}, {"status", status}});
  }
  return records;
}

void Runtime::StartRelays() {
  const telemetry::Labels labels = {{"service", definition_.name}};
  auto published = telemetry::GetCounter("sankofa_relay_published_total",
                                         "Events with a delivery report.", labels);
  auto lag = telemetry::GetGauge("sankofa_relay_lag_rows", "Events not published yet.", labels);
  auto oldest = telemetry::GetGauge("sankofa_relay_oldest_unpublished_seconds",
                                    "Age of the oldest event not published yet.", labels);
  auto parked =
      telemetry::GetGauge("sankofa_relay_parked_cases",
                          "Cases that wait behind an event that can't be published.", labels);
  for (int shard = 0; shard < postgres::kShards; ++shard) {
    kafka::RelayOptions options;
    options.node = config().node.id;
    options.service = definition_.name;
    if (definition_.routes) {
      options.to_record = [this](const engine::JournalRow& row) {
        auto routed = definition_.routes->record(row);
        return routed ? *std::move(routed)
                      : kafka::ToRecord(row, config().node.id, definition_.name);
      };
      options.topics = [this] { return definition_.routes->topics(*this); };
    }
    options.look_after = [this](const std::vector<std::string>& topics) {
      return LookAfter(topics);
    };
    options.metrics.published = [published](std::int64_t rows) mutable {
      published.Add(static_cast<double>(rows));
    };
    options.metrics.lag = [lag](std::int64_t rows) mutable { lag.Set(static_cast<double>(rows)); };
    options.metrics.oldest_unpublished = [oldest](absl::Duration age) mutable {
      oldest.Set(absl::ToDoubleSeconds(age));
    };
    options.metrics.parked = [parked](std::int64_t cases) mutable {
      parked.Set(static_cast<double>(cases));
    };
    relay_sources_.push_back(
        std::make_unique<JournalRelaySource>(pool_->options(), definition_.name, shard));
    relays_.push_back(std::make_unique<kafka::Relay>(
        std::move(options), *relay_sources_.back(), [this](kafka::ProducerOptions producer) {
          return kafka::OpenProducer(kafka_client(), std::move(producer));
        }));
    relays_.back()->Start();
  }
}

void Runtime::StartReactions() {
  if (reactions_.sources().empty()) return;
  const telemetry::Labels labels = {{"service", definition_.name}};
  auto applied = telemetry::GetCounter("sankofa_events_applied_total",
                                       "Events of other services that took effect.", labels);
  auto repeated = telemetry::GetCounter("sankofa_events_repeated_total",
                                        "Events that had come before and were dropped.", labels);
  auto dead = telemetry::GetCounter("sankofa_dead_letters_total",
                                    "Events put aside because they can't be applied.", labels);
  auto lag = telemetry::GetGauge("sankofa_consumer_lag_messages",
                                 "Events in Kafka that were not read yet.", labels);
  auto waiting = telemetry::GetGauge("sankofa_events_waiting",
                                     "Events that wait for one before them.", labels);
  kafka::ReactionOptions options;
  options.node = config().node.id;
  options.service = definition_.name;
  options.sources = {reactions_.sources().begin(), reactions_.sources().end()};
  options.ensure_topics = [this, sources = options.sources] {
    auto admin = kafka::OpenAdmin(kafka_client());
    if (!admin.ok()) return admin.status();
    std::vector<kafka::TopicSpec> topics;
    for (const std::string& source : sources) topics.push_back(SpecOf(TopicOf(source)));
    return (*admin)->EnsureTopics(topics, kTopicTimeout);
  };
  const auto counter = [](telemetry::Counter metric) {
    return [metric](std::int64_t by) mutable { metric.Add(static_cast<double>(by)); };
  };
  const auto gauge = [](telemetry::Gauge metric) {
    return [metric](std::int64_t value) mutable { metric.Set(static_cast<double>(value)); };
  };
  options.metrics = {.applied = counter(applied),
                     .repeated = counter(repeated),
                     .dead_letters = counter(dead),
                     .lag = gauge(lag),
                     .waiting = gauge(waiting)};
  replay_source_ = std::make_unique<RpcReplaySource>(*this);
  reaction_sink_ = std::make_unique<kafka::EngineSink>(*engine_, *store_, *call_source_);
  reaction_runner_ = std::make_unique<kafka::ReactionRunner>(
      std::move(options), *reaction_sink_, *replay_source_,
      [this](kafka::ConsumerOptions consumer) {
        return kafka::OpenConsumer(kafka_client(), std::move(consumer));
      });
  reaction_runner_->Start();
}

std::vector<const kafka::ReactionRunner*> Runtime::consumers() const {
  std::vector<const kafka::ReactionRunner*> found;
  if (reaction_runner_) found.push_back(reaction_runner_.get());
  for (const TopicReader* reader : parts<TopicReader>()) found.push_back(&reader->runner());
  return found;
}

void Runtime::Stop() {
  {
    const std::scoped_lock lock(tend_mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  tend_wake_.notify_all();
  if (tend_.joinable()) tend_.join();
  for (auto& part : parts_) part->Stop();
  if (reaction_runner_) reaction_runner_->Stop();
  if (query_threads_) query_threads_->Stop();
  if (node_threads_) node_threads_->Stop();
  if (executor_) executor_->Stop();
  for (auto& relay : relays_) relay->Stop();
  started_ = false;
}

void Runtime::Submit(engine::CommandCall call, std::function<void(engine::Outcome)> done) {
  if (!started_) {
    done(status::Unavailable("the service is starting: its database is not ready"));
    return;
  }
  const engine::CommandSpec* spec =
      registry_.FindCommand(call.request->GetDescriptor()->full_name());
  if (!spec->facts) {
    executor_->Submit(std::move(call), std::move(done));
    return;
  }
  auto shared_done = std::make_shared<std::function<void(engine::Outcome)>>(std::move(done));
  const bool queued = query_threads_->Submit([this, spec, call, shared_done]() mutable {
    const telemetry::TraceScope trace(call.traceparent);
    RuntimeFactCall fact_call(*this, call);
    auto facts = spec->facts(fact_call, *call.request);
    if (!facts.ok()) {
      (*shared_done)(facts.status());
      return;
    }
    call.facts = *std::move(facts);
    executor_->Submit(std::move(call), std::move(*shared_done));
  });
  if (!queued) (*shared_done)(status::Refuse(common::v1::REASON_OVERLOADED));
}

void Runtime::RunQuery(WaitingThreads& threads, const rpc::Queries& queries,
                       rpc::QueryRequest query,
                       std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done) {
  auto shared_done =
      std::make_shared<std::function<void(absl::StatusOr<rpc::QueryAnswer>)>>(std::move(done));
  const bool queued = threads.Submit([this, &queries, query = std::move(query), shared_done] {
    if (absl::Now() >= query.deadline) {
      (*shared_done)(status::Refuse(common::v1::REASON_DEADLINE_PASSED));
      return;
    }
    const telemetry::TraceScope trace(query.traceparent);
    const auto& handler = queries.handlers().at(query.request->GetDescriptor()->full_name());
    RuntimeQueryCall call(*this, query);
    auto response = handler.unary(call, *query.request);
    if (!response.ok()) {
      (*shared_done)(response.status());
      return;
    }
    if (auto recorded = call.Record(); !recorded.ok()) {
      (*shared_done)(recorded);
      return;
    }
    (*shared_done)(rpc::QueryAnswer{.response = *std::move(response), .personal = call.personal()});
  });
  if (!queued) (*shared_done)(status::Refuse(common::v1::REASON_OVERLOADED));
}

void Runtime::Query(rpc::QueryRequest query,
                    std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done) {
  if (!started_) {
    done(status::Unavailable("the service is starting: its database is not ready"));
    return;
  }
  RunQuery(*query_threads_, queries_, std::move(query), std::move(done));
}

void Runtime::NodeQuery(rpc::QueryRequest query,
                        std::function<void(absl::StatusOr<rpc::QueryAnswer>)> done) {
  if (!started_) {
    done(status::Unavailable("the service is starting: its database is not ready"));
    return;
  }
  RunQuery(*node_threads_, node_queries_, std::move(query), std::move(done));
}

void Runtime::OpenStream(rpc::QueryRequest query, std::shared_ptr<rpc::StreamSink> sink) {
  if (!started_) {
    sink->Finish(status::Unavailable("the service is starting: its database is not ready"));
    return;
  }
  const bool queued = query_threads_->Submit([this, query = std::move(query), sink] {
    const telemetry::TraceScope trace(query.traceparent);
    const auto& handler = queries_.handlers().at(query.request->GetDescriptor()->full_name());
    RuntimeQueryCall call(*this, query);
    // On the trail before the first message: a stream that was opened has been read.
    const auto held = std::make_shared<HeldSink>(sink);
    auto opened = handler.stream(call, *query.request, held);
    if (opened.ok()) opened = call.Record();
    if (opened.ok()) {
      held->Release();
    } else {
      held->Refuse(opened);
    }
  });
  if (!queued) sink->Finish(status::Refuse(common::v1::REASON_OVERLOADED));
}

engine::Outcome Runtime::GiveDue(const engine::DueCommand& due, absl::Time now) {
  engine::CommandCall call = engine::CallForDue(registry_, due, now);
  // In the trace of who asked for it; in one of its own where nobody did.
  call.traceparent = telemetry::ChildTraceparent(telemetry::CurrentTraceparent());
  call.deadline = absl::Now() + kDeadlineCommandTime;
  return executor_->Run(std::move(call));
}

absl::StatusOr<Runtime::DeadlinesRun> Runtime::RunDeadlines(absl::Time now) {
  const std::scoped_lock one_at_a_time(deadlines_mutex_);
  DeadlinesRun run;
  // Every deadline is given once in a run: one that is refused, or changes nothing, stays due and is not given again
  // before kRefusedDeadlinePause. Asking for that many more keeps them from hiding those behind them.
  std::set<std::pair<engine::StreamKey, std::int64_t>> seen;
  std::erase_if(refused_deadlines_,
                [](const auto& refused) { return refused.second < absl::Now(); });
  for (const auto& [deadline, until] : refused_deadlines_) seen.insert(deadline);
  while (true) {
    auto session = store_->Open(absl::Now() + kDeadlineCommandTime);
    if (!session.ok()) return session.status();
    const auto due = (*session)->Due(now, kDeadlinesAtOnce + static_cast<int>(seen.size()));
    if (!due.ok()) return due.status();
    session->reset();
    bool any = false;
    for (const engine::DueCommand& command : *due) {
      const std::pair deadline(command.stream, command.version);
      if (!seen.insert(deadline).second) continue;
      any = true;
      ++run.commands;
      const auto outcome = GiveDue(command, now);
      if (outcome.ok()) continue;
      ++run.refused;
      refused_deadlines_[deadline] = absl::Now() + kRefusedDeadlinePause;
      telemetry::Warn("a deadline's command was refused, it is given again later",
                      {{"command", command.command_type},
                       {"aggregate", command.stream.type},
                       {"id", command.stream.id},
                       {"status", outcome.status()}});
    }
    if (!any) return run;
  }
}

void Runtime::Tend() {
  const telemetry::ServiceScope scope(definition_.name);
  absl::Time next_maintenance = absl::Now() + kMaintainInterval;
  telemetry::RepeatedLog database_down;
  auto dead_waiting = telemetry::GetGauge("sankofa_dead_letters_waiting",
                                          "Events put aside that an operator has to look at.",
                                          {{"service", definition_.name}});
  Measures measures(*this);
  LateKnown late_known(*this);
  std::unique_lock lock(tend_mutex_);
  while (!stopping_) {
    tend_wake_.wait_for(lock, absl::ToChronoMilliseconds(kTendInterval),
                        [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    const absl::Status ping = pool_->Ping(absl::Now() + absl::Seconds(2));
    database_up_ = ping.ok();
    if (ping.ok()) {
      database_down.Over("the database answers again");
      // On scenario time nobody but the scenario knows what is due.
      if (!config().clock.accept_scenario_time) (void)RunDeadlines(absl::Now());
      if (auto connection = pool_->Acquire(absl::Now() + absl::Seconds(1)); connection.ok()) {
        const auto letters = postgres::Journal(**connection, definition_.name).CountDeadLetters();
        if (letters.ok()) dead_waiting.Set(static_cast<double>(*letters));
      }
      late_known.ApplyIfDue();
      if (absl::Now() >= next_maintenance) {
        if (auto maintained = MaintainPartitions(); !maintained.ok()) {
          telemetry::Error(
              "the journal's partitions could not be tended: a row without a month goes "
              "to the default partition, nothing is lost",
              {{"status", maintained}});
        }
        next_maintenance = absl::Now() + kMaintainInterval;
      }
    } else {
      database_down.Met(telemetry::Level::kWarn,
                        "the database does not answer: commands wait until their deadline",
                        {{"status", ping}});
    }
    measures.TakeIfDue(ping.ok());
    lock.lock();
  }
}

}  // namespace sankofa::service
