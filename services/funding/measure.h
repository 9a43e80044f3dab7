#pragma once

#include "absl/status/status.h"
#include "services/platform/postgres/connection.h"

namespace sankofa::funding {

// Puts into the metrics, for each currency, by how much the ledger's batches don't balance: 0, or money was made or lost.
[[nodiscard]] absl::Status Measure(postgres::Connection& connection);

}  // namespace sankofa::funding
