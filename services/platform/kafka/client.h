#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/kafka/faults.h"

// What Sankofa asks of Kafka: produce with reports, consume as a group with offsets committed by hand, and a little
// administration. The Open functions give clients over librdkafka; memory_broker.h gives the same in memory.
//
// Status codes, the same in all three:
//   UNAVAILABLE         may succeed later: broker away, time-out, leader moving, topic not there yet
//   INVALID_ARGUMENT    this record will never be taken: too large, refused by the broker's checks
//   PERMISSION_DENIED   certificate or access rights: an operator has to act, and the text says how
//   RESOURCE_EXHAUSTED  the producer's queue is full: serve reports, then try again
//   ABORTED             the client is beyond repair (a fatal error of its producer id): open a new one
//   INTERNAL            everything else
//
// librdkafka tries a refused certificate again for ever and reports no error on the records that wait: Health() is how
// anyone finds out.
namespace sankofa::kafka {

struct ClientOptions {
  std::string brokers;  // "host:port,host:port"
  // PEM files for mutual TLS: the authority that signed the brokers' certificates, own certificate, its key. All three
  // or none; none means a plain connection.
  std::string ca;
  std::string certificate;
  std::string key;
  std::string client_id = "sankofa";
  // For tests: makes calls fail.
  std::shared_ptr<Faults> faults;
};

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

// What is produced.
struct Record {
  std::string topic;
  std::string key;
  std::string value;
  std::vector<Header> headers;
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

// What is consumed.
struct Message {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::string value;
  bool has_value = true;  // false for a tombstone
  std::vector<Header> headers;
  absl::Time timestamp;

  [[nodiscard]] TopicPartition from() const { return {topic, partition}; }
};

// By partition, the offset that is to be read next.
using Offsets = std::map<TopicPartition, std::int64_t>;

// The largest record, key and headers included, in every topic of ours.
inline constexpr int kMaxRecordBytes = 1 << 20;

// ---- Producing ------------------------------------------------------------------------------------------------------

struct ProducerOptions {
  // Gets every record's outcome once, in Poll, with the id that Produce was given. OK: all in-sync replicas have it.
  std::function<void(std::uint64_t id, const absl::Status& outcome)> on_delivery;
  int queue_records = 10'000;
  int queue_bytes = 16 << 20;
  // How long records gather for one request.
  absl::Duration linger = absl::Milliseconds(1);
  // How long a record is tried. Infinite: until it is taken or refused, which keeps the order within a key whatever
  // happens to the brokers.
  absl::Duration delivery_timeout = absl::InfiniteDuration();
};

// Idempotent, acks=all: within a partition, records are kept once and in the order of Produce. Used by one thread at a
// time, except Health.
class Producer {
 public:
  virtual ~Producer() = default;

  // Queues a record; never waits. On an error there will be no report.
  [[nodiscard]] virtual absl::Status Produce(const Record& record, std::uint64_t id) = 0;
  // Serves reports: returns after the first ones, at the latest after `timeout`.
  virtual void Poll(absl::Duration timeout) = 0;
  // Serves reports until none is outstanding; UNAVAILABLE where some are at the end of `timeout`.
  [[nodiscard]] virtual absl::Status Flush(absl::Duration timeout) = 0;
  // Records without a report yet.
  [[nodiscard]] virtual int outstanding() const = 0;
  // Thread-safe. As fresh as the last Poll.
  [[nodiscard]] virtual absl::Status Health() const = 0;
};

[[nodiscard]] absl::StatusOr<std::unique_ptr<Producer>> OpenProducer(const ClientOptions& client,
                                                                     ProducerOptions options);

// ---- Consuming ------------------------------------------------------------------------------------------------------

struct ConsumerOptions {
  std::string group;
  std::vector<std::string> topics;  // by name; no patterns
  // Called inside PollBatch and Close. In `on_revoked`, `lost` says that others may own the partitions already and a
  // commit is of no use.
  std::function<void(const std::vector<TopicPartition>&)> on_assigned;
  std::function<void(const std::vector<TopicPartition>&, bool lost)> on_revoked;
  // What is read ahead at most.
  int queue_bytes = 8 << 20;
  absl::Duration session_timeout = absl::Seconds(10);
};

// A member of a group; starts at the group's offsets, or at the beginning of a topic where there are none. Used by one
// thread at a time, except Health.
class Consumer {
 public:
  virtual ~Consumer() = default;

