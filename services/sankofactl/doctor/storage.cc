#include "services/sankofactl/doctor/storage.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "services/platform/kafka/event.h"
#include "services/platform/postgres/connection.h"
#include "services/platform/postgres/migrate.h"
#include "services/platform/redis/client.h"
#include "services/platform/service/runtime.h"

namespace sankofa {

// Generated from each service's migrations/ at build time.
namespace registration {
std::vector<service::Migration> Migrations();
}  // namespace registration
namespace validation {
std::vector<service::Migration> Migrations();
}  // namespace validation
namespace funding {
std::vector<service::Migration> Migrations();
}  // namespace funding
namespace monitoring {
std::vector<service::Migration> Migrations();
}  // namespace monitoring
namespace exchange {
std::vector<service::Migration> Migrations();
}  // namespace exchange

namespace ctl {
namespace {

constexpr int kBytesMin = kafka::kMaxRecordBytes;
constexpr int kSafeReplication = 3;

std::vector<service::Migration> MigrationsOf(const std::string& service) {
  static const std::map<std::string, std::vector<service::Migration> (*)()> by_service = {
      {"registration", registration::Migrations},
      {"validation", validation::Migrations},
      {"funding", funding::Migrations},
      {"monitoring", monitoring::Migrations},
      {"exchange", exchange::Migrations}};
  const auto found = by_service.find(service);
  return found == by_service.end() ? std::vector<service::Migration>() : found->second();
}

absl::Status ReadDatabase(postgres::Connection& connection, SeenDatabase& seen) {
  const absl::Time asked = absl::Now();
  const auto clock = connection.Execute("select clock_timestamp()");
  const absl::Time answered = absl::Now();
  if (!clock.ok()) return clock.status();
  seen.clock_error = (answered - asked) / 2;
  seen.clock_ahead = clock->time(0, 0) - (asked + seen.clock_error);
  const auto compared = postgres::CompareMigrations(connection, MigrationsOf(seen.service));
  if (!compared.ok()) return compared.status();
  seen.missing = compared->missing;
  seen.changed = compared->changed;
  seen.newer = compared->newer;
  return absl::OkStatus();
}

std::string Seconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

}  // namespace

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------

SeenDatabase LookAtDatabase(const config::Config& config, const std::string& service) {
  SeenDatabase seen;
  seen.service = service;
  auto options = service::ConnectAs(config.postgres, service);
  seen.reachable = options.status();
  if (!options.ok()) return seen;
  options->application_name = "sankofactl";
  auto connection = postgres::Connection::Open(*options);
  seen.reachable = connection.ok() ? ReadDatabase(**connection, seen) : connection.status();
  return seen;
}

Findings JudgeDatabase(const SeenDatabase& seen) {
  if (!seen.reachable.ok()) {
    return {{"database", seen.service, Trouble::kDatabaseUnreachable,
             std::string(seen.reachable.message())}};
  }
  Findings findings = {{"database", seen.service, Trouble::kOk, "answers"}};
  Finding migrations{"migrations", seen.service, Trouble::kOk, "all are applied"};
  if (!seen.newer.empty()) {
    migrations.seen = absl::StrCat("all are applied, and ", seen.newer.size(),
                                   " of a newer version: ", absl::StrJoin(seen.newer, ", "));
  }
  if (!seen.missing.empty()) {
    migrations.trouble = Trouble::kMigrationMissing;
    migrations.seen = absl::StrCat("not applied: ", absl::StrJoin(seen.missing, ", "));
  }
  if (!seen.changed.empty()) {
    migrations.trouble = Trouble::kMigrationChanged;
    migrations.seen = absl::StrCat("with another text: ", absl::StrJoin(seen.changed, ", "));
  }
  findings.push_back(std::move(migrations));
  return findings;
}

Finding JudgeClock(const std::string& about, absl::Duration ahead, absl::Duration error) {
  const absl::Duration off = absl::AbsDuration(ahead);
  const std::string seen =
      absl::StrCat(Seconds(off), ahead < absl::ZeroDuration() ? " behind" : " ahead of",
                   " this machine, give or take ", Seconds(error));
  // Only what can't be the way there and back.
  return {"clock", about, off - error > kClockMax ? Trouble::kClockOff : Trouble::kOk, seen};
}

// ---- Kafka ----------------------------------------------------------------------------------------------------------

NeededTopics TopicsOf(const config::Config& config, const std::vector<std::string>& partners) {
  NeededTopics needed{.names = {},
                      .partitions = config.kafka.partitions,
                      .replication = config.kafka.replication,
                      .retention_hours = config.kafka.retention_hours};
  for (const auto& [service, _] : config.services) needed.names.push_back(kafka::TopicOf(service));
  for (const std::string& partner : partners) needed.names.push_back("feed." + partner);
  return needed;
}

namespace {

std::optional<std::int64_t> SettingOf(const kafka::TopicState& topic, const std::string& name) {
  const auto found = topic.settings.find(name);
  std::int64_t value = 0;
  if (found == topic.settings.end() || !absl::SimpleAtoi(found->second, &value))
    return std::nullopt;
  return value;
}

int FewestReplicas(const kafka::TopicState& topic) {
  int fewest = topic.partitions.front().replicas;
  for (const auto& partition : topic.partitions) fewest = std::min(fewest, partition.replicas);
  return fewest;
}

// The first thing that is wrong: what loses events before what delays them.
std::pair<Trouble, std::string> JudgeTopic(const kafka::TopicState& topic,
                                           const NeededTopics& needed) {
  const int partitions = static_cast<int>(topic.partitions.size());
  const int replicas = FewestReplicas(topic);
  if (replicas < needed.replication) {
    return {Trouble::kTopicReplication,
            absl::StrCat(replicas, " copies, ", needed.replication, " are configured")};
  }
  const auto behind =
      std::count_if(topic.partitions.begin(), topic.partitions.end(),
                    [](const auto& one) { return !one.has_leader || one.in_sync < one.replicas; });
  if (behind > 0) {
    return {Trouble::kTopicNotInSync,
            absl::StrCat(behind, " of ", partitions, " partitions lack a leader or a copy")};
  }
  if (partitions < needed.partitions) {
    return {Trouble::kTopicPartitions,
            absl::StrCat(partitions, " partitions, ", needed.partitions, " are configured")};
  }
  if (!topic.settings_status.ok()) {
    return {absl::IsPermissionDenied(topic.settings_status) ? Trouble::kKafkaDenied
                                                            : Trouble::kKafkaUnreachable,
            std::string(topic.settings_status.message())};
  }
  const auto min_isr = SettingOf(topic, "min.insync.replicas").value_or(1);
  if (min_isr > replicas - (replicas > 1 ? 1 : 0) ||
      (replicas >= kSafeReplication && min_isr < kSafeReplication - 1)) {
    return {Trouble::kTopicMinIsr,
            absl::StrCat("min.insync.replicas ", min_isr, " with ", replicas, " copies")};
  }
  const auto retention = SettingOf(topic, "retention.ms");
  if (retention && *retention >= 0 &&
      absl::Milliseconds(*retention) < absl::Hours(needed.retention_hours)) {
    return {Trouble::kTopicRetention,
            absl::StrCat("keeps ", absl::ToInt64Hours(absl::Milliseconds(*retention)), " h, ",
                         needed.retention_hours, " are configured")};
  }
  const auto bytes = SettingOf(topic, "max.message.bytes");
  if (bytes && *bytes < kBytesMin) {
    return {Trouble::kTopicMessageSize, absl::StrCat("takes ", *bytes, " bytes")};
  }
  return {Trouble::kOk,
          absl::StrCat(partitions, " partitions, ", replicas, " copies, min ISR ", min_isr)};
}

}  // namespace

Findings JudgeKafka(const std::string& brokers, const NeededTopics& needed,
                    const absl::StatusOr<kafka::ClusterState>& seen) {
  if (!seen.ok()) {
    return {{"kafka", brokers,
             absl::IsPermissionDenied(seen.status()) ? Trouble::kKafkaDenied
                                                     : Trouble::kKafkaUnreachable,
             std::string(seen.status().message())}};
  }
  Findings findings = {
      {"kafka", brokers, Trouble::kOk, absl::StrCat("answers, ", seen->brokers, " brokers")}};
  if (seen->brokers < needed.replication) {
    findings.back().trouble = Trouble::kTopicReplication;
    absl::StrAppend(&findings.back().seen, " for ", needed.replication, " copies");
  }
  for (const std::string& name : needed.names) {
    const auto topic = seen->topics.find(name);
    if (topic == seen->topics.end() || topic->second.partitions.empty()) {
      findings.push_back({"topic", name, Trouble::kTopicMissing, "is not there"});
      continue;
    }
    auto [trouble, text] = JudgeTopic(topic->second, needed);
    findings.push_back({"topic", name, trouble, std::move(text)});
  }
  return findings;
}

// ---- Redis ----------------------------------------------------------------------------------------------------------

absl::Status LookAtRedis(const std::string& address) {
  redis::Options options;
  options.address = address;
  auto client = redis::Client::Create(options);
  if (!client.ok()) return client.status();
  return (*client)->Call({"PING"}).status();
}

Finding JudgeRedis(const std::string& address, const absl::Status& seen) {
  if (seen.ok()) return {"redis", address, Trouble::kOk, "answers"};
  return {"redis", address, Trouble::kRedisUnreachable, std::string(seen.message())};
}

}  // namespace ctl
}  // namespace sankofa
