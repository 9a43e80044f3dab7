#pragma once

#include <CLI/CLI.hpp>

#include "services/sankofactl/session.h"

// The commands, each with its options. A command that is named sets `session.run`.
namespace sankofa::ctl {

void AddCall(CLI::App& app, Session& session);
void AddMethods(CLI::App& app, Session& session);
void AddEvents(CLI::App& app, Session& session);
void AddCase(CLI::App& app, Session& session);
void AddJournal(CLI::App& app, Session& session);
void AddDeadLetters(CLI::App& app, Session& session);
void AddDoctor(CLI::App& app, Session& session);
void AddStatus(CLI::App& app, Session& session);    // and `deadlines run`, `view rebuild`
void AddPartners(CLI::App& app, Session& session);  // and `agreements`, `refusals`, `digests` …
void AddRotate(CLI::App& app, Session& session);
void AddConformance(CLI::App& app, Session& session);
void AddBackup(CLI::App& app, Session& session);  // and `restore`

// `--service`, once or several times, of those that this client knows; none means all.
void AddServiceOption(CLI::App& app, std::vector<std::string>& services);
// The services meant: those given, or all that the node runs.
[[nodiscard]] std::vector<std::string> Chosen(const Session& session,
                                              const std::vector<std::string>& services);

}  // namespace sankofa::ctl
