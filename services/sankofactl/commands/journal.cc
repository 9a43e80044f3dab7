#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/service/runtime.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/journal/chain.h"
#include "services/sankofactl/journal/lines.h"
#include "services/sankofactl/journal/reader.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `journal export` and `journal verify`. They read the database itself, with each service's own role, because the
// streams of reads are published nowhere, and so that the node's processes need not be believed, or run.
namespace sankofa::ctl {
namespace {

struct JournalArguments {
  std::string config;
  std::vector<std::string> services;
  std::string out;
  std::string file;
};

absl::StatusOr<std::unique_ptr<postgres::Connection>> Connect(const config::Config& config,
                                                              const std::string& service) {
  auto options = service::ConnectAs(config.postgres, service);
  if (!options.ok()) return options.status();
  options->application_name = "sankofactl";
  // A page is read in milliseconds, but whoever takes the pages may be slow.
  options->idle_in_transaction_timeout = absl::Hours(1);
  return postgres::Connection::Open(*options);
}

std::string JournalOf(const std::string& service) { return absl::StrCat("journal of ", service); }

// ---- export ---------------------------------------------------------------------------------------------------------

absl::Status CannotWrite() { return absl::DataLossError("the export can't be written"); }

absl::Status ExportService(const config::Config& config, const std::string& service,
                           std::ostream& out) {
  auto connection = Connect(config, service);
  if (!connection.ok()) return connection.status();
  const auto write = [&out](const JournalLine& line) -> absl::Status {
    out << FormatLine(line) << "\n";
    return out.good() ? absl::OkStatus() : CannotWrite();
  };
  JournalEnd end{.service = service};
  auto started = write(JournalStart{.node = config.node.id,
                                    .service = service,
                                    .exported_time = absl::Now(),
                                    .months_dropped = config.retention.journal_days > 0});
  if (!started.ok()) return started;
  auto read = ReadJournal(**connection, service,
                          {.head =
                               [&](const StreamHead& head) {
                                 ++end.streams;
                                 return write(head);
                               },
                           .row =
                               [&](const engine::JournalRow& row) {
                                 ++end.rows;
                                 return write(row);
                               }});
  return read.ok() ? write(end) : read;
}

// Readable for its owner alone, and never written over: an export may be evidence.
absl::Status CreateFile(const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file >= 0) {
    close(file);
    return absl::OkStatus();
  }
  if (errno == EEXIST)
    return UsageError(absl::StrCat(path, " is there already; name another file"));
  return UsageError(absl::StrCat("can't write ", path, ": ", std::strerror(errno)));
}

int ExportAll(Session& session, const JournalArguments& arguments) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  std::ofstream file;
  if (!arguments.out.empty()) {
    if (auto created = CreateFile(arguments.out); !created.ok()) return session.Fail(created);
    file.open(arguments.out, std::ios::binary);
  }
  std::ostream& out = arguments.out.empty() ? session.out() : file;
  for (const std::string& service : Chosen(session, arguments.services)) {
    auto exported = ExportService(*config, service, out);
    out.flush();
    if (exported.ok() && !out.good()) exported = CannotWrite();
    if (exported.ok()) continue;
    // Half an export is none.
    if (!arguments.out.empty()) std::remove(arguments.out.c_str());
    return session.Fail(exported, JournalOf(service));
  }
  return kOk;
}

// ---- verify ---------------------------------------------------------------------------------------------------------

void PrintBreak(Session& session, const ChainBreak& found) {
  if (session.json()) {
    session.out() << Json::Object()
                         .Set("break", Json::Object()
                                           .Set("kind", NameOf(found.kind))
                                           .Set("service", found.service)
                                           .Set("stream", absl::StrCat(found.stream.type, "/",
                                                                       found.stream.id))
                                           .Set("sequence", found.sequence)
                                           .Set("what", found.what))
                         .Line()
                  << "\n";
    return;
  }
  session.out() << "BREAK  " << NameOf(found.kind) << "  " << Printable(found.service);
  if (!found.stream.type.empty()) {
    session.out() << "  "
                  << Printable(absl::StrCat(found.stream.type, "/", found.stream.id, " #",
                                            found.sequence));
  }
  session.out() << "  " << Printable(found.what) << "\n";
}

