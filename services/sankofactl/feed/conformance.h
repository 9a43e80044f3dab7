#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "services/platform/crypto/box.h"
#include "services/platform/kafka/client.h"

// Does a node keep the contract of proto/README.md? Asked by a partner, with the partner's own certificate and keys, over
// the doors that every partner has. Nothing is written and nobody's place in the feed is moved.
namespace sankofa::ctl {

// How the node is reached. Tests have doors of their own.
struct Doors {
  std::function<absl::Status(const std::string& path, const google::protobuf::Message& request,
                             google::protobuf::Message& response)>
      call;
  // Ends at the latest after `patience`.
  std::function<absl::Status(const std::string& path, const google::protobuf::Message& request,
                             google::protobuf::Message& response, absl::Duration patience,
                             const std::function<bool(const google::protobuf::Message&)>& take)>
      read;
  // Empty where Kafka is not looked at.
  std::function<absl::StatusOr<std::unique_ptr<kafka::Admin>>()> admin;
  std::function<absl::StatusOr<std::unique_ptr<kafka::Consumer>>(kafka::ConsumerOptions)> consumer;
};

struct ConformanceOptions {
  std::string partner;  // who asks: "fr"
  std::vector<std::string>
      node_keys;  // the node's verification keys, as known by another way; empty: as it says
  const crypto::SealingKey* sealing_key = nullptr;
  // How long a stream or a topic may take for what it has already.
  absl::Duration patience = absl::Seconds(30);
  int page_size = 500;
};

struct ConformanceCheck {
  enum class Outcome { kHolds, kFails, kNotChecked };
  std::string name;
  Outcome outcome = Outcome::kHolds;
  std::string detail;  // what was seen, or what is wrong
};

// Makes all checks and tells each as soon as it was made. Where the feed can't be read, what builds on it is left out.
std::vector<ConformanceCheck> CheckConformance(
    const Doors& doors, const ConformanceOptions& options,
    const std::function<void(const ConformanceCheck&)>& tell);

}  // namespace sankofa::ctl
