#include "services/platform/crypto/hash.h"

#include <sodium.h>

#include "absl/strings/escaping.h"

namespace sankofa::crypto {

std::string HashHex(std::string_view bytes) {
  std::string hash(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return absl::BytesToHexString(hash);
}

}  // namespace sankofa::crypto
