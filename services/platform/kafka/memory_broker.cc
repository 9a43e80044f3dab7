#include "services/platform/kafka/memory_broker.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sankofa::kafka {
namespace {

absl::Status Away() { return absl::UnavailableError("no Kafka broker answers"); }

absl::Status NoTopic(const std::string& topic) {
  return absl::UnavailableError(absl::StrCat("there is no topic ", topic));
}

std::size_t SizeOf(const Record& record) {
  std::size_t size = record.key.size() + record.value.size();
  for (const Header& header : record.headers) size += header.name.size() + header.value.size();
  return size;
}

// FNV-1a: the same on every machine, so that a simulation's seed says all.
std::size_t Spread(const std::string& key, std::size_t partitions) {
  std::uint64_t hash = 1469598103934665603U;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash % partitions;
}

}  // namespace

class MemoryProducer final : public Producer {
 public:
  MemoryProducer(MemoryBroker& broker, ProducerOptions options)
      : broker_(broker), options_(std::move(options)) {}

  absl::Status Produce(const Record& record, std::uint64_t id) override {
    if (auto fault = broker_.faults_.Next(Operation::kProduce); !fault.ok()) return fault;
    if (SizeOf(record) > kMaxRecordBytes) {
      return absl::InvalidArgumentError("the record is too large");
    }
    if (outstanding() >= options_.queue_records) {
      return absl::ResourceExhaustedError("the producer's queue is full");
    }
    queue_.emplace_back(id, record);
    return absl::OkStatus();
  }

  void Poll(absl::Duration /*timeout*/) override {
    std::vector<std::pair<std::uint64_t, absl::Status>> reports;
    {
      const std::lock_guard lock(broker_.mutex_);
      while (broker_.available_ && !queue_.empty()) {
        reports.emplace_back(queue_.front().first, broker_.Keep(queue_.front().second));
        queue_.pop_front();
      }
    }
    for (auto& [id, outcome] : reports) {
      if (auto fault = broker_.faults_.Next(Operation::kDelivery); !fault.ok()) outcome = fault;
      if (options_.on_delivery) options_.on_delivery(id, outcome);
    }
  }

  absl::Status Flush(absl::Duration timeout) override {
    Poll(timeout);
    return queue_.empty() ? absl::OkStatus() : Away();
  }

  int outstanding() const override { return static_cast<int>(queue_.size()); }

  absl::Status Health() const override {
    const std::lock_guard lock(broker_.mutex_);
    return broker_.available_ ? absl::OkStatus() : Away();
  }

 private:
  MemoryBroker& broker_;
  const ProducerOptions options_;
  std::deque<std::pair<std::uint64_t, Record>> queue_;
};

class MemoryConsumer final : public Consumer {
 public:
  MemoryConsumer(MemoryBroker& broker, ConsumerOptions options)
      : broker_(broker), options_(std::move(options)) {
    const std::lock_guard lock(broker_.mutex_);
    generation_ = ++broker_.groups_[options_.group].generation;
  }
  ~MemoryConsumer() override { Close(); }

  absl::StatusOr<std::vector<Message>> PollBatch(int max, absl::Duration /*timeout*/) override {
    if (auto fault = broker_.faults_.Next(Operation::kPoll); !fault.ok()) return fault;
    Rebalance();
    const std::lock_guard lock(broker_.mutex_);
    if (!broker_.available_) return Away();
    std::vector<Message> batch;
    for (auto& [at, position] : position_) {
      if (paused_.contains(at)) continue;
      const auto topic = broker_.topics_.find(at.topic);
      if (topic == broker_.topics_.end()) continue;
      const MemoryBroker::Partition& partition =
          topic->second[static_cast<std::size_t>(at.partition)];
      position = std::max(position, partition.first);
      while (static_cast<int>(batch.size()) < max &&
             position < static_cast<std::int64_t>(partition.messages.size())) {
        batch.push_back(partition.messages[static_cast<std::size_t>(position++)]);
      }
    }
    return batch;
  }

  absl::Status Commit(const Offsets& next) override {
    if (auto fault = broker_.faults_.Next(Operation::kCommit); !fault.ok()) return fault;
    const std::lock_guard lock(broker_.mutex_);
    if (!broker_.available_) return Away();
    MemoryBroker::Group& group = broker_.groups_[options_.group];
    if (group.generation != generation_) {
      return absl::UnavailableError("another member has the partitions");
    }
    for (const auto& [partition, offset] : next) group.committed[partition] = offset;
    return absl::OkStatus();
  }

