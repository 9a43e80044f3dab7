#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "services/platform/telemetry/log.h"
#include "services/sankofactl/app.h"

int main(int argc, char** argv) {
  // What the libraries have to say is for a service's log; this program says itself what went wrong.
  sankofa::telemetry::ConfigureLog(
      {.level = sankofa::telemetry::Level::kError, .node = "", .service = "sankofactl"});
  // A connection that breaks is an error like others. What is written to a closed pipe (`sankofactl … | head`) fails,
  // and what would go on writing sees that.
  std::signal(SIGPIPE, SIG_IGN);
  return sankofa::ctl::Run(std::vector<std::string>(argv + 1, argv + argc),
                           {std::cin, std::cout, std::cerr, sankofa::config::ProcessEnvironment()});
}
