#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sankofa::crypto {

// The 32 bytes that `file` holds in base64. Refused where others than the owner can read the file. The caller wipes
// them.
[[nodiscard]] absl::StatusOr<std::string> ReadKeyFile(const std::string& file);

// The same from text.
[[nodiscard]] absl::StatusOr<std::string> ParseKey(std::string_view base64);

// The file's text without white space at its ends: a password. Refused where others than the owner can read it.
[[nodiscard]] absl::StatusOr<std::string> ReadSecretText(const std::string& file);

}  // namespace sankofa::crypto
