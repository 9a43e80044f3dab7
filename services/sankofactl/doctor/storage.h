#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/config/config.h"
#include "services/platform/kafka/cluster_state.h"
#include "services/sankofactl/doctor/finding.h"

// What a node keeps its facts in, and sends them through: PostgreSQL, Kafka, Redis.
namespace sankofa::ctl {

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------

struct SeenDatabase {
  std::string service;     // whose role and schema
  absl::Status reachable;  // with that role and its password
  std::vector<std::string>
      missing;  // migrations that this program has and the database has not, in order
  std::vector<std::string> changed;  // that the database has with another text
  std::vector<std::string> newer;    // that only the database has: a newer program was here
  // How far its clock is ahead of ours, and how much of that may be the way there and back.
  absl::Duration clock_ahead;
  absl::Duration clock_error;
};
[[nodiscard]] SeenDatabase LookAtDatabase(const config::Config& config, const std::string& service);
[[nodiscard]] Findings JudgeDatabase(const SeenDatabase& seen);

// A clock that is further off than this makes tokens, certificates and deadlines hold for the wrong time.
inline constexpr absl::Duration kClockMax = absl::Seconds(2);
[[nodiscard]] Finding JudgeClock(const std::string& about, absl::Duration ahead,
                                 absl::Duration error);

// ---- Kafka ----------------------------------------------------------------------------------------------------------

struct NeededTopics {
  std::vector<std::string> names;
  int partitions = 0;
  int replication = 0;
  int retention_hours = 0;
};
[[nodiscard]] NeededTopics TopicsOf(const config::Config& config,
                                    const std::vector<std::string>& partners);
// First whether it answers, then each topic.
[[nodiscard]] Findings JudgeKafka(const std::string& brokers, const NeededTopics& needed,
                                  const absl::StatusOr<kafka::ClusterState>& seen);

// ---- Redis ----------------------------------------------------------------------------------------------------------

[[nodiscard]] absl::Status LookAtRedis(const std::string& address);
[[nodiscard]] Finding JudgeRedis(const std::string& address, const absl::Status& seen);

}  // namespace sankofa::ctl
