#include "services/platform/kafka/cluster_state.h"

#include <array>
#include <set>
#include <utility>

#include "services/platform/kafka/librdkafka/handle.h"

namespace sankofa::kafka {
namespace librdkafka {
namespace {

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;
using Resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>>;

constexpr std::size_t kErrorBytes = 512;

class Looker final : public Handle {
 public:
  explicit Looker(const ClientOptions& client) : Handle(client) {}
  ~Looker() override {
    if (rk_ != nullptr) rd_kafka_destroy(rk_);
  }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  absl::Status Open() {
    auto conf = CommonConf();
    if (!conf.ok()) return conf.status();
    return New(RD_KAFKA_PRODUCER, *std::move(conf));
  }

  absl::StatusOr<ClusterState> Look(const std::vector<std::string>& topics, absl::Duration timeout);

 private:
  absl::Status ReadSettings(ClusterState& state, absl::Duration timeout);
  absl::Status Explain(absl::Status status);
};

// A refused certificate looks like a time-out; the error callback knows better.
absl::Status Looker::Explain(absl::Status status) {
  rd_kafka_poll(rk_, 0);
  const absl::Status health = health_.Get();
  return absl::IsUnavailable(status) && !health.ok() ? health : status;
}

absl::StatusOr<ClusterState> Looker::Look(const std::vector<std::string>& topics,
                                          absl::Duration timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code =
      rd_kafka_metadata(rk_, /*all_topics=*/1, nullptr, &metadata, Milliseconds(timeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return Explain(ToStatus(code, "looking at the cluster"));
  const MetadataPtr owner(metadata);
  const std::set<std::string> wanted(topics.begin(), topics.end());
  ClusterState state;
  state.brokers = metadata->broker_cnt;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (!wanted.contains(topic.topic) || topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    TopicState& seen = state.topics[topic.topic];
    for (int place = 0; place < topic.partition_cnt; ++place) {
      const rd_kafka_metadata_partition_t& partition = topic.partitions[place];
      seen.partitions.push_back({.has_leader = partition.leader >= 0,
                                 .replicas = partition.replica_cnt,
                                 .in_sync = partition.isr_cnt});
    }
  }
  if (state.topics.empty()) return state;
  if (auto read = ReadSettings(state, timeout); !read.ok()) {
    for (auto& [_, topic] : state.topics) topic.settings_status = read;
  }
  return state;
}

absl::Status Looker::ReadSettings(ClusterState& state, absl::Duration timeout) {
  std::vector<Resource> resources;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const auto& [name, _] : state.topics) {
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    raw.push_back(resources.back().get());
  }
  const Options options(rd_kafka_AdminOptions_new(rk_, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  std::array<char, kErrorBytes> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), Milliseconds(timeout), error.data(),
                                            error.size());
  const Queue queue(rd_kafka_queue_new(rk_));
  rd_kafka_DescribeConfigs(rk_, raw.data(), raw.size(), options.get(), queue.get());
  const EventPtr answer(
      rd_kafka_queue_poll(queue.get(), Milliseconds(timeout + absl::Milliseconds(500))));
  constexpr std::string_view kWhat = "reading the settings of topics";
  if (answer == nullptr) return Explain(ToStatus(RD_KAFKA_RESP_ERR__TIMED_OUT, kWhat));
  if (auto status = ToStatus(rd_kafka_event_error(answer.get()), kWhat); !status.ok()) {
    return Explain(std::move(status));
  }
  std::size_t count = 0;
  const auto* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    TopicState& topic = state.topics[rd_kafka_ConfigResource_name(results[i])];
    topic.settings_status = ToStatus(rd_kafka_ConfigResource_error(results[i]), kWhat);
    std::size_t entries = 0;
    const auto* configs = rd_kafka_ConfigResource_configs(results[i], &entries);
    for (std::size_t place = 0; place < entries; ++place) {
      const char* value = rd_kafka_ConfigEntry_value(configs[place]);
      topic.settings[rd_kafka_ConfigEntry_name(configs[place])] = value == nullptr ? "" : value;
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace librdkafka

absl::StatusOr<ClusterState> LookAtCluster(const ClientOptions& client,
                                           const std::vector<std::string>& topics,
                                           absl::Duration timeout) {
  librdkafka::Looker looker(client);
  if (auto opened = looker.Open(); !opened.ok()) return opened;
  return looker.Look(topics, timeout);
}

}  // namespace sankofa::kafka
