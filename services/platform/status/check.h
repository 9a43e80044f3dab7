#pragma once

#include <source_location>
#include <string_view>

namespace sankofa::status {

// Ends the process with `what` and the place, in release builds too: for invariants of our own, never for input.
[[noreturn]] void Fail(std::string_view what,
                       std::source_location where = std::source_location::current());

inline void Check(bool holds, std::string_view what,
                  std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]] {
    Fail(what, where);
  }
}

}  // namespace sankofa::status
