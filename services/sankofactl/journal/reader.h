#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "services/platform/engine/store.h"
#include "services/platform/postgres/connection.h"
#include "services/sankofactl/journal/chain.h"

namespace sankofa::ctl {

inline constexpr int kPageRows = 1000;

struct JournalReceiver {
  std::function<absl::Status(const StreamHead&)> head;
  std::function<absl::Status(const engine::JournalRow&)> row;
};

// Reads a service's whole journal through a connection with the service's role: each stream's head and then its rows,
// by type and id, as they stood at one moment. Rows of a stream without an aggregate come without a head. The service
// may go on meanwhile: nothing is locked, and the relay is not held up. Stops where the receiver gives an error.
[[nodiscard]] absl::Status ReadJournal(postgres::Connection& connection, const std::string& schema,
                                       const JournalReceiver& receiver, int page_rows = kPageRows);

}  // namespace sankofa::ctl
