#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sankofa::ctl {

// Runs a program that is found on the path, waits for it, and takes what it says of errors. `environment`: variables
// beside those of this process. FAILED_PRECONDITION where the program is not there; INTERNAL with what it said where it
// ends with another value than 0.
[[nodiscard]] absl::Status RunProgram(const std::vector<std::string>& command,
                                      const std::map<std::string, std::string>& environment);

}  // namespace sankofa::ctl
