#include "services/sankofactl/backup/manifest.h"

#include <sodium.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sankofa/backup/v1/backup_reason.pb.h"
#include "services/platform/crypto/master_keys.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/json.h"

namespace sankofa::ctl {
namespace {

namespace v1 = backup::v1;

constexpr std::string_view kKeyLabel = "sankofa.backup.key.v1";
constexpr std::string_view kSealLabel = "sankofa.backup.seal.v1";
constexpr std::size_t kBlock = 1 << 20;

std::vector<int> Numbers(std::string_view version) {
  std::vector<int> numbers;
  for (const auto part : absl::StrSplit(status::Absl(version), '.')) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number)) break;
    numbers.push_back(number);
  }
  return numbers;
}

absl::Status Refused(v1::Reason reason, const std::string& why) {
  return status::Refuse(reason, {.fields = {}, .metadata = {{"why", why}}});
}

}  // namespace

absl::StatusOr<NodeKeys> OpenKeys(const config::Crypto& crypto) {
  const bool from_file = crypto.master_key.empty();
  const auto master = from_file ? crypto::ReadMasterKeys(crypto.master_key_file)
                                : crypto::ParseMasterKeys(crypto.master_key);
  if (!master.ok()) return master.status();
  auto vault = from_file ? crypto::Vault::FromFile(crypto.master_key_file)
                         : crypto::Vault::FromBase64(crypto.master_key);
  if (!vault.ok()) return vault.status();
  NodeKeys keys{.vault = *std::move(vault), .wrapping = {}, .opening = {}};
  keys.opening = crypto::KeyNames(*master);
  keys.wrapping.push_back(crypto::KeyName(master->master));
  for (const std::string& earlier : master->earlier) {
    keys.wrapping.push_back(crypto::KeyName(earlier));
  }
  return keys;
}

std::string BlindKeyCheck(const crypto::Vault& vault, const std::string& node) {
  return vault.Blind(kKeyLabel, node);
}

std::string SealOf(const crypto::Vault& vault, std::string_view manifest) {
  return vault.Blind(kSealLabel, manifest);
}

absl::StatusOr<v1::BackupManifest> Opened(const ManifestText& text, const NodeKeys& keys,
                                          const std::string& node, const std::string& version) {
  v1::BackupManifest manifest;
  if (auto read = FromJson(text.manifest, manifest); !read.ok()) {
    return Refused(v1::REASON_BACKUP_UNREADABLE, std::string(read.message()));
  }
  if (manifest.format() != kBackupFormat || manifest.node().empty()) {
    return Refused(v1::REASON_BACKUP_UNREADABLE, absl::StrCat("its format is ", manifest.format()));
  }
  const bool opens = std::all_of(
      manifest.master_keys().begin(), manifest.master_keys().end(), [&](const auto& name) {
        return std::find(keys.opening.begin(), keys.opening.end(), name) != keys.opening.end();
      });
  if (!opens || BlindKeyCheck(*keys.vault, manifest.node()) != manifest.blind_key_check()) {
    return status::Refuse(v1::REASON_MASTER_KEY_WRONG);
  }
  std::string seal = text.seal;
  absl::StripAsciiWhitespace(&seal);
  if (SealOf(*keys.vault, text.manifest) != seal) {
    return Refused(v1::REASON_BACKUP_ALTERED,
                   absl::StrCat(std::string(kManifestFile), " is not what was sealed"));
  }
  if (manifest.node() != node) {
    return Refused(v1::REASON_BACKUP_OF_ANOTHER_NODE,
                   absl::StrCat("it is of ", manifest.node(), ", this is ", node));
  }
  if (IsLater(manifest.version(), version)) {
    return Refused(v1::REASON_BACKUP_NEWER,
                   absl::StrCat("it is of version ", manifest.version(), ", this is ", version));
  }
  return manifest;
}

absl::StatusOr<v1::BackupFile> Measured(const std::string& path, std::string_view name) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Refused(v1::REASON_BACKUP_ALTERED, absl::StrCat(path, " can't be read"));
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, crypto_generichash_BYTES);
  std::vector<char> block(kBlock);
  v1::BackupFile measured;
  measured.set_name(std::string(name));
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto got = static_cast<std::uint64_t>(file.gcount());
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(block.data()),
                              got);  // NOLINT
    measured.set_bytes(measured.bytes() + static_cast<std::int64_t>(got));
  }
  if (file.bad()) return Refused(v1::REASON_BACKUP_ALTERED, absl::StrCat(path, " can't be read"));
  std::string hash(crypto_generichash_BYTES, '\0');
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()),  // NOLINT
                           hash.size());
  measured.set_hash(absl::BytesToHexString(hash));
  return measured;
}

bool IsLater(std::string_view a, std::string_view b) {
  const std::vector<int> first = Numbers(a);
  const std::vector<int> second = Numbers(b);
  return std::lexicographical_compare(second.begin(), second.end(), first.begin(), first.end());
}

}  // namespace sankofa::ctl
