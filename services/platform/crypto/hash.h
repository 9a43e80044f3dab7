#pragma once

#include <string>
#include <string_view>

namespace sankofa::crypto {

// BLAKE2b-256 of `bytes`, 64 hex digits.
[[nodiscard]] std::string HashHex(std::string_view bytes);

}  // namespace sankofa::crypto
