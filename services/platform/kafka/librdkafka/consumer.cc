#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/kafka/librdkafka/handle.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::kafka {
namespace librdkafka {
namespace {

constexpr int kCommitTimeoutMs = 5'000;
constexpr int kCommittedTimeoutMs = 2'000;
constexpr int kSeekTimeoutMs = 5'000;
constexpr absl::Duration kCloseTimeout = absl::Seconds(5);

std::atomic<int> left_behind = 0;

// Ends a client whose group has let it go, or may not. librdkafka 2.0 can wait for ever here: for a broker's thread, after
// the topic was deleted under the consumer, and for the group, where its rights were taken away. Nobody reads from the
// client any more, and nothing of ours is called back; so it is left behind then, and who closes it goes on.
void Destroy(rd_kafka_t* client, const std::string& group) {
  auto done = std::make_shared<std::promise<void>>();
  const std::future<void> ended = done->get_future();
  ++left_behind;
  std::thread([client, done] {
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    --left_behind;
    done->set_value();
  }).detach();
  if (ended.wait_for(absl::ToChronoMilliseconds(kCloseTimeout)) == std::future_status::ready)
    return;
  telemetry::Warn("a Kafka client does not end; its threads stay until this process ends",
                  {{"group", group}});
}

std::vector<Header> HeadersOf(const rd_kafka_message_t& message) {
  std::vector<Header> out;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return out;
  const std::size_t count = rd_kafka_header_cnt(headers);
  out.reserve(count);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    out.push_back({name, value == nullptr ? std::string()
                                          : std::string(static_cast<const char*>(value), size)});
  }
  return out;
}

Message ToMessage(const rd_kafka_message_t& from) {
  Message message{
      .topic = rd_kafka_topic_name(from.rkt), .partition = from.partition, .offset = from.offset};
  if (from.key != nullptr) message.key.assign(static_cast<const char*>(from.key), from.key_len);
  message.has_value = from.payload != nullptr;
  if (message.has_value) message.value.assign(static_cast<const char*>(from.payload), from.len);
  message.headers = HeadersOf(from);
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  message.timestamp = absl::FromUnixMillis(rd_kafka_message_timestamp(&from, &type));
  return message;
}

class RdConsumer final : public Handle, public Consumer {
 public:
  RdConsumer(const ClientOptions& client, ConsumerOptions options)
      : Handle(client), options_(std::move(options)) {}

  ~RdConsumer() override { Close(); }

  absl::Status Open();
  absl::StatusOr<std::vector<Message>> PollBatch(int max, absl::Duration timeout) override;
  absl::Status Commit(const Offsets& next) override;
  absl::Status Seek(const TopicPartition& partition, std::int64_t offset) override;
  std::int64_t Lag() const override;
  void Close() override;

  absl::Status Pause(const std::vector<TopicPartition>& partitions) override {
    return ToStatus(rd_kafka_pause_partitions(rk_, ToList(partitions).get()), "pausing");
  }
  absl::Status Resume(const std::vector<TopicPartition>& partitions) override {
    return ToStatus(rd_kafka_resume_partitions(rk_, ToList(partitions).get()), "resuming");
  }
  std::vector<TopicPartition> assignment() const override {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, _] : position_) partitions.push_back(partition);
    return partitions;
  }
  absl::Status Health() const override { return health_.Get(); }

 private:
  absl::Status Take(const rd_kafka_message_t& from, std::vector<Message>& into);
  void OnRebalance(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions);
  void OnAssigned(rd_kafka_topic_partition_list_t* partitions);
  void OnRevoked(const rd_kafka_topic_partition_list_t& partitions);
  void LeaveGroup();

  const ConsumerOptions options_;
  // Of each assigned partition, what is handed out next; below zero where the group has committed nothing.
  Offsets position_;
  absl::Status deferred_;  // an error that came behind messages of the same batch
};

