#include "services/sankofactl/journal/chain.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sankofa::ctl {
namespace {

using Kind = ChainBreak::Kind;

std::string Rows(std::int64_t first, std::int64_t last) {
  return first == last ? absl::StrCat("row ", first, " is missing")
                       : absl::StrCat("rows ", first, " to ", last, " are missing");
}

}  // namespace

std::string NameOf(ChainBreak::Kind kind) {
  switch (kind) {
    case Kind::kAltered: return "ALTERED";
    case Kind::kMissing: return "MISSING";
    case Kind::kOutOfPlace: return "OUT_OF_PLACE";
    case Kind::kUnlinked: return "UNLINKED";
    case Kind::kCut: return "CUT";
    case Kind::kHead: return "HEAD";
    case Kind::kUnknown: return "UNKNOWN_STREAM";
    case Kind::kUnreadable: return "UNREADABLE";
  }
  return "UNKNOWN";
}

ChainVerifier::ChainVerifier(Options options, std::function<void(const ChainBreak&)> found)
    : options_(std::move(options)), found_(std::move(found)) {}

void ChainVerifier::Found(Kind kind, const engine::StreamKey& stream, std::int64_t sequence,
                          std::string what) {
  ++totals_.breaks;
  found_({.kind = kind,
          .service = options_.service,
          .stream = stream,
          .sequence = sequence,
          .what = std::move(what)});
}

void ChainVerifier::Head(const StreamHead& head) {
  const std::optional<StreamHead> before = head_;
  EndStream();
  if (before && head.stream <= before->stream) {
    Found(Kind::kOutOfPlace, head.stream, 0, "the stream stands twice, or behind a later one");
  }
  ++totals_.streams;
  head_ = head;
  last_sequence_ = 0;
  last_hash_.clear();
  orphan_.reset();
}

void ChainVerifier::Row(const engine::JournalRow& row) {
  ++totals_.rows;
  if (engine::HashOf(row) != row.hash) {
    Found(Kind::kAltered, row.stream, row.sequence,
          "the row's contents are not those that its hash was made of");
  }
  if (!head_ || row.stream != head_->stream) {
    // Once for all rows of such a stream that stand together.
    if (orphan_ != row.stream) {
      Found(Kind::kUnknown, row.stream, row.sequence, "the row's stream has no aggregate here");
    }
    orphan_ = row.stream;
    return;
  }
  if (last_sequence_ == 0) {
    CheckFirst(row);
  } else {
    CheckNext(row);
  }
  if (row.sequence > last_sequence_) {
    last_sequence_ = row.sequence;
    last_hash_ = row.hash;
  }
}

void ChainVerifier::CheckFirst(const engine::JournalRow& row) {
  if (row.sequence == 1) {
    if (!row.previous_hash.empty()) {
      Found(Kind::kUnlinked, row.stream, 1, "the first row says that it follows another");
    }
  } else if (options_.months_dropped) {
    ++totals_.shortened;
  } else {
    Found(Kind::kMissing, row.stream, row.sequence, Rows(1, row.sequence - 1));
  }
}

void ChainVerifier::CheckNext(const engine::JournalRow& row) {
  if (row.sequence <= last_sequence_) {
    Found(Kind::kOutOfPlace, row.stream, row.sequence,
          absl::StrCat("the row stands behind row ", last_sequence_));
  } else if (row.sequence > last_sequence_ + 1) {
    Found(Kind::kMissing, row.stream, row.sequence, Rows(last_sequence_ + 1, row.sequence - 1));
  } else if (row.previous_hash != last_hash_) {
    Found(
        Kind::kUnlinked, row.stream, row.sequence,
        absl::StrCat("the row does not follow row ", last_sequence_, ": one of them was replaced"));
  }
}

void ChainVerifier::EndStream() {
  if (!head_) return;
  const StreamHead head = *std::exchange(head_, std::nullopt);
  if (last_sequence_ == 0 && options_.months_dropped) {
    ++totals_.shortened;
  } else if (last_sequence_ < head.version) {
    Found(Kind::kCut, head.stream, last_sequence_, Rows(last_sequence_ + 1, head.version));
  } else if (last_sequence_ > head.version) {
    Found(Kind::kHead, head.stream, last_sequence_,
          absl::StrCat("the journal goes on to row ", last_sequence_,
                       ", but the aggregate was made from ", head.version));
  } else if (last_hash_ != head.last_hash) {
    Found(Kind::kHead, head.stream, last_sequence_,
          "the newest row is not the one that the aggregate was made from");
  }
}

void ChainVerifier::End() { EndStream(); }

}  // namespace sankofa::ctl
