#include "services/platform/engine/decider.h"

#include <sodium.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sankofa::engine {

std::string DerivedId(std::string_view request_id, std::string_view label) {
  std::array<unsigned char, 16> hash{};
  std::string text(request_id);
  text.push_back('\0');
  text.append(label);
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  // Version 8 (RFC 9562: made by a rule of one's own), variant 10.
  hash[6] = static_cast<unsigned char>((hash[6] & 0x0F) | 0x80);
  hash[8] = static_cast<unsigned char>((hash[8] & 0x3F) | 0x80);
  const std::string hex =
      absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string Context::NewId(std::string_view label) const { return DerivedId(request_id, label); }

}  // namespace sankofa::engine
