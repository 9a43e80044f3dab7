#include "services/platform/crypto/sign.h"

#include <sodium.h>

#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "services/platform/crypto/hex.h"
#include "services/platform/crypto/live_file.h"
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

// A secret key and its public half.
struct Pair {
  std::string secret;
  std::string public_key;  // hex

  explicit Pair(std::string_view seed) : secret(crypto_sign_SECRETKEYBYTES, '\0') {
    std::string bytes(crypto_sign_PUBLICKEYBYTES, '\0');
    crypto_sign_seed_keypair(Bytes(bytes), Bytes(secret), Bytes(seed));
    public_key = absl::BytesToHexString(bytes);
  }
  ~Pair() { sodium_memzero(secret.data(), secret.size()); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
};

absl::StatusOr<std::shared_ptr<const Pair>> PairOf(std::string_view seed) {
  status::Check(sodium_init() >= 0, "libsodium can't be initialised");
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return absl::InvalidArgumentError("a signing key's seed has 32 bytes");
  }
  return std::make_shared<const Pair>(seed);
}

absl::StatusOr<std::shared_ptr<const Pair>> ReadPair(const std::string& file) {
  auto seed = ReadKeyFile(file);
  if (!seed.ok()) return seed.status();
  auto pair = PairOf(*seed);
  sodium_memzero(seed->data(), seed->size());
  return pair;
}

std::string SignWith(const Pair& pair, std::string_view label, std::string_view text) {
  const std::string message = Labelled(label, text);
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(Bytes(signature), nullptr, Bytes(message), message.size(),
                       Bytes(pair.secret));
  return signature;
}

}  // namespace

struct Signer::Keys : LiveFile<Pair> {
  using LiveFile<Pair>::LiveFile;
};

Signer::Signer(std::unique_ptr<Keys> keys) : keys_(std::move(keys)) {}
Signer::~Signer() = default;

absl::StatusOr<std::unique_ptr<Signer>> Signer::FromFile(const std::string& file) {
  const FileStamp seen = StampOf(file);
  auto pair = ReadPair(file);
  if (!pair.ok()) return pair.status();
  const auto read = [file](const auto& /*before*/) { return ReadPair(file).value_or(nullptr); };
  return std::unique_ptr<Signer>(
      new Signer(std::make_unique<Keys>(file, seen, *std::move(pair), read)));
}

absl::StatusOr<std::unique_ptr<Signer>> Signer::FromSeed(std::string_view seed) {
  auto pair = PairOf(seed);
  if (!pair.ok()) return pair.status();
  return std::unique_ptr<Signer>(new Signer(std::make_unique<Keys>(*std::move(pair))));
}

std::string Signer::Sign(std::string_view label, std::string_view text) const {
  return SignWith(*keys_->Current(), label, text);
}

Signer::Signed Signer::SignNamed(std::string_view label, std::string_view text) const {
  const auto pair = keys_->Current();
  return {SignWith(*pair, label, text), pair->public_key};
}

std::string Signer::public_key() const { return keys_->Current()->public_key; }

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
