#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/exchange/directory.h"
#include "services/platform/kafka/client.h"
#include "services/platform/telemetry/log.h"

// Who may read which feed from this node's Kafka. A partner's certificate may read its own topic with its own group, and
// nothing else; that of a suspended partner may read nothing.
namespace sankofa::exchange {

// The rights of a partner: none where it is suspended.
[[nodiscard]] std::vector<kafka::Acl> RightsOf(const v1::Partner& partner);

// Brings Kafka's access rights in line with the partners. Says what it does, once. Not thread-safe but for Trouble.
class FeedRights {
 public:
  explicit FeedRights(kafka::Admin& admin) : admin_(admin) {}
  // All partners; one whose rights can't be set does not keep the others'. The first failure, where there is one.
  absl::Status Align(const Snapshot& snapshot);
  // Why a partner's rights could not be set; OK where they were. Thread-safe.
  [[nodiscard]] absl::Status Trouble(const std::string& partner) const;

 private:
  [[nodiscard]] absl::Status AlignOne(const v1::Partner& partner);

  kafka::Admin& admin_;
  telemetry::RepeatedLog failing_{absl::Minutes(10)};
  mutable std::mutex mutex_;
  std::map<std::string, absl::Status> trouble_;  // guarded by mutex_
};

}  // namespace sankofa::exchange
