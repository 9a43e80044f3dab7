#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/kafka/client.h"

// What producer, consumer and admin have in common: configuration, errors as statuses, health.
namespace sankofa::kafka::librdkafka {

template <auto Destroy>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, Deleter<rd_kafka_conf_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;
using EventPtr = std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>>;
using MessagePtr = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                      Deleter<rd_kafka_topic_partition_list_destroy>>;
using ErrorPtr = std::unique_ptr<rd_kafka_error_t, Deleter<rd_kafka_error_destroy>>;
using MetadataPtr = std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>>;

// For librdkafka's int; -1 for infinite.
[[nodiscard]] int Milliseconds(absl::Duration duration);

[[nodiscard]] absl::Status ToStatus(rd_kafka_resp_err_t code, std::string_view what);

[[nodiscard]] PartitionList ToList(const std::vector<TopicPartition>& partitions);
[[nodiscard]] std::vector<TopicPartition> FromList(const rd_kafka_topic_partition_list_t& list);

// What stands in the way of a client, gathered from librdkafka's error callback and from answers. Thread-safe.
class HealthBoard {
 public:
  explicit HealthBoard(const ClientOptions& client)
      : brokers_(client.brokers), certificate_(client.certificate), ca_(client.ca) {}

  // From the error callback. One broker of several that is away is no matter; all are, and a refused certificate is.
  void OnError(rd_kafka_resp_err_t code, std::string_view reason);
  // Something came back from a broker: the connection is good.
  void Reached();
  // Its certificate was renewed. Stays so: the client goes on with the old one until its owner opens another.
  void OnRenewed();
  // An answer about a topic or a group: denied, or (OK) not.
  void OnAccess(const std::string& name, const absl::Status& status);
  [[nodiscard]] absl::Status Get() const;

 private:
  [[nodiscard]] absl::Status Explain(std::string_view reason) const;

  const std::string brokers_;
  const std::string certificate_;
  const std::string ca_;
  mutable std::mutex mutex_;
  absl::Status connection_;
  std::string last_reason_;
  std::map<std::string, absl::Status> denied_;
};

// A client of librdkafka with its health; the callbacks' opaque pointer points to it. Callbacks run inside the calls of
// the thread that uses the client.
class Handle {
 public:
  explicit Handle(const ClientOptions& client) : client_(client), health_(client) {}
  virtual ~Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 protected:
  // What all kinds share.
  [[nodiscard]] absl::StatusOr<Conf> CommonConf();
  [[nodiscard]] static absl::Status Set(rd_kafka_conf_t* conf, const std::string& name,
                                        const std::string& value);
  [[nodiscard]] absl::Status New(rd_kafka_type_t type, Conf conf);
  // Asks the brokers now and then whether all is well again, where it was not: librdkafka does not say so by itself. And
  // looks whether the certificate's files are other ones: librdkafka has read them once and for all.
  void ProbeIfUnwell();
  // The next failure that a test planned.
  [[nodiscard]] absl::Status NextFault(Operation operation) const;

  const ClientOptions client_;
  HealthBoard health_;
  rd_kafka_t* rk_ = nullptr;  // destroyed by the subclass, which knows how

 private:
  void LookForRenewal(absl::Time now);

  absl::Time next_probe_ = absl::InfinitePast();
  absl::Time next_look_ = absl::InfinitePast();
  std::string opened_with_;  // the files' stamp
  std::string renewed_;      // another stamp, seen once
};

}  // namespace sankofa::kafka::librdkafka
