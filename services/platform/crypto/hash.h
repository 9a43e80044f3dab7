#pragma once

#include <string>
#include <string_view>

namespace sankofa::crypto {

// BLAKE2b-256 of `bytes`: 32 bytes.
[[nodiscard]] std::string Hash(std::string_view bytes);

// The same as 64 hex digits.
[[nodiscard]] std::string HashHex(std::string_view bytes);

// The name of a public key: the first 16 hex digits of BLAKE2b-256 over its 32 bytes. `public_key`: 64 hex digits. Empty
// for anything else.
[[nodiscard]] std::string KeyIdOf(std::string_view public_key);

}  // namespace sankofa::crypto