  // Up to `max` messages: what is there, or what comes first within `timeout`. Within a partition in order of offsets.
  // Has to be called at least every five minutes, paused or not, or the group goes on without this member.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Message>> PollBatch(int max,
                                                                       absl::Duration timeout) = 0;
  // Commits and waits for the answer.
  [[nodiscard]] virtual absl::Status Commit(const Offsets& next) = 0;
  [[nodiscard]] virtual absl::Status Pause(const std::vector<TopicPartition>& partitions) = 0;
  [[nodiscard]] virtual absl::Status Resume(const std::vector<TopicPartition>& partitions) = 0;
  // The next message of `partition` is the one at `offset`, or the first after it.
  [[nodiscard]] virtual absl::Status Seek(const TopicPartition& partition, std::int64_t offset) = 0;
  [[nodiscard]] virtual std::vector<TopicPartition> assignment() const = 0;
  // Messages in the assigned partitions that were not handed out yet, as far as the client knows; never waits.
  [[nodiscard]] virtual std::int64_t Lag() const = 0;
  // Thread-safe. As fresh as the last PollBatch.
  [[nodiscard]] virtual absl::Status Health() const = 0;
  // Leaves the group, in seven seconds at most. Called by the destructor where it was not before.
  virtual void Close() = 0;
};

// Consumers that could not be ended in time: their threads still run, and use what the end of a process takes away. Such a
// process has to end without its orderly rest (std::_Exit).
[[nodiscard]] int ClientsLeftBehind();

[[nodiscard]] absl::StatusOr<std::unique_ptr<Consumer>> OpenConsumer(const ClientOptions& client,
                                                                     ConsumerOptions options);

// ---- Administration -------------------------------------------------------------------------------------------------

struct TopicSpec {
  std::string name;
  int partitions = 4;
  int replication = 1;
  absl::Duration retention = absl::Hours(24 * 7);
  std::map<std::string, std::string> config;  // further settings, by Kafka's names
};

struct Acl {
  enum class Resource { kTopic, kGroup, kCluster };
  enum class Right {
    kAll,
    kRead,
    kWrite,
    kCreate,
    kDelete,
    kAlter,
    kDescribe,
    kClusterAction,
    kDescribeConfigs,
    kAlterConfigs,
    kIdempotentWrite,
  };
  Resource resource = Resource::kTopic;
  std::string name;       // "kafka-cluster" for the cluster
  bool prefixed = false;  // the right covers every name that begins with `name`
  std::string principal;  // "User:fr"
  Right right = Right::kRead;
  auto operator<=>(const Acl&) const = default;
};

// The offsets that a partition holds: [first, next).
struct Watermarks {
  std::int64_t first = 0;
  std::int64_t next = 0;
};

// Each call waits for at most `timeout`. Thread-safe.
class Admin {
 public:
  virtual ~Admin() = default;
  // Creates what is missing, able to hold records of kMaxRecordBytes. A topic that is there is left as it is: its number
  // of partitions is part of the order of its keys, and its settings are the operator's. Creating takes a right of its
  // own; finding all there takes only the right to describe them.
  [[nodiscard]] virtual absl::Status EnsureTopics(const std::vector<TopicSpec>& topics,
                                                  absl::Duration timeout) = 0;
  // A topic that is not there is deleted already.
  [[nodiscard]] virtual absl::Status DeleteTopic(const std::string& topic,
                                                 absl::Duration timeout) = 0;
  [[nodiscard]] virtual absl::StatusOr<std::map<TopicPartition, Watermarks>> TopicWatermarks(
      const std::string& topic, absl::Duration timeout) = 0;
  // What a group has committed in a topic; without the partitions in which it has committed nothing.
  [[nodiscard]] virtual absl::StatusOr<Offsets> GroupOffsets(const std::string& group,
                                                             const std::string& topic,
                                                             absl::Duration timeout) = 0;
  // Grants what is missing; only grants exist, everything else is denied.
  [[nodiscard]] virtual absl::Status EnsureAcls(const std::vector<Acl>& acls,
                                                absl::Duration timeout) = 0;
  // Takes these grants back. One that is not there is taken back already.
  [[nodiscard]] virtual absl::Status RemoveAcls(const std::vector<Acl>& acls,
                                                absl::Duration timeout) = 0;
  // A principal's grants from any host; everybody's where it is empty. Sorted.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Acl>> DescribeAcls(const std::string& principal,
                                                                      absl::Duration timeout) = 0;
};

[[nodiscard]] absl::StatusOr<std::unique_ptr<Admin>> OpenAdmin(const ClientOptions& client);

}  // namespace sankofa::kafka
