#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace sankofa::rpc {

// A small file as a whole. NOT_FOUND where it can't be read.
[[nodiscard]] inline absl::StatusOr<std::string> ReadFile(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::stringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("the file ", file, " can't be read"));
  }
  return std::move(text).str();
}

}  // namespace sankofa::rpc
