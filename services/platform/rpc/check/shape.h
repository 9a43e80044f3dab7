#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Whether a request is well formed, by the rules that stand beside its fields (option sankofa.common.v1.rule), also in
// messages inside. What a rule does not say has a limit all the same: 2000 characters, 100 entries, text without
// control characters, enum values that are known, times that exist.
namespace sankofa::rpc {

inline constexpr std::uint32_t kDefaultMaxLength = 2000;
inline constexpr std::uint32_t kDefaultMaxItems = 100;
// More are not listed: the answer must fit into the metadata of a call.
inline constexpr std::size_t kViolationsMax = 20;

// REASON_INVALID_FIELD naming all fields that are wrong, by path ("budget[2].unit_price.currency"). What is wrong is
// said without repeating the value, which may be personal. `now` is what "not in the future" is measured by.
[[nodiscard]] absl::Status CheckShape(const google::protobuf::Message& request, absl::Time now);

// Rules of this type, and of types inside, that don't fit their field ("max_length of an int32"): mistakes of ours,
// named before the server starts.
[[nodiscard]] std::vector<std::string> RuleFaults(const google::protobuf::Descriptor& type);

}  // namespace sankofa::rpc
