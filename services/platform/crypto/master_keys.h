#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// What a file with the node's master key holds. At first one key, 32 bytes in base64, and nothing else. While the key is
// being changed, and after it was, the file has several lines:
//
//     master  <base64>     wraps the keys of subjects from now on
//     next    <base64>     opens too: will wrap when every process knows it
//     earlier <base64>     opens too: wrapped before, and some of it is still there
//     blind   <base64>     keys the blind index
//
// The blind index key is derived from the first master key that the node ever had and stays: names that are searched, and
// the names of claims, are hashes made with it.
namespace sankofa::crypto {

struct MasterKeys {
  std::string master;  // 32 bytes
  std::optional<std::string> next;
  std::vector<std::string> earlier;
  std::string blind;  // 32 bytes; empty: derived from `master`
  MasterKeys() = default;
  MasterKeys(const MasterKeys&) = default;
  MasterKeys(MasterKeys&&) = default;
  MasterKeys& operator=(const MasterKeys&) = default;
  MasterKeys& operator=(MasterKeys&&) = default;
  ~MasterKeys();  // wipes
};

// FAILED_PRECONDITION for a text that is none; says in which line, and never what is in it.
[[nodiscard]] absl::StatusOr<MasterKeys> ParseMasterKeys(std::string_view text);
// Refused where others than the owner can read the file.
[[nodiscard]] absl::StatusOr<MasterKeys> ReadMasterKeys(const std::string& file);
[[nodiscard]] std::string FormatMasterKeys(const MasterKeys& keys);
// The file as a whole, or as it was: written beside it, brought to the disk, and renamed. Mode 0600, and the owner that
// the file had.
[[nodiscard]] absl::Status WriteMasterKeys(const std::string& file, const MasterKeys& keys);

// A name by which people and programs can speak of a key: 8 hex digits that tell nothing about it.
[[nodiscard]] std::string KeyName(std::string_view key);
// Of the one that wraps, then of the others.
[[nodiscard]] std::vector<std::string> KeyNames(const MasterKeys& keys);

// The key of the blind index, derived where the file has none.
[[nodiscard]] std::string BlindKeyOf(const MasterKeys& keys);

// ---- Changing the master key ----------------------------------------------------------------------------------------
// Three small changes of the file; between them, all processes have to have read it. Each can be made again.

// 1. A fresh key is known, and nothing is wrapped with it.
[[nodiscard]] MasterKeys Prepared(MasterKeys keys, std::string fresh);
// 2. It wraps; the one before still opens.
[[nodiscard]] MasterKeys Promoted(MasterKeys keys);
// 3. Nothing is left that earlier ones wrapped: they are gone.
[[nodiscard]] MasterKeys Finished(MasterKeys keys);

}  // namespace sankofa::crypto
