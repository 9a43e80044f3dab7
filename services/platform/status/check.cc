#include "services/platform/status/check.h"

#include <cstdio>
#include <cstdlib>

namespace sankofa::status {

void Fail(std::string_view what, std::source_location where) {
  std::fprintf(stderr,
               "{\"level\":\"critical\",\"msg\":\"invariant broken: %.*s\",\"at\":\"%s:%u\"}\n",
               static_cast<int>(what.size()), what.data(), where.file_name(), where.line());
  std::abort();
}

}  // namespace sankofa::status