  absl::Status Pause(const std::vector<TopicPartition>& partitions) override {
    paused_.insert(partitions.begin(), partitions.end());
    return absl::OkStatus();
  }
  absl::Status Resume(const std::vector<TopicPartition>& partitions) override {
    for (const TopicPartition& partition : partitions) paused_.erase(partition);
    return absl::OkStatus();
  }
  absl::Status Seek(const TopicPartition& partition, std::int64_t offset) override {
    const auto position = position_.find(partition);
    if (position == position_.end()) return absl::UnavailableError("the partition is not assigned");
    position->second = offset;
    return absl::OkStatus();
  }

  std::vector<TopicPartition> assignment() const override {
    std::vector<TopicPartition> partitions;
    for (const auto& [partition, _] : position_) partitions.push_back(partition);
    return partitions;
  }

  std::int64_t Lag() const override {
    const std::lock_guard lock(broker_.mutex_);
    std::int64_t lag = 0;
    for (const auto& [at, position] : position_) {
      const auto topic = broker_.topics_.find(at.topic);
      if (topic == broker_.topics_.end()) continue;
      const auto& partition = topic->second[static_cast<std::size_t>(at.partition)];
      lag += static_cast<std::int64_t>(partition.messages.size()) -
             std::max(position, partition.first);
    }
    return lag;
  }

  absl::Status Health() const override {
    const std::lock_guard lock(broker_.mutex_);
    return broker_.available_ ? absl::OkStatus() : Away();
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    if (!position_.empty() && options_.on_revoked) options_.on_revoked(assignment(), Lost());
    position_.clear();
  }

 private:
  bool Lost() const {
    const std::lock_guard lock(broker_.mutex_);
    return broker_.groups_[options_.group].generation != generation_;
  }

  // Takes partitions of topics that are new, and gives up all when another member came.
  void Rebalance() {
    std::vector<TopicPartition> revoked;
    std::vector<TopicPartition> assigned;
    const bool lost = Lost();
    {
      const std::lock_guard lock(broker_.mutex_);
      if (lost) {
        for (const auto& [partition, _] : position_) revoked.push_back(partition);
        position_.clear();
      } else if (broker_.available_) {
        assigned = Unassigned();
      }
    }
    if (!revoked.empty() && options_.on_revoked) options_.on_revoked(revoked, lost);
    if (!assigned.empty() && options_.on_assigned) options_.on_assigned(assignment());
  }

  std::vector<TopicPartition> Unassigned() {
    std::vector<TopicPartition> fresh;
    const Offsets& committed = broker_.groups_[options_.group].committed;
    for (const std::string& name : options_.topics) {
      const auto topic = broker_.topics_.find(name);
      if (topic == broker_.topics_.end()) continue;
      for (std::size_t i = 0; i < topic->second.size(); ++i) {
        const TopicPartition partition{name, static_cast<std::int32_t>(i)};
        const auto start = committed.find(partition);
        const std::int64_t offset = start == committed.end() ? 0 : start->second;
        if (position_.emplace(partition, offset).second) fresh.push_back(partition);
      }
    }
    return fresh;
  }

  MemoryBroker& broker_;
  const ConsumerOptions options_;
  std::int64_t generation_ = 0;
  Offsets position_;
  std::set<TopicPartition> paused_;
  bool closed_ = false;
};

class MemoryAdmin final : public Admin {
 public:
  explicit MemoryAdmin(MemoryBroker& broker) : broker_(broker) {}

  absl::Status EnsureTopics(const std::vector<TopicSpec>& topics,
                            absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    for (const TopicSpec& topic : topics) {
      auto& partitions = broker_.topics_[topic.name];
      if (partitions.empty()) partitions.resize(static_cast<std::size_t>(topic.partitions));
    }
    return absl::OkStatus();
  }

  absl::Status DeleteTopic(const std::string& topic, absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    broker_.topics_.erase(topic);
    return absl::OkStatus();
  }

