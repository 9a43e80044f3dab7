#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

// Personal and sensitive fields are stored and published only sealed. Which fields those are stands beside them in the
// proto (option `visibility`); whose key seals them is the field marked `subject`; where the cipher text goes is the
// message's field of type sankofa.common.v1.Sealed. Every subject (a person, a case) has a key of its own, wrapped by
// the node's master key, which is outside the database. To erase is to destroy the subject's key.
namespace sankofa::crypto {

// 32 random bytes that seal one subject's fields. Wiped when it goes out of scope; can't be copied by accident.
class DataKey {
 public:
  explicit DataKey(std::string bytes) : bytes_(std::move(bytes)) {}
  DataKey(DataKey&&) noexcept = default;
  DataKey& operator=(DataKey&&) noexcept = default;
  DataKey(const DataKey&) = delete;
  DataKey& operator=(const DataKey&) = delete;
  ~DataKey();
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// True where the message type, or one inside it, has a PERSONAL or SENSITIVE field. Cached per type.
[[nodiscard]] bool HasPersonalFields(const google::protobuf::Descriptor& type);

// The value of the field marked `subject`; empty where the type has none.
[[nodiscard]] std::string SubjectOf(const google::protobuf::Message& message);

// Moves the personal fields of `message` into its Sealed field. A message without personal fields set is left as it is.
[[nodiscard]] absl::Status Seal(google::protobuf::Message& message, const DataKey& key);

// The inverse: merges the sealed fields back and clears the Sealed field. FAILED_PRECONDITION for a wrong key.
[[nodiscard]] absl::Status Unseal(google::protobuf::Message& message, const DataKey& key);

// Clears personal, sensitive and sealed fields, also in messages inside.
void Redact(google::protobuf::Message& message);

// A bound that the platform keeps on message types, checked at start: personal fields need a subject and a Sealed
// field in the outermost message, and a list is sealed as a whole or not at all. Returns what is wrong.
[[nodiscard]] absl::Status CheckSealable(const google::protobuf::Descriptor& type);

// The node's master key: wraps data keys and keys the blind index. Thread-safe.
class Vault {
 public:
  // `file` holds 32 bytes in base64. Refused where others than the owner can read it.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Vault>> FromFile(const std::string& file);
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Vault>> FromBase64(std::string_view text);
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Vault>> FromBytes(std::string_view key);
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  [[nodiscard]] DataKey NewDataKey() const;
  // Wraps `key` for storage beside `subject_id`, to which it is bound.
  [[nodiscard]] std::string Wrap(std::string_view subject_id, const DataKey& key) const;
  [[nodiscard]] absl::StatusOr<DataKey> Unwrap(std::string_view subject_id,
                                               std::string_view wrapped) const;
  // Keyed hash for equality search, 64 hex digits. `label` separates uses.
  [[nodiscard]] std::string Blind(std::string_view label, std::string_view text) const;

 private:
  explicit Vault(std::string_view key);
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace sankofa::crypto
