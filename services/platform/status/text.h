#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace sankofa::status {

// abseil of Debian 12 has a string_view of its own. This is the one place that converts.
inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace sankofa::status
