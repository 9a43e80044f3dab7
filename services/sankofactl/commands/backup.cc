#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/backup/v1/backup_reason.pb.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/backup/database.h"
#include "services/sankofactl/backup/manifest.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `backup` and `restore`: a copy of the node's database, with the keys in it as they are wrapped, and a manifest that
// the restore checks. See backup/manifest.h.
namespace sankofa::ctl {
namespace {

namespace v1 = backup::v1;

struct BackupArguments {
  std::string config;
  std::string folder;
};

std::string PathOf(const std::string& folder, std::string_view name) {
  return absl::StrCat(folder, "/", std::string(name));
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return status::Refuse(
        v1::REASON_BACKUP_UNREADABLE,
        {.fields = {}, .metadata = {{"why", absl::StrCat(path, " can't be read")}}});
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Readable for its owner alone.
absl::Status WriteText(const std::string& path, const std::string& text) {
  const int created =
      open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (created >= 0) close(created);
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  return created >= 0 && file.good() ? absl::OkStatus()
                                     : absl::DataLossError(absl::StrCat(path, " can't be written"));
}

// On the disk, with what stands in the folder: a backup that a power cut takes back is none.
absl::Status Sync(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && fsync(file) == 0;
  if (file >= 0) close(file);
  return synced ? absl::OkStatus()
                : absl::DataLossError(absl::StrCat(path, " can't be brought to the disk"));
}

// ---- backup ---------------------------------------------------------------------------------------------------------

absl::StatusOr<v1::BackupManifest> Take(const config::Config& config, const std::string& folder) {
  const auto keys = OpenKeys(config.crypto);
  if (!keys.ok()) return keys.status();
  auto database = NodeDatabase::Open(config.postgres);
  if (!database.ok()) return database.status();
  v1::BackupManifest manifest;
  manifest.set_format(kBackupFormat);
  manifest.set_node(config.node.id);
  manifest.set_version(service::kVersion);
  manifest.set_blind_key_check(BlindKeyCheck(*keys->vault, config.node.id));
  for (const std::string& name : keys->wrapping) manifest.add_master_keys(name);
  const std::string dump = PathOf(folder, kDumpFile);
  if (auto dumped = database->Dump(dump, manifest); !dumped.ok()) return dumped;
  auto measured = Measured(dump, kDumpFile);
  if (!measured.ok()) return measured.status();
  *manifest.mutable_database() = *std::move(measured);
  const auto json = ToJson(manifest);
  if (!json.ok()) return json.status();
  const std::string text = absl::StrCat(json->Pretty(), "\n");
  for (const auto& [name, content] :
       {std::pair(kManifestFile, text),
        std::pair(kSealFile, absl::StrCat(SealOf(*keys->vault, text), "\n"))}) {
    if (auto written = WriteText(PathOf(folder, name), content); !written.ok()) return written;
  }
  for (const auto name : {kDumpFile, kManifestFile, kSealFile}) {
    if (auto synced = Sync(PathOf(folder, name)); !synced.ok()) return synced;
  }
  if (auto synced = Sync(folder); !synced.ok()) return synced;
  return manifest;
}

// Half a backup is none.
void Remove(const std::string& folder) {
  for (const auto name : {kDumpFile, kManifestFile, kSealFile}) {
    std::remove(PathOf(folder, name).c_str());
  }
  rmdir(folder.c_str());
}

void Print(Session& session, const v1::BackupManifest& manifest) {
  if (session.json()) {
    if (const auto json = ToJson(manifest); json.ok()) session.out() << json->Line() << "\n";
    return;
  }
  Table table({"service", "streams", "rows", "migrations"});
  for (const v1::ServiceBackup& service : manifest.services()) {
    table.Add({service.service(), absl::StrCat(service.streams()), absl::StrCat(service.rows()),
               absl::StrCat(service.migrations_size())});
  }
  session.out() << table.ToString() << "Node " << Printable(manifest.node()) << " as it was at "
                << Moment(time::FromTimestamp(manifest.taken_time())) << "; "
                << manifest.database().bytes() << " bytes, hash "
                << Printable(manifest.database().hash()) << "\n";
}

int RunBackup(Session& session, const BackupArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  // Whoever has the backup and the master key has everything.
  if (mkdir(arguments.folder.c_str(), S_IRWXU) != 0) {
    return session.Fail(UsageError(
        errno == EEXIST
            ? absl::StrCat(arguments.folder, " is there already; name a new folder")
            : absl::StrCat("can't make ", arguments.folder, ": ", std::strerror(errno))));
  }
  const auto taken = Take(*config, arguments.folder);
  if (!taken.ok()) {
    Remove(arguments.folder);
    return session.Fail(taken.status());
  }
  Print(session, *taken);
  return kOk;
}

// ---- restore --------------------------------------------------------------------------------------------------------

absl::StatusOr<v1::BackupManifest> Check(const config::Config& config, const std::string& folder) {
  ManifestText text;
  for (const auto& [name, content] :
       {std::pair(kManifestFile, &text.manifest), std::pair(kSealFile, &text.seal)}) {
    auto read = ReadText(PathOf(folder, name));
    if (!read.ok()) return read.status();
    *content = *std::move(read);
  }
  const auto keys = OpenKeys(config.crypto);
  if (!keys.ok()) return keys.status();
  auto manifest = Opened(text, *keys, config.node.id, service::kVersion);
  if (!manifest.ok()) return manifest;
  const auto measured = Measured(PathOf(folder, kDumpFile), kDumpFile);
  if (!measured.ok()) return measured.status();
  if (measured->SerializeAsString() == manifest->database().SerializeAsString()) return manifest;
  return status::Refuse(
      v1::REASON_BACKUP_ALTERED,
      {.fields = {},
       .metadata = {{"why", absl::StrCat(std::string(kDumpFile), " is not what was backed up")}}});
}

int RunRestore(Session& session, const BackupArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  const auto manifest = Check(*config, arguments.folder);
  if (!manifest.ok()) return session.Fail(manifest.status());
  auto database = NodeDatabase::Open(config->postgres);
  if (!database.ok()) return session.Fail(database.status());
  auto restored = database->CheckEmpty();
  if (restored.ok()) {
    restored = database->Restore(PathOf(arguments.folder, kDumpFile), *manifest);
  }
  if (!restored.ok()) return session.Fail(restored);
  Print(session, *manifest);
  if (!session.json()) {
    session.out() << "Restored. What was acknowledged after that time is not in it. Now run: "
                     "sankofa migrate, then start the services.\n";
  }
  return kOk;
}

void AddArguments(CLI::App& command, BackupArguments& arguments, const std::string& folder) {
  command
      .add_option("--config", arguments.config,
                  "The node's configuration (sankofa.yaml), by default that of --node-folder")
      ->check(CLI::ExistingFile);
  command.add_option("folder", arguments.folder, folder)->required();
}

}  // namespace

void AddBackup(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<BackupArguments>();
  auto* taken = app.add_subcommand("backup", "Take a copy of the node's database; it may run");
  AddArguments(*taken, *arguments, "A new folder for it");
  taken->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunBackup(session, *arguments); };
  });
  auto* restored = app.add_subcommand("restore", "Put a backup into an empty database");
  AddArguments(*restored, *arguments, "The folder that `backup` made");
  restored->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunRestore(session, *arguments); };
  });
}

}  // namespace sankofa::ctl
