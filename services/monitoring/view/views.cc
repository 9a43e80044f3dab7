#include "services/monitoring/view/views.h"

#include <algorithm>
#include <utility>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::monitoring {
namespace {

// How often a view is tried again because somebody else wrote it in between.
constexpr int kRoundsMax = 5;
constexpr absl::Duration kReplayTime = absl::Seconds(10);
constexpr std::size_t kCasesAtOnce = redis::kPipelineMax;

// The event that opens a case: where it finds no view, there was none before it, and a new case costs no replay. (Were
// Redis emptied and the process killed before the offset of just this event was committed, the view would lack what
// came in between; the next event of such a stream finds the gap, and so does RebuildViews.)
bool OpensCase(const engine::IncomingEvent& event) {
  return event.meta.source == "registration" && event.meta.stream.type == "Case" &&
         event.meta.sequence == 1;
}

}  // namespace

absl::StatusOr<v1::CaseView> Views::FoldAnew(const std::string& case_id, absl::Time deadline) {
  const auto events = source_.Replay(case_id, deadline);
  if (!events.ok()) return events.status();
  return FoldAll(case_id, *events);
}

absl::StatusOr<v1::CaseView> Views::Get(const std::string& case_id, absl::Time deadline) {
  const auto slots = store_.Get(std::span(&case_id, 1));
  if (slots.ok() && slots->front().view) return *slots->front().view;
  auto view = FoldAnew(case_id, deadline);
  if (!view.ok()) return view.status();
  if (view->token() == 0) {
    return status::Refuse(common::v1::REASON_NOT_FOUND,
                          {.fields = {}, .metadata = {{"aggregate", "Case"}}});
  }
  if (slots.ok()) {
    // Whether it is kept does not matter to this reader.
    const ViewStore::Write write{case_id, slots->front().version, &*view};
    (void)store_.Put(std::span(&write, 1));
  }
  return view;
}

absl::Status Views::Apply(std::span<const engine::IncomingEvent> events) {
  Cases pending;
  for (const engine::IncomingEvent& event : events) {
    if (Holds(v1::CaseView::default_instance(), event.meta)) continue;  // not followed
    pending[event.meta.partition_key].push_back(&event);
  }
  for (int round = 0; round < kRoundsMax && !pending.empty(); ++round) {
    if (auto status = ApplyRound(pending); !status.ok()) return status;
  }
  return pending.empty() ? absl::OkStatus()
                         : status::Unavailable("views change faster than they are written");
}

// Folds and writes all pending cases once; those that are done leave `pending`.
absl::Status Views::ApplyRound(Cases& pending) {
  std::vector<std::string> case_ids;
  for (const auto& [case_id, _] : pending) {
    if (case_ids.size() < kCasesAtOnce) case_ids.push_back(case_id);
  }
  auto slots = store_.Get(case_ids);
  if (!slots.ok()) return slots.status();
  std::vector<ViewStore::Write> writes;
  std::vector<const v1::CaseView*> written;
  for (size_t i = 0; i < case_ids.size(); ++i) {
    ViewSlot& slot = (*slots)[i];
    const auto changed = FoldInto(slot, case_ids[i], pending.at(case_ids[i]));
    if (!changed.ok()) return changed.status();
    if (*changed) {
      writes.push_back({case_ids[i], slot.version, &*slot.view});
    } else {
      pending.erase(case_ids[i]);
    }
  }
  const auto took = store_.Put(writes);
  if (!took.ok()) return took.status();
  for (size_t i = 0; i < writes.size(); ++i) {
    if (!(*took)[i]) continue;
    hub_.Notify(*writes[i].view);
    pending.erase(writes[i].case_id);
  }
  return absl::OkStatus();
}

// True where the slot's view has changed and is to be written.
absl::StatusOr<bool> Views::FoldInto(ViewSlot& slot, const std::string& case_id,
                                     const std::vector<const engine::IncomingEvent*>& events) {
  bool changed = false;
  bool anew = false;
  if (!slot.view) {
    anew = !OpensCase(*events.front());
    slot.view.emplace();
  }
  for (const engine::IncomingEvent* event : events) {
    const FoldResult result = anew ? FoldResult::kGap : Fold(*slot.view, *event);
    anew = result == FoldResult::kGap;
    changed = changed || result == FoldResult::kApplied;
    if (anew) break;
  }
  if (!anew) return changed;
  auto view = FoldAnew(case_id, absl::Now() + kReplayTime);
  const bool whole = view.ok() && std::all_of(events.begin(), events.end(), [&](const auto* event) {
                       return Holds(*view, event->meta);
                     });
  if (whole) {
    slot.view = *std::move(view);
    return true;
  }
  if (view.ok() || !status::IsTransient(view.status())) {
    telemetry::Error("a case's view can't be folded from the journals",
                     {{"case", case_id}, {"status", view.status()}});
  }
  // Better no view than an old one.
  if (auto dropped = store_.Drop(case_id); !dropped.ok()) return dropped;
  return false;
}

absl::StatusOr<Views::Rebuilt> Views::Rebuild(const std::string& case_id, absl::Time deadline) {
  const auto slots = store_.Get(std::span(&case_id, 1));
  if (!slots.ok()) return slots.status();
  const auto view = FoldAnew(case_id, deadline);
  if (!view.ok()) return view.status();
  if (view->token() == 0) return Rebuilt::kUnknown;
  Rebuilt rebuilt = Rebuilt::kMissing;
  if (slots->front().view) {
    switch (Compare(*slots->front().view, *view)) {
      case Comparison::kSame: return Rebuilt::kSame;
      case Comparison::kAhead: return Rebuilt::kAhead;
      case Comparison::kBehind: rebuilt = Rebuilt::kBehind; break;
      case Comparison::kDiffering: rebuilt = Rebuilt::kDiffering; break;
    }
  }
  const ViewStore::Write write{case_id, slots->front().version, &*view};
  const auto took = store_.Put(std::span(&write, 1));
  if (!took.ok()) return took.status();
  if (took->front()) hub_.Notify(*view);
  return rebuilt;
}

void Views::Refresh(std::span<const std::string> case_ids, int rebuilds_max) {
  while (!case_ids.empty()) {
    const auto part = case_ids.first(std::min(case_ids.size(), kCasesAtOnce));
    case_ids = case_ids.subspan(part.size());
    const auto slots = store_.Get(part);
    for (size_t i = 0; i < part.size(); ++i) {
      if (slots.ok() && (*slots)[i].view) {
        hub_.Notify(*(*slots)[i].view);
      } else if (rebuilds_max-- > 0) {
        const auto view = FoldAnew(part[i], absl::Now() + kReplayTime);
        if (view.ok() && view->token() > 0) hub_.Notify(*view);
      }
    }
  }
}

}  // namespace sankofa::monitoring
