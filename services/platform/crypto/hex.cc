#include "services/platform/crypto/hex.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/platform/status/text.h"

namespace sankofa::crypto {

std::optional<std::string> ParseHex(std::string_view text, std::size_t size) {
  const bool hex = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (!hex || text.size() != 2 * size) return std::nullopt;
  return absl::HexStringToBytes(status::Absl(text));
}

}  // namespace sankofa::crypto
