#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sankofa::crypto {

// The 32 bytes that `file` holds in base64. Refused where others than the owner can read the file. The caller wipes
// them.
[[nodiscard]] absl::StatusOr<std::string> ReadKeyFile(const std::string& file);

}  // namespace sankofa::crypto