absl::Status RdConsumer::Open() {
  auto conf = CommonConf();
  if (!conf.ok()) return conf.status();
  const int session_ms = Milliseconds(options_.session_timeout);
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"group.id", options_.group},
           {"enable.auto.commit", "false"},
           {"enable.auto.offset.store", "false"},
           {"auto.offset.reset", "earliest"},
           {"session.timeout.ms", absl::StrCat(session_ms)},
           {"heartbeat.interval.ms", absl::StrCat(std::max(1, session_ms / 4))},
           {"max.poll.interval.ms", "300000"},
           {"fetch.wait.max.ms", "500"},
           {"fetch.error.backoff.ms", "200"},
           {"queued.max.messages.kbytes", absl::StrCat(std::max(1, options_.queue_bytes >> 10))},
           {"fetch.message.max.bytes", absl::StrCat(kMaxRecordBytes)}}) {
    if (auto status = Set(conf->get(), name, value); !status.ok()) return status;
  }
  rd_kafka_conf_set_rebalance_cb(
      conf->get(), [](rd_kafka_t*, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t* partitions, void* opaque) {
        static_cast<RdConsumer*>(static_cast<Handle*>(opaque))->OnRebalance(code, partitions);
      });
  if (auto status = New(RD_KAFKA_CONSUMER, *std::move(conf)); !status.ok()) return status;
  rd_kafka_poll_set_consumer(rk_);  // one queue for messages and callbacks
  PartitionList topics(rd_kafka_topic_partition_list_new(static_cast<int>(options_.topics.size())));
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  return ToStatus(rd_kafka_subscribe(rk_, topics.get()), "subscribing");
}

absl::StatusOr<std::vector<Message>> RdConsumer::PollBatch(int max, absl::Duration timeout) {
  if (auto fault = NextFault(Operation::kPoll); !fault.ok()) return fault;
  if (!deferred_.ok()) return std::exchange(deferred_, absl::OkStatus());
  ProbeIfUnwell();
  std::vector<Message> messages;
  const absl::Time deadline = absl::Now() + timeout;
  while (static_cast<int>(messages.size()) < max) {
    // What is there already; where nothing is, the first that comes.
    const absl::Duration wait = messages.empty() ? deadline - absl::Now() : absl::ZeroDuration();
    const MessagePtr message(
        rd_kafka_consumer_poll(rk_, Milliseconds(std::max(wait, absl::ZeroDuration()))));
    if (message == nullptr) break;
    if (auto status = Take(*message, messages); !status.ok()) {
      if (messages.empty()) return status;
      deferred_ = std::move(status);
      break;
    }
  }
  return messages;
}

absl::Status RdConsumer::Take(const rd_kafka_message_t& from, std::vector<Message>& into) {
  if (from.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    into.push_back(ToMessage(from));
    const Message& message = into.back();
    position_[message.from()] = message.offset + 1;
    health_.Reached();
    health_.OnAccess(message.topic, absl::OkStatus());
    return absl::OkStatus();
  }
  if (from.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return absl::OkStatus();
  const bool group = from.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
  const std::string name = group                 ? absl::StrCat("group ", options_.group)
                           : from.rkt != nullptr ? absl::StrCat(rd_kafka_topic_name(from.rkt))
                                                 : std::string("Kafka");
  auto status = ToStatus(from.err, absl::StrCat("reading ", name));
  if (absl::IsPermissionDenied(status)) health_.OnAccess(name, status);
  return status;
}

void RdConsumer::OnRebalance(rd_kafka_resp_err_t code,
                             rd_kafka_topic_partition_list_t* partitions) {
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    OnAssigned(partitions);
    return;
  }
  if (partitions->cnt > 0) OnRevoked(*partitions);
  position_.clear();
  rd_kafka_assign(rk_, nullptr);
}

void RdConsumer::OnAssigned(rd_kafka_topic_partition_list_t* partitions) {
  // Asked here so that the lag is known before the first message. Where there is no answer librdkafka asks by itself.
  if (rd_kafka_committed(rk_, partitions, kCommittedTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
  }
  position_.clear();
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = partitions->elems[i];
    position_[{partition.topic, partition.partition}] = partition.offset;
  }
  rd_kafka_assign(rk_, partitions);
  if (partitions->cnt > 0)
    health_.OnAccess(absl::StrCat("group ", options_.group), absl::OkStatus());
  if (options_.on_assigned) options_.on_assigned(FromList(*partitions));
}

