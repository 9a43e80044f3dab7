#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The pair of keys by which partners know the node: one signs, one opens what is sealed for it. They are changed together,
// in three steps, between which people act: partners have to know the next pair before it is used.
//
//     at rest    signing.key: a             sealing.key: x
//     prepared   signing.key: a             sealing.key: x, y   (both open)      signing.key.next: b, y
//     switched   signing.key: b             sealing.key: y, x   (both open)
//     at rest    signing.key: b             sealing.key: y
//
// A step that was broken off is made again from the beginning, with the same keys.
namespace sankofa::ctl {

struct NodeKeyFiles {
  std::string signing;
  std::string sealing;
  [[nodiscard]] std::string Next() const { return signing + ".next"; }
};

// What partners have to know of a pair.
struct PublicPair {
  std::string key_id;
  std::string verification_key;  // 64 hex digits
  std::string sealing_key;       // 64 hex digits
};

enum class NodeKeyState { kAtRest, kPrepared, kSwitched };
[[nodiscard]] absl::StatusOr<NodeKeyState> StateOf(const NodeKeyFiles& files);
[[nodiscard]] absl::StatusOr<PublicPair> PairInUse(const NodeKeyFiles& files);

// Makes the next pair, where there is none, and lets the node open what is sealed for it. FAILED_PRECONDITION in the
// middle of another change.
[[nodiscard]] absl::StatusOr<PublicPair> PrepareNodeKeys(const NodeKeyFiles& files);
// The next pair signs and is shown; what was sealed for the one before still opens. FAILED_PRECONDITION where there is none.
[[nodiscard]] absl::StatusOr<PublicPair> SwitchNodeKeys(const NodeKeyFiles& files);
// The earlier sealing keys are gone.
[[nodiscard]] absl::Status FinishNodeKeys(const NodeKeyFiles& files);

}  // namespace sankofa::ctl
