#include "services/platform/engine/reactions.h"

#include "absl/strings/str_split.h"

namespace sankofa::engine {

std::string Reactions::SourceOf(const std::string& event_type) {
  const std::vector<std::string> parts = absl::StrSplit(event_type, '.');
  return parts.size() > 1 ? parts[1] : std::string();
}

}  // namespace sankofa::engine