  absl::StatusOr<std::map<TopicPartition, Watermarks>> TopicWatermarks(
      const std::string& topic, absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    const auto found = broker_.topics_.find(topic);
    if (found == broker_.topics_.end()) return NoTopic(topic);
    std::map<TopicPartition, Watermarks> watermarks;
    for (std::size_t i = 0; i < found->second.size(); ++i) {
      const MemoryBroker::Partition& partition = found->second[i];
      watermarks[{topic, static_cast<std::int32_t>(i)}] = {
          partition.first, static_cast<std::int64_t>(partition.messages.size())};
    }
    return watermarks;
  }

  absl::StatusOr<Offsets> GroupOffsets(const std::string& group, const std::string& topic,
                                       absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    Offsets offsets;
    for (const auto& [partition, next] : broker_.groups_[group].committed) {
      if (partition.topic == topic) offsets[partition] = next;
    }
    return offsets;
  }

  absl::Status EnsureAcls(const std::vector<Acl>& acls, absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    broker_.acls_.insert(acls.begin(), acls.end());
    return absl::OkStatus();
  }

  absl::Status RemoveAcls(const std::vector<Acl>& acls, absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    for (const Acl& acl : acls) broker_.acls_.erase(acl);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Acl>> DescribeAcls(const std::string& principal,
                                                absl::Duration /*timeout*/) override {
    const std::lock_guard lock(broker_.mutex_);
    if (auto status = Ready(); !status.ok()) return status;
    std::vector<Acl> acls;
    for (const Acl& acl : broker_.acls_) {
      if (principal.empty() || acl.principal == principal) acls.push_back(acl);
    }
    return acls;
  }

 private:
  absl::Status Ready() const {
    if (auto fault = broker_.faults_.Next(Operation::kAdmin); !fault.ok()) return fault;
    return broker_.available_ ? absl::OkStatus() : Away();
  }

  MemoryBroker& broker_;
};

std::unique_ptr<Producer> MemoryBroker::MakeProducer(ProducerOptions options) {
  return std::make_unique<MemoryProducer>(*this, std::move(options));
}

std::unique_ptr<Consumer> MemoryBroker::MakeConsumer(ConsumerOptions options) {
  return std::make_unique<MemoryConsumer>(*this, std::move(options));
}

std::unique_ptr<Admin> MemoryBroker::MakeAdmin() { return std::make_unique<MemoryAdmin>(*this); }

void MemoryBroker::SetAvailable(bool available) {
  const std::lock_guard lock(mutex_);
  available_ = available;
}

void MemoryBroker::RefuseRecords(std::function<absl::Status(const Record&)> judge) {
  const std::lock_guard lock(mutex_);
  judge_ = std::move(judge);
}

absl::Status MemoryBroker::Keep(const Record& record) {
  if (judge_) {
    if (auto status = judge_(record); !status.ok()) return status;
  }
  const auto topic = topics_.find(record.topic);
  if (topic == topics_.end()) return NoTopic(record.topic);
  const std::size_t number = Spread(record.key, topic->second.size());
  std::vector<Message>& messages = topic->second[number].messages;
  messages.push_back({.topic = record.topic,
                      .partition = static_cast<std::int32_t>(number),
                      .offset = static_cast<std::int64_t>(messages.size()),
                      .key = record.key,
                      .value = record.value,
                      .headers = record.headers,
                      .timestamp = absl::UnixEpoch()});
  return absl::OkStatus();
}

std::vector<Message> MemoryBroker::Messages(const std::string& topic) const {
  const std::lock_guard lock(mutex_);
  std::vector<Message> all;
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return all;
  for (const Partition& partition : found->second) {
    all.insert(all.end(), partition.messages.begin() + partition.first, partition.messages.end());
  }
  return all;
}

Offsets MemoryBroker::Committed(const std::string& group) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  return found == groups_.end() ? Offsets() : found->second.committed;
}

void MemoryBroker::Forget(const Offsets& before) {
  const std::lock_guard lock(mutex_);
  for (const auto& [at, offset] : before) {
    Partition& partition = topics_.at(at.topic).at(static_cast<std::size_t>(at.partition));
    partition.first = std::clamp<std::int64_t>(
        offset, partition.first, static_cast<std::int64_t>(partition.messages.size()));
  }
}

}  // namespace sankofa::kafka
