#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sankofa/backup/v1/backup.pb.h"
#include "services/platform/config/config.h"
#include "services/platform/crypto/vault.h"

// A backup is a folder of three files:
//
//   database.dump   the whole database as PostgreSQL's pg_dump writes it, with the wrapped keys of all subjects
//   manifest.json   what the backup says of itself (sankofa/backup/v1/backup.proto)
//   manifest.seal   a hash over manifest.json, keyed with the node's master key
//
// The manifest holds the hash of the dump and the seal covers the manifest, so no bit of a backup can be changed
// unnoticed by who lacks the master key. The master key itself is in no backup.
namespace sankofa::ctl {

inline constexpr int kBackupFormat = 1;
inline constexpr std::string_view kDumpFile = "database.dump";
inline constexpr std::string_view kManifestFile = "manifest.json";
inline constexpr std::string_view kSealFile = "manifest.seal";

// The keys of a node that a backup is of, or that is to be restored.
struct NodeKeys {
  std::unique_ptr<crypto::Vault> vault;
  std::vector<std::string> wrapping;  // names of those that wrap subjects' keys
  std::vector<std::string> opening;   // names of all that can unwrap them
};
// From the settings: the file, or the variable.
[[nodiscard]] absl::StatusOr<NodeKeys> OpenKeys(const config::Crypto& crypto);

// By which the key of the blind index is known again. It outlives a change of the master key, whose names stand in the
// manifest beside it.
[[nodiscard]] std::string BlindKeyCheck(const crypto::Vault& vault, const std::string& node);
// The seal over the manifest's text.
[[nodiscard]] std::string SealOf(const crypto::Vault& vault, std::string_view manifest);

// A manifest that may be believed, or the refusal: BACKUP_UNREADABLE, MASTER_KEY_WRONG, BACKUP_ALTERED,
// BACKUP_OF_ANOTHER_NODE or BACKUP_NEWER, in this order. `node` and `version`: of who is to restore it.
struct ManifestText {
  std::string manifest;
  std::string seal;
};
[[nodiscard]] absl::StatusOr<backup::v1::BackupManifest> Opened(const ManifestText& text,
                                                                const NodeKeys& keys,
                                                                const std::string& node,
                                                                const std::string& version);

// Size and hash of a file; `path` is read once.
[[nodiscard]] absl::StatusOr<backup::v1::BackupFile> Measured(const std::string& path,
                                                              std::string_view name);

// Whether version `a` ("0.1.0") is later than `b`.
[[nodiscard]] bool IsLater(std::string_view a, std::string_view b);

}  // namespace sankofa::ctl
