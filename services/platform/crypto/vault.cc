#include "services/platform/crypto/vault.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "services/platform/crypto/live_file.h"
#include "services/platform/crypto/master_keys.h"
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

namespace {

using KeyBytes = std::array<unsigned char, kKeyBytes>;

// The keys that are in use at one moment.
struct Ring {
  std::vector<KeyBytes> wrap;  // the first wraps, all open
  KeyBytes blind{};

  explicit Ring(const MasterKeys& keys) {
    wrap.push_back(Derive(keys.master, "sankofa wrap v1"));
    if (keys.next) wrap.push_back(Derive(*keys.next, "sankofa wrap v1"));
    for (const std::string& key : keys.earlier) wrap.push_back(Derive(key, "sankofa wrap v1"));
    std::string blind_key = BlindKeyOf(keys);
    std::copy_n(Bytes(blind_key), kKeyBytes, blind.begin());
    sodium_memzero(blind_key.data(), blind_key.size());
  }
  ~Ring() {
    sodium_memzero(wrap.data(), wrap.size() * kKeyBytes);
    sodium_memzero(blind.data(), blind.size());
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
};

// A file that would make the index of names worthless is not for this node.
std::shared_ptr<const Ring> ReadRing(const std::string& file,
                                     const std::shared_ptr<const Ring>& before) {
  const auto keys = ReadMasterKeys(file);
  if (!keys.ok()) return nullptr;
  auto fresh = std::make_shared<const Ring>(*keys);
  return fresh->blind == before->blind ? fresh : nullptr;
}

}  // namespace

struct Vault::Keys {
  explicit Keys(const MasterKeys& keys) : live(std::make_shared<const Ring>(keys)) {}
  Keys(const MasterKeys& keys, const std::string& file, const FileStamp& seen)
      : live(file, seen, std::make_shared<const Ring>(keys),
             [file](const auto& before) { return ReadRing(file, before); }) {}

  LiveFile<Ring> live;
};

Vault::Vault(std::string_view key) {
  MasterKeys keys;
  keys.master = std::string(key);
  keys_ = std::make_unique<Keys>(keys);
}

Vault::~Vault() = default;

absl::StatusOr<std::unique_ptr<Vault>> Vault::FromFile(const std::string& file) {
  const FileStamp seen = StampOf(file);
  const auto keys = ReadMasterKeys(file);
  if (!keys.ok()) return keys.status();
  auto vault = FromBytes(keys->master);
  if (vault.ok()) (*vault)->keys_ = std::make_unique<Keys>(*keys, file, seen);
  return vault;
}

absl::StatusOr<std::unique_ptr<Vault>> Vault::FromBase64(std::string_view text) {
  const auto keys = ParseMasterKeys(text);
  if (!keys.ok()) return keys.status();
  auto vault = FromBytes(keys->master);
  if (vault.ok()) (*vault)->keys_ = std::make_unique<Keys>(*keys);
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
      Bytes(subject_id), subject_id.size(), nullptr, Bytes(wrapped),
      keys_->live.Current()->wrap.front().data());
  return wrapped;
}

namespace {

// Opens with the first key that fits; what was tried with others is random bytes and is given to nobody.
bool OpenWith(const Ring& ring, std::string_view subject_id, std::string_view wrapped,
              std::string& key) {
  return std::any_of(ring.wrap.begin(), ring.wrap.end(), [&](const KeyBytes& wrap) {
    unsigned long long length = 0;  // NOLINT(google-runtime-int): libsodium's type
    return crypto_aead_xchacha20poly1305_ietf_decrypt(
               Bytes(key), &length, nullptr, Bytes(wrapped) + kNonceBytes,
               wrapped.size() - kNonceBytes, Bytes(subject_id), subject_id.size(), Bytes(wrapped),
               wrap.data()) == 0;
  });
}

}  // namespace

absl::StatusOr<DataKey> Vault::Unwrap(std::string_view subject_id, std::string_view wrapped) const {
  if (wrapped.size() <= kNonceBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES) {
    return absl::FailedPreconditionError("a wrapped key is too short");
  }
  std::string key(wrapped.size() - kNonceBytes - crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  // Another process may have wrapped it with a key that came into the file this moment.
  if (!OpenWith(*keys_->live.Current(), subject_id, wrapped, key) &&
      !OpenWith(*keys_->live.Current(/*look_now=*/true), subject_id, wrapped, key)) {
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
  const auto ring = keys_->live.Current();
  crypto_generichash(Bytes(hash), hash.size(), Bytes(input), input.size(), ring->blind.data(),
                     ring->blind.size());
  return absl::BytesToHexString(hash);
}

}  // namespace sankofa::crypto
