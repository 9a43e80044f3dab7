#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/engine/store.h"
#include "services/sankofactl/journal/chain.h"

// An export of a journal: JSON, one line each, so that other programs read it too. For each service
//
//   {"journal": {"format": 1, "node": "cm", "service": "registration", "exported_time": "…", "months_dropped": false}}
//   {"head": {"type": "Case", "id": "…", "version": 2, "last_hash": "…"}}           for each stream, by type and id
//   {"row": {"type": "Case", "id": "…", "sequence": 1, …}}                          its rows, in order
//   {"end": {"service": "registration", "streams": 1, "rows": 2}}
//
// Hashes are in hex, payloads in base64 (protobuf, personal fields sealed), times in UTC with nine digits of a second.
// A row holds everything that its hash is made of (engine::HashOf), and who decided: keep the file as you keep the
// journal.
namespace sankofa::ctl {

struct JournalStart {
  std::string node;
  std::string service;
  absl::Time exported_time;
  bool months_dropped = false;  // the node drops old months of its journal
};

struct JournalEnd {
  std::string service;
  std::int64_t streams = 0;
  std::int64_t rows = 0;
};

using JournalLine = std::variant<JournalStart, StreamHead, engine::JournalRow, JournalEnd>;

// Without the line's end.
[[nodiscard]] std::string FormatLine(const JournalLine& line);

// Strict: whatever is missing, of another kind or not written as FormatLine writes it is INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<JournalLine> ParseLine(std::string_view line);

struct ServiceTotals {
  std::string service;
  ChainVerifier::Totals totals;
};

// Verifies every service's chains in an export. A line that can't be read, and an end that is missing or counts
// otherwise, are breaks too.
[[nodiscard]] std::vector<ServiceTotals> VerifyLines(
    std::istream& in, const std::function<void(const ChainBreak&)>& found);

}  // namespace sankofa::ctl
