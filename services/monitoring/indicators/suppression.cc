#include "services/monitoring/indicators/suppression.h"

#include <algorithm>
#include <numeric>

namespace sankofa::monitoring {
namespace {

using Parts = std::vector<std::int64_t>;

bool HasSmallPart(const Parts& parts, std::int64_t threshold) {
  return std::any_of(parts.begin(), parts.end(),
                     [threshold](std::int64_t part) { return part > 0 && part < threshold; });
}

std::int64_t SizeOf(const StatisticsCell& cell) {
  return std::accumulate(cell.parts.begin(), cell.parts.end(), std::int64_t{0});
}

// What can be computed from the total and the cells that are shown: the suppressed cells together.
struct Hidden {
  Parts sum;
  int cells = 0;
};
Hidden HiddenOf(const std::vector<StatisticsCell>& cells, std::size_t parts) {
  Hidden hidden{.sum = Parts(parts, 0)};
  for (const StatisticsCell& cell : cells) {
    if (!cell.suppressed) continue;
    ++hidden.cells;
    for (std::size_t i = 0; i < parts; ++i) hidden.sum[i] += cell.parts[i];
  }
  return hidden;
}

// The smallest cell with anybody in it that is still shown; null where there is none.
StatisticsCell* SmallestShown(std::vector<StatisticsCell>& cells) {
  StatisticsCell* smallest = nullptr;
  for (StatisticsCell& cell : cells) {
    if (cell.suppressed || SizeOf(cell) == 0) continue;
    if (smallest == nullptr || SizeOf(cell) < SizeOf(*smallest)) smallest = &cell;
  }
  return smallest;
}

void SuppressAll(std::vector<StatisticsCell>& cells, StatisticsCell& total) {
  for (StatisticsCell& cell : cells) cell.suppressed = true;
  total.suppressed = true;
}

}  // namespace

void Suppress(std::vector<StatisticsCell>& cells, StatisticsCell& total, std::int64_t threshold) {
  if (HasSmallPart(total.parts, threshold)) {
    SuppressAll(cells, total);
    return;
  }
  for (StatisticsCell& cell : cells) cell.suppressed = HasSmallPart(cell.parts, threshold);
  while (true) {
    const Hidden hidden = HiddenOf(cells, total.parts.size());
    if (hidden.cells == 0) return;
    const std::int64_t most = SizeOf({.parts = hidden.sum}) - (hidden.cells - 1);
    if (hidden.cells > 1 && !HasSmallPart(hidden.sum, threshold) && most >= threshold) return;
    StatisticsCell* next = SmallestShown(cells);
    if (next == nullptr) {
      SuppressAll(cells, total);
      return;
    }
    next->suppressed = true;
  }
}

}  // namespace sankofa::monitoring
