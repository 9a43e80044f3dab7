#include "services/sankofactl/app.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

#include "services/platform/service/runtime.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"

namespace sankofa::ctl {
namespace {

constexpr char kAbout[] =
    "sankofactl: calls a Sankofa node from the command line\n\n"
    "  sankofactl --node-folder .run/cm --token-file token call GetCase '{\"case_id\": \"…\"}'\n"
    "  sankofactl --node-folder .run/cm events tail --from-beginning --no-follow\n"
    "  sankofactl --node-folder .run/cm journal verify\n";
constexpr char kExitCodes[] =
    "Ends with 0 when all is well, 1 when the node refuses, can't be reached or what was checked "
    "is not in order, 2 when the command line is wrong.";

void AddGlobals(CLI::App& app, GlobalOptions& options) {
  auto* node = app.add_option_group("Which node");
  node->add_option("--node-folder", options.node_folder,
                   "Folder of a node that scripts/node made: address, certificate and authority "
                   "are found there")
      ->envname("NODE_FOLDER")
      ->check(CLI::ExistingDirectory);
  node->add_option("--address", options.address, "host:port of the node's gRPC");
  node->add_option("--ca", options.ca, "Who signed the node's certificate (PEM)")
      ->check(CLI::ExistingFile);
  node->add_option("--certificate", options.certificate, "This client's certificate (PEM)")
      ->check(CLI::ExistingFile);
  node->add_option("--key", options.key, "Its key (PEM)")->check(CLI::ExistingFile);
  node->add_option("--server-name", options.server_name,
                   "Name in the node's certificate, where it is not the address's");
  node->add_option("--token-file", options.token_file,
                   "Who asks: file with a person's token; or the variable SANKOFA_TOKEN")
      ->check(CLI::ExistingFile);
  node->add_option("--timeout", options.timeout, "How long an answer may take, e.g. 30s");
  node->add_option("--scenario-time", options.scenario_time,
                   "The time that the node shall take for now, where it accepts one");
  auto* output = app.add_option_group("Output");
  output->add_flag("--json", options.json, "For programs: JSON, one value a line");
  output->add_option("--language", options.language, "Of texts: en or fr")
      ->check(CLI::IsMember({"en", "fr"}));
}

}  // namespace

void AddServiceOption(CLI::App& app, std::vector<std::string>& services) {
  app.add_option("--service", services, "Only this service; may be given several times")
      ->check(CLI::IsMember(ServiceNames()))
      ->allow_extra_args(false);
}

std::vector<std::string> Chosen(const Session& session, const std::vector<std::string>& services) {
  if (!services.empty()) return services;
  std::vector<std::string> all;
  for (const std::string& service : ServiceNames()) {
    if (session.Runs(service)) all.push_back(service);
  }
  return all;
}

int Run(std::vector<std::string> arguments, Io io, Connect connect) {
  Session session(io, std::move(connect));
  CLI::App app{kAbout, "sankofactl"};
  app.footer(kExitCodes);
  app.set_version_flag("--version", std::string("sankofactl ") + service::kVersion);
  app.require_subcommand(1);
  app.fallthrough();  // the options of the whole may stand behind the command
  AddGlobals(app, session.options());
  AddCall(app, session);
  AddMethods(app, session);
  AddEvents(app, session);
  AddCase(app, session);
  AddJournal(app, session);
  AddDeadLetters(app, session);
  AddDoctor(app, session);
  AddStatus(app, session);
  AddPartners(app, session);
  AddRotate(app, session);
  AddConformance(app, session);
  AddBackup(app, session);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, io.out, io.err) == 0 ? kOk : kUsage;
  }
  if (auto prepared = session.Prepare(); !prepared.ok()) return session.Fail(prepared);
  return session.run();
}

}  // namespace sankofa::ctl
