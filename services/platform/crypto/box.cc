#include "services/platform/crypto/box.h"

#include <sodium.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/crypto/hex.h"
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

}  // namespace

absl::StatusOr<std::unique_ptr<SealingKey>> SealingKey::FromFile(const std::string& file) {
  auto text = ReadSecretText(file);
  if (!text.ok()) return text.status();
  std::unique_ptr<SealingKey> key;
  for (const auto line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    auto secret = ParseKey({line.data(), line.size()});
    if (!secret.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(file, " does not hold 32 bytes in base64, or several such lines"));
    }
    if (key == nullptr) {
      auto first = FromSecret(*secret);
      if (!first.ok()) return first.status();
      key = *std::move(first);
    } else {
      key->secret_key_.append(*secret);
    }
    sodium_memzero(secret->data(), secret->size());
  }
  sodium_memzero(text->data(), text->size());
  if (key == nullptr) return absl::FailedPreconditionError(absl::StrCat(file, " holds no key"));
  return key;
}

absl::StatusOr<std::unique_ptr<SealingKey>> SealingKey::FromSecret(std::string_view secret) {
  Init();
  if (secret.size() != crypto_box_SECRETKEYBYTES) {
    return absl::InvalidArgumentError("a sealing key has 32 bytes");
  }
  std::unique_ptr<SealingKey> key(new SealingKey());
  key->secret_key_ = std::string(secret);
  std::string public_key(crypto_box_PUBLICKEYBYTES, '\0');
  crypto_scalarmult_base(Bytes(public_key), Bytes(key->secret_key_));
  key->public_key_ = absl::BytesToHexString(public_key);
  return key;
}

SealingKey::~SealingKey() { sodium_memzero(secret_key_.data(), secret_key_.size()); }

absl::StatusOr<std::string> SealingKey::Open(std::string_view box) const {
  if (box.size() < crypto_box_SEALBYTES) return absl::InvalidArgumentError("not a sealed box");
  std::string bytes(box.size() - crypto_box_SEALBYTES, '\0');
  for (std::size_t at = 0; at < secret_key_.size(); at += crypto_box_SECRETKEYBYTES) {
    const unsigned char* secret = Bytes(secret_key_) + at;
    std::array<unsigned char, crypto_box_PUBLICKEYBYTES> public_key{};
    crypto_scalarmult_base(public_key.data(), secret);
    if (crypto_box_seal_open(Bytes(bytes), Bytes(box), box.size(), public_key.data(), secret) ==
        0) {
      return bytes;
    }
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
