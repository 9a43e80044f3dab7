#pragma once

#include <string>
#include <vector>

#include "services/sankofactl/session.h"

namespace sankofa::ctl {

// The program: reads the command line (without the program's name), does what it says, and gives what the process ends
// with (output/failure.h).
int Run(std::vector<std::string> arguments, Io io, Connect connect = ConnectByGrpc);

}  // namespace sankofa::ctl
