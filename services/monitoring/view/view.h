#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sankofa/monitoring/v1/case_view.pb.h"
#include "services/platform/engine/engine.h"

// The view of one case: what all services said of it, folded from their events. A pure function, so that a view that
// grew event by event and one that was folded anew from the journals are the same, byte by byte:
//
//   - each stream (a case, a project, a grant …) is folded in the order of its sequences, which the view keeps as marks;
//   - each field belongs to one stream, or is a set that is kept sorted, so the order between streams does not matter;
//   - the token is the number of events folded: the sum of the marks.
//
// What partners told comes by the exchange's ReceivedFeed streams. It is folded by the same functions, each partner's
// into a section of its own, so that a fact is always shown with its owner and never stands for one of this node's.
//
// Events are read as they are published: what is sealed in them stays closed, and nothing of it is in the view.
namespace sankofa::monitoring {

// The newest entries of the timeline that are kept, and the streams that one view follows. A case has some dozens.
inline constexpr int kTimelineMax = 300;
inline constexpr int kStreamsMax = 500;
// What one partner's section may grow to: its texts were written elsewhere.
inline constexpr std::size_t kPartnerBytesMax = 256 * 1024;

enum class FoldResult {
  kApplied,   // the view has moved on
  kRepeated,  // the view had it before
  kGap,       // an event of the stream is missing before this one: nothing was changed, rebuild
  kIgnored,   // of a stream that the view does not follow
};

[[nodiscard]] FoldResult Fold(v1::CaseView& view, const engine::IncomingEvent& event);

// Folds a case anew from its events, in any order between streams. INTERNAL where a stream has a gap: journals have
// none.
[[nodiscard]] absl::StatusOr<v1::CaseView> FoldAll(
    const std::string& case_id, const std::vector<engine::IncomingEvent>& events);

// True where the view holds the event of this stream and sequence, or follows no such stream.
[[nodiscard]] bool Holds(const v1::CaseView& view, const engine::EventMeta& event);

// How a view in use compares with one that was folded anew.
enum class Comparison {
  kSame,
  kBehind,     // events are missing: its consumer has not come to them yet
  kAhead,      // it holds events that the other did not: they were committed in between
  kDiffering,  // the same events, another content: a fault
};
[[nodiscard]] Comparison Compare(const v1::CaseView& live, const v1::CaseView& rebuilt);

}  // namespace sankofa::monitoring
