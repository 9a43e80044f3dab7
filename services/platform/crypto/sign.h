#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// What leaves a node, or must stand as evidence, is signed by it: Ed25519. The signature covers a label too, so that
// one made for minutes can't be passed off as one made for something else.
namespace sankofa::crypto {

// The node's signing key. Deterministic: the same text has the same signature. One that comes from a file is read again
// within a second after the file changed. Thread-safe.
class Signer {
 public:
  // `file` holds a seed of 32 bytes in base64. Refused where others than the owner can read it.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Signer>> FromFile(const std::string& file);
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Signer>> FromSeed(std::string_view seed);
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  // 64 bytes over `label`, a zero byte and `text`.
  [[nodiscard]] std::string Sign(std::string_view label, std::string_view text) const;
  // The same, with the key that made it: the next call may have another.
  struct Signed {
    std::string signature;
    std::string public_key;  // 64 hex digits
  };
  [[nodiscard]] Signed SignNamed(std::string_view label, std::string_view text) const;
  // 64 hex digits: of the key that signs now.
  [[nodiscard]] std::string public_key() const;

 private:
  struct Keys;
  explicit Signer(std::unique_ptr<Keys> keys);
  std::unique_ptr<Keys> keys_;
};

// Whether `signature` was made over `label` and `text` with the secret half of `public_key` (hex). False for anything
// malformed.
[[nodiscard]] bool Verifies(std::string_view public_key, std::string_view label,
                            std::string_view text, std::string_view signature);

// Whether signatures can be verified with this key: 64 hex digits that are a point of the curve's main group. For other
// points, signatures can be made without any secret.
[[nodiscard]] bool IsVerificationKey(std::string_view public_key);

}  // namespace sankofa::crypto
