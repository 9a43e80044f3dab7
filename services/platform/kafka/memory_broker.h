#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "services/platform/kafka/client.h"

// Kafka in memory: for unit tests and simulation. The same calls and the same statuses as the real thing, one thing
// after another and no waiting: a poll gives what is there. A group has one member at a time; a new one takes
// everything over from the last, which learns at its next poll that its partitions are lost.
namespace sankofa::kafka {

class MemoryBroker {
 public:
  // A client must not outlive the broker.
  [[nodiscard]] std::unique_ptr<Producer> MakeProducer(ProducerOptions options);
  [[nodiscard]] std::unique_ptr<Consumer> MakeConsumer(ConsumerOptions options);
  [[nodiscard]] std::unique_ptr<Admin> MakeAdmin();

  // While it is away, records wait in their producers and everything else fails with UNAVAILABLE.
  void SetAvailable(bool available);
  // A record for which this gives an error is not kept, and reported with it. Called for each record.
  void RefuseRecords(std::function<absl::Status(const Record&)> judge);
  [[nodiscard]] Faults& faults() { return faults_; }

  // All that a topic holds, by partition and offset.
  [[nodiscard]] std::vector<Message> Messages(const std::string& topic) const;
  [[nodiscard]] Offsets Committed(const std::string& group) const;
  // Removes a topic's messages below the offsets, as retention would.
  void Forget(const Offsets& before);

 private:
  friend class MemoryProducer;
  friend class MemoryConsumer;
  friend class MemoryAdmin;

  struct Partition {
    std::int64_t first = 0;
    std::vector<Message> messages;
  };
  struct Group {
    std::int64_t generation = 0;
    Offsets committed;
  };

  [[nodiscard]] absl::Status Keep(const Record& record);

  mutable std::mutex mutex_;
  bool available_ = true;
  std::function<absl::Status(const Record&)> judge_;
  std::map<std::string, std::vector<Partition>> topics_;
  std::map<std::string, Group> groups_;
  std::set<Acl> acls_;
  Faults faults_;
};

}  // namespace sankofa::kafka
