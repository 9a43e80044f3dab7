#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/kafka/memory_broker.h"
#include "tests/simulation/world/process.h"

// A node's Kafka: the broker in memory, with clients that lose, repeat and delay.
namespace sankofa::simulation {

class Broker {
 public:
  [[nodiscard]] std::unique_ptr<kafka::Producer> MakeProducer(Process& process,
                                                              kafka::ProducerOptions options);
  // `reachable`: where the reader is another node; whether the road is open. What it reads has crossed a border and may
  // have been lost or altered on the way. Empty for the node's own readers.
  [[nodiscard]] std::unique_ptr<kafka::Consumer> MakeConsumer(Process& process,
                                                              kafka::ConsumerOptions options,
                                                              std::function<bool()> reachable);
  // See kafka::RelayOptions::look_after.
  [[nodiscard]] absl::StatusOr<std::map<std::string, std::int64_t>> LookAfter(
      Process& process, const std::vector<std::string>& topics);

  void SetAvailable(bool available) { kept_.SetAvailable(available); }
  [[nodiscard]] const kafka::MemoryBroker& kept() const { return kept_; }

 private:
  kafka::MemoryBroker kept_;
};

}  // namespace sankofa::simulation