void RdConsumer::OnRevoked(const rd_kafka_topic_partition_list_t& partitions) {
  if (options_.on_revoked) {
    options_.on_revoked(FromList(partitions), rd_kafka_assignment_lost(rk_) != 0);
  }
}

absl::Status RdConsumer::Commit(const Offsets& next) {
  if (auto fault = NextFault(Operation::kCommit); !fault.ok()) return fault;
  if (next.empty()) return absl::OkStatus();
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(next.size())));
  for (const auto& [partition, offset] : next) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)
        ->offset = offset;
  }
  // Through a queue of its own: the plain call would wait without limit while the coordinator is away.
  const Queue answers(rd_kafka_queue_new(rk_));
  const auto sent = rd_kafka_commit_queue(rk_, list.get(), answers.get(), nullptr, nullptr);
  if (sent != RD_KAFKA_RESP_ERR_NO_ERROR) return ToStatus(sent, "committing offsets");
  const EventPtr answer(rd_kafka_queue_poll(answers.get(), kCommitTimeoutMs));
  if (answer == nullptr) return absl::UnavailableError("committing offsets: no answer in time");
  auto status = ToStatus(rd_kafka_event_error(answer.get()), "committing offsets");
  if (status.ok()) health_.Reached();
  return status;
}

absl::Status RdConsumer::Seek(const TopicPartition& partition, std::int64_t offset) {
  const PartitionList list = ToList({partition});
  list->elems[0].offset = offset;
  const ErrorPtr error(rd_kafka_seek_partitions(rk_, list.get(), kSeekTimeoutMs));
  if (error != nullptr) return ToStatus(rd_kafka_error_code(error.get()), "seeking");
  if (list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(list->elems[0].err, "seeking");
  }
  position_[partition] = offset;
  return absl::OkStatus();
}

std::int64_t RdConsumer::Lag() const {
  std::int64_t lag = 0;
  for (const auto& [partition, position] : position_) {
    std::int64_t first = 0;
    std::int64_t next = 0;
    if (rd_kafka_get_watermark_offsets(rk_, partition.topic.c_str(), partition.partition, &first,
                                       &next) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      continue;
    }
    lag += std::max<std::int64_t>(0, next - std::max({position, first, std::int64_t{0}}));
  }
  return lag;
}

void RdConsumer::Close() {
  if (rk_ == nullptr) return;
  LeaveGroup();
  if (rd_kafka_consumer_closed(rk_) == 0) {
    telemetry::Warn("left the Kafka group without saying so", {{"group", options_.group}});
  }
  position_.clear();
  Destroy(std::exchange(rk_, nullptr), options_.group);
}

// With a limit of our own: with the brokers away, leaving the group can take as long as they stay away.
void RdConsumer::LeaveGroup() {
  const Queue events(rd_kafka_queue_get_consumer(rk_));
  const ErrorPtr error(rd_kafka_consumer_close_queue(rk_, events.get()));
  const absl::Time deadline = absl::Now() + kCloseTimeout;
  while (error == nullptr && rd_kafka_consumer_closed(rk_) == 0 && absl::Now() < deadline) {
    const MessagePtr dropped(
        rd_kafka_consumer_poll(rk_, 50));  // also serves the rebalance callback
  }
}

}  // namespace
}  // namespace librdkafka

int ClientsLeftBehind() { return librdkafka::left_behind; }

absl::StatusOr<std::unique_ptr<Consumer>> OpenConsumer(const ClientOptions& client,
                                                       ConsumerOptions options) {
  auto consumer = std::make_unique<librdkafka::RdConsumer>(client, std::move(options));
  if (auto status = consumer->Open(); !status.ok()) return status;
  return consumer;
}

}  // namespace sankofa::kafka
