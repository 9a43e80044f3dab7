#include "services/platform/crypto/vault.h"

#include <sodium.h>

#include <array>

#include "absl/strings/escaping.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

namespace sankofa::crypto {
namespace {

using status::Absl;

constexpr size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// A key of its own for each use of the master key, so that one use tells nothing about another.
std::array<unsigned char, kKeyBytes> Derive(std::string_view master, std::string_view use) {
  std::array<unsigned char, kKeyBytes> key{};
  crypto_generichash(key.data(), key.size(), Bytes(use), use.size(), Bytes(master), master.size());
  return key;
}

}  // namespace

DataKey::~DataKey() {
  if (!bytes_.empty()) sodium_memzero(bytes_.data(), bytes_.size());
}

struct Vault::Keys {
  std::array<unsigned char, kKeyBytes> wrap;
  std::array<unsigned char, kKeyBytes> blind;
};

Vault::Vault(std::string_view key)
    : keys_(std::make_unique<Keys>(
          Keys{Derive(key, "sankofa wrap v1"), Derive(key, "sankofa blind index v1")})) {}

Vault::~Vault() { sodium_memzero(keys_.get(), sizeof(Keys)); }

absl::StatusOr<std::unique_ptr<Vault>> Vault::FromFile(const std::string& file) {
  auto key = ReadKeyFile(file);
  if (!key.ok()) return key.status();
  auto vault = FromBytes(*key);
  sodium_memzero(key->data(), key->size());
  return vault;
}

absl::StatusOr<std::unique_ptr<Vault>> Vault::FromBase64(std::string_view text) {
  auto key = ParseKey(text);
  if (!key.ok()) return key.status();
  auto vault = FromBytes(*key);
  sodium_memzero(key->data(), key->size());
  return vault;
}

absl::StatusOr<std::unique_ptr<Vault>> Vault::FromBytes(std::string_view key) {
  status::Check(sodium_init() >= 0, "libsodium can't be initialised");
  if (key.size() != kKeyBytes) {
    return absl::InvalidArgumentError("a master key has 32 bytes");
  }
  return std::unique_ptr<Vault>(new Vault(key));
}

DataKey Vault::NewDataKey() const {
  std::string key(kKeyBytes, '\0');
  randombytes_buf(key.data(), key.size());
  return DataKey(std::move(key));
}

std::string Vault::Wrap(std::string_view subject_id, const DataKey& key) const {
  std::string wrapped(kNonceBytes + kKeyBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  randombytes_buf(wrapped.data(), kNonceBytes);
  unsigned long long length = 0;  // NOLINT(google-runtime-int): libsodium's type
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      Bytes(wrapped) + kNonceBytes, &length, Bytes(key.bytes()), key.bytes().size(),
      Bytes(subject_id), subject_id.size(), nullptr, Bytes(wrapped), keys_->wrap.data());
  return wrapped;
}

absl::StatusOr<DataKey> Vault::Unwrap(std::string_view subject_id, std::string_view wrapped) const {
  if (wrapped.size() <= kNonceBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES) {
    return absl::FailedPreconditionError("a wrapped key is too short");
  }
  std::string key(wrapped.size() - kNonceBytes - crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  unsigned long long length = 0;  // NOLINT(google-runtime-int): libsodium's type
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      Bytes(key), &length, nullptr, Bytes(wrapped) + kNonceBytes, wrapped.size() - kNonceBytes,
      Bytes(subject_id), subject_id.size(), Bytes(wrapped), keys_->wrap.data());
  if (failed != 0) {
    return absl::FailedPreconditionError(
        "a subject's key does not open with this node's master key: was the master key changed?");
  }
  return DataKey(std::move(key));
}

std::string Vault::Blind(std::string_view label, std::string_view text) const {
  std::string input(label);
  input.push_back('\0');
  input.append(text);
  std::string hash(crypto_generichash_BYTES, '\0');
  crypto_generichash(Bytes(hash), hash.size(), Bytes(input), input.size(), keys_->blind.data(),
                     keys_->blind.size());
  return absl::BytesToHexString(hash);
}

}  // namespace sankofa::crypto
