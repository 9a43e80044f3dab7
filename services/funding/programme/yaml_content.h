#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace sankofa::funding {

// Reads YAML that people write into a message, strictly. Keys are the names of the message's fields; an enum value is
// written in lower case without its prefix ("in_kind"), money as "4000 EUR", a day as 2017-06-30. What is not known,
// twice there, of the wrong kind or out of range is refused as PROGRAMME_MALFORMED with its path
// ("rule_sets[0].levels[1].celing"). One document, at most 64 KiB and 5,000 values, so that aliases which unfold
// without end stop early. Exceptions of the parser end here. On a refusal `out` holds no meaning.
[[nodiscard]] absl::Status ReadYaml(std::string_view text, google::protobuf::Message& out);

}  // namespace sankofa::funding
