#include "services/platform/crypto/hash.h"

#include <sodium.h>

#include "absl/strings/escaping.h"
#include "services/platform/crypto/hex.h"

namespace sankofa::crypto {
namespace {

constexpr std::size_t kKeyIdDigits = 16;
constexpr std::size_t kPublicKeyBytes = 32;

}  // namespace

std::string Hash(std::string_view bytes) {
  std::string hash(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return hash;
}

std::string HashHex(std::string_view bytes) { return absl::BytesToHexString(Hash(bytes)); }

std::string KeyIdOf(std::string_view public_key) {
  const auto bytes = ParseHex(public_key, kPublicKeyBytes);
  return bytes ? HashHex(*bytes).substr(0, kKeyIdDigits) : std::string();
}

}  // namespace sankofa::crypto
