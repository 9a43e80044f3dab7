#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/kafka/client.h"

// A cluster as an operator looks at it: brokers, and topics with their copies and settings. For `sankofactl doctor`;
// services need none of it.
namespace sankofa::kafka {

struct PartitionState {
  bool has_leader = false;
  int replicas = 0;
  int in_sync = 0;  // of the replicas, those that have all
};

struct TopicState {
  std::vector<PartitionState> partitions;
  // By Kafka's names, with the cluster's values where the topic has none of its own.
  std::map<std::string, std::string> settings;
  // Why the settings can't be read; they are empty then.
  absl::Status settings_status;
};

struct ClusterState {
  int brokers = 0;
  std::map<std::string, TopicState> topics;  // of those asked for, those that are there
};

// Waits for at most `timeout` for each of two answers. UNAVAILABLE where no broker answers, PERMISSION_DENIED where the
// certificate is refused. A topic that the certificate may not see counts as not there.
[[nodiscard]] absl::StatusOr<ClusterState> LookAtCluster(const ClientOptions& client,
                                                         const std::vector<std::string>& topics,
                                                         absl::Duration timeout);

}  // namespace sankofa::kafka
