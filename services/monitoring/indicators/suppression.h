#pragma once

#include <cstdint>
#include <vector>

// Suppression for published statistics. Somebody who knows the total and all cells that are shown must not be able to
// tell how many there are in a cell of fewer than `threshold` persons.
//
// A cell has parts: the cases counted, or (for a share) those of which it holds and those of which it does not, since
// "all but one" tells as much as "one". A part is small where it is above zero and below the threshold.
//
//   1. A cell with a small part is suppressed.
//   2. As long as fewer than two cells are suppressed, or their sum has a small part, or is so small that none of them can
//      hold as many as the threshold (each holds somebody, or it would be shown), the smallest cell that is still shown is
//      suppressed as well: the total would give it away.
//   3. Where that needs more cells than there are, or where the total has a small part itself, nothing is shown.
//
// An empty cell is no person's and stays shown; it hides nothing.
namespace sankofa::monitoring {

struct StatisticsCell {
  std::vector<std::int64_t> parts;  // at least 0; the same number in every cell of a table
  bool suppressed = false;
};

// Sets `suppressed` in the cells and in their total, whose parts are the sums over the cells.
void Suppress(std::vector<StatisticsCell>& cells, StatisticsCell& total, std::int64_t threshold);

}  // namespace sankofa::monitoring
