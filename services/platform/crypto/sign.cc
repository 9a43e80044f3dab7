#include "services/platform/crypto/sign.h"

#include <sodium.h>

#include "absl/strings/escaping.h"
#include "services/platform/crypto/hex.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/status/check.h"

namespace sankofa::crypto {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string Labelled(std::string_view label, std::string_view text) {
  std::string both(label);
  both.push_back('\0');
  both.append(text);
  return both;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Signer>> Signer::FromFile(const std::string& file) {
  auto seed = ReadKeyFile(file);
  if (!seed.ok()) return seed.status();
  auto signer = FromSeed(*seed);
  sodium_memzero(seed->data(), seed->size());
  return signer;
}

absl::StatusOr<std::unique_ptr<Signer>> Signer::FromSeed(std::string_view seed) {
  status::Check(sodium_init() >= 0, "libsodium can't be initialised");
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return absl::InvalidArgumentError("a signing key's seed has 32 bytes");
  }
  std::unique_ptr<Signer> signer(new Signer());
  std::string public_key(crypto_sign_PUBLICKEYBYTES, '\0');
  signer->secret_key_.resize(crypto_sign_SECRETKEYBYTES);
  crypto_sign_seed_keypair(Bytes(public_key), Bytes(signer->secret_key_), Bytes(seed));
  signer->public_key_ = absl::BytesToHexString(public_key);
  return signer;
}

Signer::~Signer() { sodium_memzero(secret_key_.data(), secret_key_.size()); }

std::string Signer::Sign(std::string_view label, std::string_view text) const {
  const std::string message = Labelled(label, text);
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(Bytes(signature), nullptr, Bytes(message), message.size(),
                       Bytes(secret_key_));
  return signature;
}

bool Verifies(std::string_view public_key, std::string_view label, std::string_view text,
              std::string_view signature) {
  const auto key = ParseHex(public_key, crypto_sign_PUBLICKEYBYTES);
  if (!key || signature.size() != crypto_sign_BYTES) return false;
  const std::string message = Labelled(label, text);
  return crypto_sign_verify_detached(Bytes(signature), Bytes(message), message.size(),
                                     Bytes(*key)) == 0;
}

bool IsVerificationKey(std::string_view public_key) {
  const auto key = ParseHex(public_key, crypto_sign_PUBLICKEYBYTES);
  return key && crypto_core_ed25519_is_valid_point(Bytes(*key)) == 1;
}

}  // namespace sankofa::crypto