void PrintTotals(Session& session, const std::vector<ServiceTotals>& services) {
  Table table({"service", "streams", "rows", "breaks", "begin later"});
  for (const auto& [service, totals] : services) {
    if (session.json()) {
      session.out() << Json::Object()
                           .Set("verified", Json::Object()
                                                .Set("service", service)
                                                .Set("streams", totals.streams)
                                                .Set("rows", totals.rows)
                                                .Set("breaks", totals.breaks)
                                                .Set("begin_later", totals.shortened))
                           .Line()
                    << "\n";
    }
    table.Add({service, absl::StrCat(totals.streams), absl::StrCat(totals.rows),
               absl::StrCat(totals.breaks), absl::StrCat(totals.shortened)});
  }
  if (!session.json()) session.out() << table.ToString();
}

absl::StatusOr<ServiceTotals> VerifyService(const config::Config& config,
                                            const std::string& service,
                                            const std::function<void(const ChainBreak&)>& found) {
  auto connection = Connect(config, service);
  if (!connection.ok()) return connection.status();
  ChainVerifier verifier({.service = service, .months_dropped = config.retention.journal_days > 0},
                         found);
  auto read = ReadJournal(**connection, service,
                          {.head =
                               [&verifier](const StreamHead& head) {
                                 verifier.Head(head);
                                 return absl::OkStatus();
                               },
                           .row =
                               [&verifier](const engine::JournalRow& row) {
                                 verifier.Row(row);
                                 return absl::OkStatus();
                               }});
  if (!read.ok()) return read;
  verifier.End();
  return ServiceTotals{.service = service, .totals = verifier.totals()};
}

// All services, also where one of them can't be read.
int VerifyDatabase(Session& session, const JournalArguments& arguments,
                   const std::function<void(const ChainBreak&)>& found,
                   std::vector<ServiceTotals>& verified) {
  const auto config = session.LoadConfig(arguments.config);
  if (!config.ok()) return session.Fail(config.status());
  int exit_code = kOk;
  for (const std::string& service : Chosen(session, arguments.services)) {
    auto totals = VerifyService(*config, service, found);
    if (totals.ok()) {
      verified.push_back(*std::move(totals));
    } else {
      exit_code = session.Fail(totals.status(), JournalOf(service));
    }
  }
  return exit_code;
}

int RunVerify(Session& session, const JournalArguments& arguments) {
  const auto found = [&session](const ChainBreak& one) { PrintBreak(session, one); };
  std::vector<ServiceTotals> verified;
  int exit_code = kOk;
  if (arguments.file.empty()) {
    exit_code = VerifyDatabase(session, arguments, found, verified);
  } else {
    std::ifstream file(arguments.file, std::ios::binary);
    if (!file) return session.Fail(UsageError(absl::StrCat("can't read ", arguments.file)));
    verified = VerifyLines(file, found);
  }
  if (!verified.empty()) PrintTotals(session, verified);
  if (exit_code != kOk) return exit_code;
  std::int64_t breaks = 0;
  for (const ServiceTotals& one : verified) breaks += one.totals.breaks;
  if (!session.json()) {
    session.out() << (breaks == 0 ? "All chains hold.\n" : "The journal was changed.\n");
  }
  return breaks == 0 ? kOk : kFailed;
}

void AddConfigOption(CLI::App& command, JournalArguments& arguments) {
  command
      .add_option("--config", arguments.config,
                  "The node's configuration (sankofa.yaml), by default that of --node-folder")
      ->check(CLI::ExistingFile);
  AddServiceOption(command, arguments.services);
}

}  // namespace

void AddJournal(CLI::App& app, Session& session) {
  auto* journal = app.add_subcommand("journal", "Every change, chained by hashes");
  journal->require_subcommand(1);
  auto arguments = std::make_shared<JournalArguments>();
  auto* exported = journal->add_subcommand("export", "Write journals as lines of JSON");
  AddConfigOption(*exported, *arguments);
  exported->add_option("--out", arguments->out, "A new file; otherwise it is printed");
  exported->callback([&session, arguments] {
    session.run = [&session, arguments] { return ExportAll(session, *arguments); };
  });
  auto* verify = journal->add_subcommand("verify", "Check the chains of a database or an export");
  AddConfigOption(*verify, *arguments);
  verify->add_option("--file", arguments->file, "An export, instead of the database")
      ->check(CLI::ExistingFile)
      ->excludes("--config")
      ->excludes("--service");
  verify->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunVerify(session, *arguments); };
  });
}

}  // namespace sankofa::ctl
