#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sankofa::rpc {

// When the first of the certificates in a PEM file ends. NOT_FOUND where the file can't be read, INVALID_ARGUMENT where
// no certificate is in it or one can't be read.
[[nodiscard]] absl::StatusOr<absl::Time> CertificateEnd(const std::string& file);

}  // namespace sankofa::rpc
