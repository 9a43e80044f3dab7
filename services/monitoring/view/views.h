#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/monitoring/v1/case_view.pb.h"
#include "services/monitoring/view/source.h"
#include "services/monitoring/view/store.h"
#include "services/monitoring/view/view.h"
#include "services/monitoring/view/watch.h"
#include "services/platform/engine/engine.h"

// Reading and writing views: store first, journals where the store has none or is away. Thread-safe.
//
// A view that grows event by event and one that is folded anew meet at the store: each is written over the version that
// its writer read. So a view in the store never goes back, and holds every event that its consumer has passed; a reader
// who folded anew while the consumer wrote simply does not write.
namespace sankofa::monitoring {

class Views {
 public:
  Views(ViewStore& store, EventSource& source, WatchHub& hub)
      : store_(store), source_(source), hub_(hub) {}

  // The view of a case. NOT_FOUND where no service has an event of it; UNAVAILABLE where neither the store nor all
  // journals can be read.
  [[nodiscard]] absl::StatusOr<v1::CaseView> Get(const std::string& case_id, absl::Time deadline);

  // Folds events into their cases' views, and tells who watches. Events may come again. UNAVAILABLE where the store is
  // away: then some may have been folded, and the same events are to be given again. A case that has to be folded anew
  // while a journal is away loses its view instead, and waits for nobody: its next reader folds it.
  [[nodiscard]] absl::Status Apply(std::span<const engine::IncomingEvent> events);

  // Folds a case anew, compares with what is stored, and stores. A view that is ahead is left.
  enum class Rebuilt { kUnknown, kMissing, kSame, kBehind, kAhead, kDiffering };
  [[nodiscard]] absl::StatusOr<Rebuilt> Rebuild(const std::string& case_id, absl::Time deadline);

  // Tells who watches what the store, or where it is away the journals, have by now: another process may have written
  // it. Folds at most `rebuilds_max` cases anew.
  void Refresh(std::span<const std::string> case_ids, int rebuilds_max);

 private:
  using Cases = std::map<std::string, std::vector<const engine::IncomingEvent*>>;

  [[nodiscard]] absl::StatusOr<v1::CaseView> FoldAnew(const std::string& case_id,
                                                      absl::Time deadline);
  [[nodiscard]] absl::Status ApplyRound(Cases& pending);
  [[nodiscard]] absl::StatusOr<bool> FoldInto(
      ViewSlot& slot, const std::string& case_id,
      const std::vector<const engine::IncomingEvent*>& events);

  ViewStore& store_;
  EventSource& source_;
  WatchHub& hub_;
};

}  // namespace sankofa::monitoring
