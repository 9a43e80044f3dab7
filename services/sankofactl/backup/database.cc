#include "services/sankofactl/backup/database.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/backup/v1/backup_reason.pb.h"
#include "services/platform/crypto/secret_file.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/backup/program.h"

namespace sankofa::ctl {
namespace {

namespace v1 = backup::v1;
using postgres::QuoteIdentifier;

// A large node is copied in hours.
constexpr absl::Duration kPatience = absl::Hours(24);

// A service's schema is one that has a journal.
constexpr char kServicesSql[] =
    "select n.nspname from pg_namespace n join pg_class c on c.relnamespace = n.oid "
    "where c.relname = 'journal' and c.relkind = 'p' order by 1";
constexpr char kTablesSql[] =
    "select count(*), coalesce(min(n.nspname || '.' || c.relname), '') from pg_class c "
    "join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') "
    "and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'";

std::string StockSql(const std::string& service) {
  const std::string schema = QuoteIdentifier(service);
  return absl::StrCat(
      "select (select count(*) from ", schema, ".aggregate), (select count(*) from ", schema,
      ".journal), (select coalesce(max(position), 0) from ", schema,
      ".journal), (select encode(sha256(coalesce(string_agg(sha256(convert_to(type || '/' || id || "
      "'#' || version, 'UTF8') || last_hash), ''::bytea order by type, id), ''::bytea)), 'hex') "
      "from ",
      schema, ".aggregate)");
}

}  // namespace

absl::StatusOr<NodeDatabase> NodeDatabase::Open(const config::Postgres& postgres) {
  auto password = crypto::ReadSecretText(postgres.admin.password_file);
  if (!password.ok()) return password.status();
  postgres::ConnectOptions options;
  options.host = postgres.host;
  options.port = postgres.port;
  options.database = postgres.database;
  options.user = postgres.admin.user;
  options.password = *password;
  options.application_name = "sankofactl";
  options.call_timeout = kPatience;
  options.statement_timeout = absl::ZeroDuration();
  options.idle_in_transaction_timeout = absl::ZeroDuration();
  auto connection = postgres::Connection::Open(options);
  if (!connection.ok()) return connection.status();
  return NodeDatabase(*std::move(password), std::move(options), *std::move(connection));
}

absl::Status NodeDatabase::Run(std::vector<std::string> command) const {
  for (std::string word :
       {absl::StrCat("--host=", options_.host), absl::StrCat("--port=", options_.port),
        absl::StrCat("--username=", options_.user), absl::StrCat("--dbname=", options_.database),
        std::string("--no-password")}) {
    command.insert(command.begin() + 1, std::move(word));
  }
  return RunProgram(command, {{"PGPASSWORD", password_}, {"PGAPPNAME", "sankofactl"}});
}

absl::Status NodeDatabase::TakeStock(v1::BackupManifest& manifest) {
  const auto services = connection_->Execute(kServicesSql);
  if (!services.ok()) return services.status();
  for (int row = 0; row < services->rows(); ++row) {
    v1::ServiceBackup& service = *manifest.add_services();
    service.set_service(std::string(services->text(row, 0)));
    const auto stock = connection_->Execute(StockSql(service.service()));
    if (!stock.ok()) return stock.status();
    service.set_streams(stock->integer(0, 0));
    service.set_rows(stock->integer(0, 1));
    service.set_last_position(stock->integer(0, 2));
    service.set_heads_hash(std::string(stock->text(0, 3)));
    const auto migrations = connection_->Execute(absl::StrCat("select name, hash from ",
                                                              QuoteIdentifier(service.service()),
                                                              ".schema_migration order by name"));
    if (!migrations.ok()) return migrations.status();
    for (int one = 0; one < migrations->rows(); ++one) {
      v1::AppliedMigration& migration = *service.add_migrations();
      migration.set_name(std::string(migrations->text(one, 0)));
      migration.set_hash(std::string(migrations->text(one, 1)));
    }
  }
  return absl::OkStatus();
}

absl::Status NodeDatabase::Dump(const std::string& path, v1::BackupManifest& manifest) {
  // Reading only, it takes no transaction id: the relay goes on.
  auto begun = connection_->Execute("begin isolation level repeatable read read only");
  if (!begun.ok()) return begun.status();
  const auto snapshot = connection_->Execute(
      "select pg_export_snapshot(), current_setting('server_version'), clock_timestamp()");
  if (!snapshot.ok()) return snapshot.status();
  manifest.set_postgres_version(std::string(snapshot->text(0, 1)));
  *manifest.mutable_taken_time() = time::ToTimestamp(snapshot->time(0, 2));
  auto dumped = TakeStock(manifest);
  if (dumped.ok()) {
    dumped = Run({"pg_dump", "--format=custom",
                  absl::StrCat("--snapshot=", std::string(snapshot->text(0, 0))),
                  absl::StrCat("--file=", path)});
  }
  connection_->Rollback();
  return dumped;
}

absl::Status NodeDatabase::CheckEmpty() {
  const auto tables = connection_->Execute(kTablesSql);
  if (!tables.ok()) return tables.status();
  if (tables->integer(0, 0) == 0) return absl::OkStatus();
  return status::Refuse(v1::REASON_NODE_NOT_EMPTY,
                        {.fields = {},
                         .metadata = {{"database", options_.database},
                                      {"tables", absl::StrCat(tables->integer(0, 0))},
                                      {"first", std::string(tables->text(0, 1))}}});
}

absl::Status NodeDatabase::Restore(const std::string& path, const v1::BackupManifest& manifest) {
  for (const v1::ServiceBackup& service : manifest.services()) {
    const auto known =
        connection_->Execute("select from pg_roles where rolname = $1::text", {service.service()});
    if (!known.ok()) return known.status();
    if (known->rows() > 0) continue;
    // Its password comes with the migration; until then nobody can log in as it.
    const std::string role = QuoteIdentifier(service.service());
    auto made = connection_->ExecuteScript(
        absl::StrCat("create role ", role, " login; grant ", role, " to current_user"));
    if (!made.ok()) return made;
  }
  auto restored = Run({"pg_restore", "--exit-on-error", "--single-transaction", path});
  if (!restored.ok()) return restored;
  v1::BackupManifest found;
  if (auto taken = TakeStock(found); !taken.ok()) return taken;
  for (int i = 0; i < std::max(manifest.services_size(), found.services_size()); ++i) {
    const bool both = i < manifest.services_size() && i < found.services_size();
    if (both && manifest.services(i).SerializeAsString() == found.services(i).SerializeAsString()) {
      continue;
    }
    const auto& service = i < manifest.services_size() ? manifest.services(i) : found.services(i);
    return status::Refuse(v1::REASON_RESTORED_DIFFERS,
                          {.fields = {}, .metadata = {{"service", service.service()}}});
  }
  return absl::OkStatus();
}

}  // namespace sankofa::ctl
