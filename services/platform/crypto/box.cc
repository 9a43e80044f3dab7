#include "services/platform/crypto/box.h"

#include <sodium.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/crypto/hex.h"
#include "services/platform/crypto/live_file.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/status/check.h"

namespace sankofa::crypto {
namespace {

static_assert(kBoxOverheadBytes == crypto_box_SEALBYTES);

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

void Init() { status::Check(sodium_init() >= 0, "libsodium can't be initialised"); }

// The keys of a file; the first is the node's, the others open too.
struct Ring {
  struct One {
    std::string secret;
    std::string public_key;
  };
  std::vector<One> keys;

  Ring() = default;
  ~Ring() {
    for (One& one : keys) sodium_memzero(one.secret.data(), one.secret.size());
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  void Add(std::string_view secret) {
    One one{std::string(secret), std::string(crypto_box_PUBLICKEYBYTES, '\0')};
    crypto_scalarmult_base(Bytes(one.public_key), Bytes(one.secret));
    keys.push_back(std::move(one));
  }
};

absl::StatusOr<std::shared_ptr<const Ring>> ReadRing(const std::string& file) {
  auto text = ReadSecretText(file);
  if (!text.ok()) return text.status();
  auto ring = std::make_shared<Ring>();
  for (const auto line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    auto secret = ParseKey({line.data(), line.size()});
    if (!secret.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(file, " does not hold 32 bytes in base64, or several such lines"));
    }
    ring->Add(*secret);
    sodium_memzero(secret->data(), secret->size());
  }
  sodium_memzero(text->data(), text->size());
  if (ring->keys.empty()) return absl::FailedPreconditionError(absl::StrCat(file, " holds no key"));
  return ring;
}

}  // namespace

struct SealingKey::Keys : LiveFile<Ring> {
  using LiveFile<Ring>::LiveFile;
};

SealingKey::SealingKey(std::unique_ptr<Keys> keys) : keys_(std::move(keys)) {}
SealingKey::~SealingKey() = default;

absl::StatusOr<std::unique_ptr<SealingKey>> SealingKey::FromFile(const std::string& file) {
  Init();
  const FileStamp seen = StampOf(file);
  auto ring = ReadRing(file);
  if (!ring.ok()) return ring.status();
  const auto read = [file](const auto& /*before*/) { return ReadRing(file).value_or(nullptr); };
  return std::unique_ptr<SealingKey>(
      new SealingKey(std::make_unique<Keys>(file, seen, *std::move(ring), read)));
}

absl::StatusOr<std::unique_ptr<SealingKey>> SealingKey::FromSecret(std::string_view secret) {
  Init();
  if (secret.size() != crypto_box_SECRETKEYBYTES) {
    return absl::InvalidArgumentError("a sealing key has 32 bytes");
  }
  auto ring = std::make_shared<Ring>();
  ring->Add(secret);
  return std::unique_ptr<SealingKey>(new SealingKey(std::make_unique<Keys>(std::move(ring))));
}

std::string SealingKey::public_key() const {
  return absl::BytesToHexString(keys_->Current()->keys.front().public_key);
}

absl::StatusOr<std::string> SealingKey::Open(std::string_view box) const {
  if (box.size() < crypto_box_SEALBYTES) return absl::InvalidArgumentError("not a sealed box");
  std::string bytes(box.size() - crypto_box_SEALBYTES, '\0');
  const auto opens = [&](const Ring::One& one) {
    return crypto_box_seal_open(Bytes(bytes), Bytes(box), box.size(), Bytes(one.public_key),
                                Bytes(one.secret)) == 0;
  };
  // A partner may have sealed for a key that came into the file this moment.
  for (const bool look_now : {false, true}) {
    const auto ring = keys_->Current(look_now);
    if (std::any_of(ring->keys.begin(), ring->keys.end(), opens)) return bytes;
  }
  return absl::InvalidArgumentError("the sealed box was altered or made for another key");
}

absl::StatusOr<std::string> SealFor(std::string_view public_key, std::string_view bytes) {
  Init();
  const auto key = ParseHex(public_key, crypto_box_PUBLICKEYBYTES);
  std::string box(bytes.size() + crypto_box_SEALBYTES, '\0');
  if (!key || crypto_box_seal(Bytes(box), Bytes(bytes), bytes.size(), Bytes(*key)) != 0) {
    return absl::InvalidArgumentError("a sealing key is a point of X25519 as 64 hex digits");
  }
  return box;
}

bool IsSealingKey(std::string_view public_key) {
  Init();
  const auto key = ParseHex(public_key, crypto_box_PUBLICKEYBYTES);
  if (!key) return false;
  // Any scalar will do: it is cleared of the cofactor, so that a point of small order comes out as zero.
  std::string scalar(crypto_scalarmult_SCALARBYTES, '\x01');
  std::string shared(crypto_scalarmult_BYTES, '\0');
  return crypto_scalarmult(Bytes(shared), Bytes(scalar), Bytes(*key)) == 0;
}

}  // namespace sankofa::crypto
