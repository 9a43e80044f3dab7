#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/exchange/digest/tree.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/platform/telemetry/log.h"

// Both nodes say what they sent to each other and what came, as hash trees; what differs is found by asking for the parts
// that differ. Each direction is compared: a message that was lost on its way differs in one of them.
namespace sankofa::exchange {

// What was sent to a partner, and what came from it, subject by subject.
[[nodiscard]] absl::StatusOr<DigestTree> SentTo(const FeedReader& reader,
                                                const std::string& partner);
[[nodiscard]] absl::StatusOr<DigestTree> ReceivedFrom(const FeedReader& reader,
                                                      const std::string& partner);

// The partner's GetDigest.
using AskDigest = std::function<absl::StatusOr<v1::Digest>(const v1::GetDigestRequest&)>;

// UNAVAILABLE (PARTNER_UNREACHABLE) where the partner does not answer. Messages that are on their way differ too.
[[nodiscard]] absl::StatusOr<v1::DigestComparison> CompareWith(const FeedReader& reader,
                                                               const std::string& node,
                                                               const std::string& partner,
                                                               const AskDigest& ask,
                                                               absl::Time now);

// Says which subjects differ: each once, until it is equal again. Kept in memory, so a restart says it once more.
class DifferenceLog {
 public:
  void Tell(const v1::DigestComparison& comparison);

 private:
  std::map<std::string, std::set<std::string>> told_;  // by partner
};

// The first time at or behind `now` at this hour of the day, UTC.
[[nodiscard]] absl::Time NextAt(int hour, absl::Time now);

}  // namespace sankofa::exchange
