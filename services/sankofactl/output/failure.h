#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"

// How a command says that it could not do what it was asked to.
namespace sankofa::ctl {

// What a process ends with.
inline constexpr int kOk = 0;
inline constexpr int kFailed =
    1;  // the node refused, can't be reached, or what was checked is not in order
inline constexpr int kUsage =
    2;  // the command line, or a file that it names, is wrong; nothing was called

// A mistake of whoever typed the command.
[[nodiscard]] absl::Status UsageError(std::string_view what);
[[nodiscard]] int ExitCodeOf(const absl::Status& status);

struct FailureStyle {
  bool json = false;
  std::string about;            // what was asked for, where one command asks for several things
  std::string language = "en";  // or "fr": of a refusal's text
};

// For people: reason and code, the text that says what is wrong and what to do, the fields that are wrong, what else
// the node says, and the trace id for whoever reads the node's log. For programs: the same as one line of JSON.
// `trace_id`: of the call, where the status names none.
void PrintFailure(std::ostream& err, const absl::Status& status, const std::string& trace_id,
                  const FailureStyle& style);

}  // namespace sankofa::ctl
