#include <CLI/CLI.hpp>

#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/exchange/service.h"
#include "services/funding/service.h"
#include "services/monitoring/service.h"
#include "services/platform/config/config.h"
#include "services/platform/kafka/client.h"
#include "services/platform/service/node.h"
#include "services/platform/telemetry/log.h"
#include "services/registration/service.h"
#include "services/validation/service.h"

// The one binary of a node:
//
//   sankofa migrate --config FILE          roles, schemas and tables of all services
//   sankofa serve all --config FILE        every service in one process: a small agency's machine
//   sankofa serve funding --config FILE    one service: a deployment in a cluster
//   sankofa version
namespace sankofa {
namespace {

const std::vector<const service::Definition*>& Services() {
  static const std::vector<const service::Definition*> services = {
      &registration::Definition(), &validation::Definition(), &funding::Definition(),
      &monitoring::Definition(), &exchange::Definition()};
  return services;
}

// A master key in a core file would outlive every care taken with it.
void ForbidCoreFiles() {
  const rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
}

int Fail(const absl::Status& status) {
  telemetry::Error("can't start", {{"why", std::string(status.message())}, {"status", status}});
  return 1;
}

absl::StatusOr<config::Config> LoadConfig(const std::string& file) {
  auto config = config::Load(file);
  if (!config.ok()) return config;
  telemetry::ConfigureLog({.level = config->log.level, .node = config->node.id, .service = ""});
  std::vector<std::string> settings;
  for (const auto& [key, value] : config::Effective(*config)) {
    settings.push_back(absl::StrCat(key, "=", value));
  }
  telemetry::Info("settings", {{"effective", absl::StrJoin(settings, " ")}});
  for (const std::string& name : config->ignored_variables) {
    telemetry::Warn("an environment variable looks like a setting and is none", {{"name", name}});
  }
  return config;
}

int Serve(const std::string& target, const std::string& file) {
  // Blocked before any thread is made, so that the main thread alone gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto config = LoadConfig(file);
  if (!config.ok()) return Fail(config.status());
  if (config->clock.accept_scenario_time) {
    telemetry::Warn("this node takes the time from its callers: for development only");
  }
  std::vector<const service::Definition*> services;
  for (const service::Definition* definition : Services()) {
    if (target == "all" || target == definition->name) services.push_back(definition);
  }
  auto node = service::Node::Start(*config, services);
  if (!node.ok()) return Fail(node.status());
  int signal = 0;
  sigwait(&signals, &signal);
  (*node)->Stop();
  node->reset();
  if (kafka::ClientsLeftBehind() > 0) {
    std::fflush(nullptr);
    std::_Exit(0);
  }
  return 0;
}

int Migrate(const std::string& file) {
  const auto config = LoadConfig(file);
  if (!config.ok()) return Fail(config.status());
  if (auto migrated = service::MigrateAll(*config, Services()); !migrated.ok()) {
    return Fail(migrated);
  }
  return 0;
}

int Main(int argc, char** argv) {
  ForbidCoreFiles();
  CLI::App app{"Sankofa: voluntary return and reintegration, shared between sovereign nodes"};
  app.require_subcommand(1);
  std::string config;
  std::string target;
  std::vector<std::string> targets = {"all"};
  for (const service::Definition* definition : Services()) targets.push_back(definition->name);

  auto* serve = app.add_subcommand("serve", "Run one service, or all of them in one process");
  serve->add_option("service", target, "Which")->required()->check(CLI::IsMember(targets));
  auto* migrate = app.add_subcommand("migrate", "Make roles, schemas and tables");
  for (auto* command : {serve, migrate}) {
    command->add_option("--config", config, "The node's settings (YAML)")
        ->required()
        ->envname("SANKOFA_CONFIG")
        ->check(CLI::ExistingFile);
  }
  auto* version = app.add_subcommand("version", "Print the version");
  CLI11_PARSE(app, argc, argv);
  if (version->parsed()) {
    std::printf("sankofa %s\n", service::kVersion);
    return 0;
  }
  return serve->parsed() ? Serve(target, config) : Migrate(config);
}

}  // namespace
}  // namespace sankofa

int main(int argc, char** argv) { return sankofa::Main(argc, argv); }
