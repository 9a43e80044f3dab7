#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"

// The hash tree over all subjects of one feed, by which two nodes find what differs without sending each other
// everything. A subject's place is the first four hex digits of BLAKE2b-256 over it; exchange_service.proto (Digest) says
// what is hashed.
namespace sankofa::exchange {

inline constexpr std::size_t kDigestDepth = 4;

class DigestTree {
 public:
  // `leaves` in any order, one for each subject.
  explicit DigestTree(std::vector<v1::DigestLeaf> leaves);

  // The node at `prefix`: at most kDigestDepth hex digits in lower case. INVALID_ARGUMENT for anything else.
  [[nodiscard]] absl::StatusOr<v1::Digest> At(const std::string& prefix) const;
  [[nodiscard]] std::int64_t subjects() const { return static_cast<std::int64_t>(leaves_.size()); }

 private:
  struct Placed {
    std::string place;  // all hex digits of the hash
    v1::DigestLeaf leaf;
  };
  [[nodiscard]] std::pair<std::size_t, std::size_t> Range(const std::string& prefix) const;
  [[nodiscard]] std::string HashAt(const std::string& prefix) const;

  std::vector<Placed> leaves_;  // by place, then by subject
};

// Gives the other side's node at a prefix: its GetDigest, or another tree.
using DigestAt = std::function<absl::StatusOr<v1::Digest>(const std::string& prefix)>;

// What differs between the sender's tree and the receiver's, sorted by subject, at most `limit`; `ours` is one of them.
// `sender`: whose feed it is. `we_sent`: whether `ours` is the sender's. Asks for nodes that differ and for no others.
[[nodiscard]] absl::StatusOr<std::vector<v1::DigestDifference>> DifferencesBetween(
    const DigestTree& ours, const DigestAt& theirs, const std::string& sender, bool we_sent,
    std::size_t limit);

}  // namespace sankofa::exchange
