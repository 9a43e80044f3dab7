#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "services/platform/engine/store.h"

// The check of a journal's chains, without trust in whoever keeps the journal: each row of a stream hashes to what it
// says, follows the row before, and the newest is the one that the aggregate's state was made from.
namespace sankofa::ctl {

// What the table of aggregates says of a stream.
struct StreamHead {
  engine::StreamKey stream;
  std::int64_t version = 0;
  std::string last_hash;  // 32 bytes
  bool operator==(const StreamHead&) const = default;
};

struct ChainBreak {
  enum class Kind {
    kAltered,     // a row's contents are not those that its hash was made of
    kMissing,     // rows are missing between two others, or before the first
    kOutOfPlace,  // a row or a stream stands behind a later one, or twice
    kUnlinked,    // a row does not follow the one before: one of the two was replaced
    kCut,         // rows are missing at the end
    kHead,        // the newest row is not the one that the aggregate was made from
    kUnknown,     // rows of a stream that has no aggregate
    kUnreadable,  // of an export: a line that is none, or an end that is missing
  };
  Kind kind = Kind::kAltered;
  std::string service;
  engine::StreamKey stream;
  std::int64_t sequence = 0;
  std::string what;
};

// "ALTERED", …
[[nodiscard]] std::string NameOf(ChainBreak::Kind kind);

// Takes one service's streams in the order of type and id, each as its head and then its rows. Holds one stream's state
// at a time, whatever the size of the journal.
class ChainVerifier {
 public:
  struct Options {
    std::string service;
    // Where old months of the journal are dropped, a stream may begin later than with its first row.
    bool months_dropped = false;
  };
  struct Totals {
    std::int64_t streams = 0;
    std::int64_t rows = 0;
    std::int64_t breaks = 0;
    std::int64_t shortened = 0;  // streams whose beginning is not there, where that may be
  };

  // `found` gets every break.
  ChainVerifier(Options options, std::function<void(const ChainBreak&)> found);

  void Head(const StreamHead& head);
  void Row(const engine::JournalRow& row);
  // After the last stream.
  void End();
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  void Found(ChainBreak::Kind kind, const engine::StreamKey& stream, std::int64_t sequence,
             std::string what);
  void CheckFirst(const engine::JournalRow& row);
  void CheckNext(const engine::JournalRow& row);
  void EndStream();

  const Options options_;
  const std::function<void(const ChainBreak&)> found_;
  Totals totals_;
  std::optional<StreamHead> head_;           // of the current stream
  std::int64_t last_sequence_ = 0;           // in it; 0 before its first row
  std::string last_hash_;                    // of that row
  std::optional<engine::StreamKey> orphan_;  // the last stream that was found to have no head
};

}  // namespace sankofa::ctl
