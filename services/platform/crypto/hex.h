#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sankofa::crypto {

// The `size` bytes that `text` gives in hexadecimal digits of either case; nothing for any other text.
[[nodiscard]] std::optional<std::string> ParseHex(std::string_view text, std::size_t size);

}  // namespace sankofa::crypto
