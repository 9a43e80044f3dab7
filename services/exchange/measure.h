#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/platform/postgres/connection.h"

namespace sankofa::exchange {

// Puts into the metrics, for each partner: how many erasures it has not answered, for how long the oldest of them, and
// when the certificates end that are in `partner_folder`.
[[nodiscard]] absl::Status Measure(const std::string& partner_folder,
                                   postgres::Connection& connection);

}  // namespace sankofa::exchange
