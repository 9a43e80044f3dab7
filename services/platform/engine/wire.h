#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace sankofa::engine {

// The message in wire form: of one binary, always the same bytes for the same content, so that they can be hashed and
// compared. Another binary may write others.
[[nodiscard]] std::string DeterministicBytes(const google::protobuf::Message& message);

}  // namespace sankofa::engine
