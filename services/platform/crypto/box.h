#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

// What only one receiver can open: libsodium's sealed box (X25519, XSalsa20-Poly1305). Anybody who knows the receiver's
// public key can make one, so a box says nothing about its sender: who sends signs a hash of it. Sealing the same bytes
// twice gives different boxes.
namespace sankofa::crypto {

// How much longer a box is than what is in it.
inline constexpr std::size_t kBoxOverheadBytes = 48;

// The node's secret key for opening boxes. One that comes from a file is read again within a second after the file
// changed. Thread-safe. Wiped at its end.
class SealingKey {
 public:
  // `file` holds 32 bytes in base64; while the key is being changed, others in further lines, which open too. Refused where
  // others than the owner can read it.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SealingKey>> FromFile(
      const std::string& file);
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SealingKey>> FromSecret(
      std::string_view secret);
  ~SealingKey();
  SealingKey(const SealingKey&) = delete;
  SealingKey& operator=(const SealingKey&) = delete;

  // 64 hex digits: of the first.
  [[nodiscard]] std::string public_key() const;
  // What is in the box. INVALID_ARGUMENT for a box that was made for another key, altered, or is none.
  [[nodiscard]] absl::StatusOr<std::string> Open(std::string_view box) const;

 private:
  struct Keys;
  explicit SealingKey(std::unique_ptr<Keys> keys);
  std::unique_ptr<Keys> keys_;
};

// A box with `bytes` for the holder of `public_key` (64 hex digits). INVALID_ARGUMENT for a key that is none.
[[nodiscard]] absl::StatusOr<std::string> SealFor(std::string_view public_key,
                                                  std::string_view bytes);

// Whether boxes can be made for this key: 64 hex digits, and no point of small order, for which everybody can open
// them.
[[nodiscard]] bool IsSealingKey(std::string_view public_key);

}  // namespace sankofa::crypto
