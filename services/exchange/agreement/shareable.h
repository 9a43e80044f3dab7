#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"

// What an agreement may name: types of events, and paths of fields. Derived from the protos of this binary.
namespace sankofa::exchange {

enum class Sharing {
  kUnknown,     // no event of this name
  kNever,       // stays on its node
  kCase,        // tells of one case
  kStatistics,  // tells of no case: counts only
};

// By rule. An event tells of one case where it has a field `case_id`. It holds statistics where it has none and each of
// its fields is PUBLIC. All others (persons, committees, programmes, budget lines) are of no case and stay. So do
// events that destroy a key: to a partner an erasure goes as a request of its own, which asks for a receipt. A short
// list of events that do name a case and stay all the same is in shareable.cc, each with its reason.
[[nodiscard]] Sharing SharingOf(const std::string& event_type);

// Null where there is no event of this name.
[[nodiscard]] const google::protobuf::Descriptor* FindEvent(const std::string& event_type);

// Whether `path` names a field of a person or a case that may be disclosed: "person.details.phones" in the message
// Disclosure. Whether consent covers it as well is registration's to say, each time.
[[nodiscard]] bool IsDisclosurePath(std::string_view path);

// Whether `path` names a field inside `event` that can be left out: any but the case's id.
[[nodiscard]] bool CanBeLeftOut(const google::protobuf::Descriptor& event, std::string_view path);

}  // namespace sankofa::exchange
