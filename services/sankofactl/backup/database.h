#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sankofa/backup/v1/backup.pb.h"
#include "services/platform/config/config.h"
#include "services/platform/postgres/connection.h"

// The database that is backed up or restored, as the role that runs migrations (`postgres.admin`): it is a member of
// each service's role. PostgreSQL's own programs do the work.
namespace sankofa::ctl {

class NodeDatabase {
 public:
  [[nodiscard]] static absl::StatusOr<NodeDatabase> Open(const config::Postgres& postgres);

  // Takes the copy: `pg_dump` of everything into `path`, and what is in it, both from one snapshot.
  [[nodiscard]] absl::Status Dump(const std::string& path, backup::v1::BackupManifest& manifest);

  // NODE_NOT_EMPTY where there is a table.
  [[nodiscard]] absl::Status CheckEmpty();
  // The roles that own what is in the copy, where they are missing; then `pg_restore`, in one transaction. What then is
  // there has to be what the manifest says: RESTORED_DIFFERS.
  [[nodiscard]] absl::Status Restore(const std::string& path,
                                     const backup::v1::BackupManifest& manifest);

 private:
  NodeDatabase(std::string password, postgres::ConnectOptions options,
               std::unique_ptr<postgres::Connection> connection)
      : password_(std::move(password)),
        options_(std::move(options)),
        connection_(std::move(connection)) {}

  [[nodiscard]] absl::Status Run(std::vector<std::string> command) const;
  // What the database holds of each service.
  [[nodiscard]] absl::Status TakeStock(backup::v1::BackupManifest& manifest);

  std::string password_;
  postgres::ConnectOptions options_;
  std::unique_ptr<postgres::Connection> connection_;
};

}  // namespace sankofa::ctl
