#include "services/monitoring/indicators/suppression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <numeric>
#include <set>

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;

struct Table {
  std::vector<StatisticsCell> cells;
  StatisticsCell total;
};

Table TableOf(const std::vector<std::vector<std::int64_t>>& cells) {
  Table table;
  for (const auto& parts : cells) {
    table.cells.push_back({.parts = parts});
    table.total.parts.resize(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) table.total.parts[i] += parts[i];
  }
  return table;
}

std::vector<bool> Suppressed(const std::vector<std::int64_t>& counts, std::int64_t threshold = 5) {
  std::vector<std::vector<std::int64_t>> cells;
  for (const std::int64_t count : counts) cells.push_back({count});
  Table table = TableOf(cells);
  Suppress(table.cells, table.total, threshold);
  std::vector<bool> suppressed;
  for (const StatisticsCell& cell : table.cells) suppressed.push_back(cell.suppressed);
  suppressed.push_back(table.total.suppressed);
  return suppressed;
}

// The last one is the total.
TEST(Suppress, HidesSmallCellsAndWhatWouldGiveThemAway) {
  EXPECT_THAT(Suppressed({10, 20, 30}), ElementsAre(false, false, false, false));
  EXPECT_THAT(Suppressed({3, 20, 30}), ElementsAre(true, true, false, false));
  EXPECT_THAT(Suppressed({30, 3, 20}), ElementsAre(false, true, true, false));
  EXPECT_THAT(Suppressed({3, 4, 30}), ElementsAre(true, true, false, false));
  EXPECT_THAT(Suppressed({1, 2, 30}), ElementsAre(true, true, true, false));  // 1 + 2 < 5
  EXPECT_THAT(Suppressed({5, 6}), ElementsAre(false, false, false));
  EXPECT_THAT(Suppressed({4, 6}), ElementsAre(true, true, false));
}

TEST(Suppress, ShowsNothingAboutSoFew) {
  EXPECT_THAT(Suppressed({4}), ElementsAre(true, true));
  EXPECT_THAT(Suppressed({2, 2}), ElementsAre(true, true, true));
  EXPECT_THAT(Suppressed({}), ElementsAre(false));
}

TEST(Suppress, AnEmptyCellHidesNothing) {
  EXPECT_THAT(Suppressed({0, 10}), ElementsAre(false, false, false));
  // The only other cell is empty: the total would give the small one away, so nothing is shown.
  EXPECT_THAT(Suppressed({0, 4}), ElementsAre(true, true, true));
  EXPECT_THAT(Suppressed({0, 3, 9}), ElementsAre(false, true, true, false));
}

TEST(Suppress, AllButOneTellsAsMuchAsOne) {
  Table table = TableOf({{29, 1}, {20, 10}, {30, 30}});
  Suppress(table.cells, table.total, 5);
  EXPECT_TRUE(table.cells[0].suppressed);
  EXPECT_TRUE(table.cells[1].suppressed);
  EXPECT_FALSE(table.cells[2].suppressed);
  EXPECT_FALSE(table.total.suppressed);
}

TEST(Suppress, AThresholdOfOneHidesNothing) {
  EXPECT_THAT(Suppressed({1, 2, 3}, 1), ElementsAre(false, false, false, false));
}

// ---- The attacker -------------------------------------------------------------------------------------------------------

// Every value that the `wanted` cell's part may have, for somebody who knows the total and what is shown, and tries all
// whole numbers from 0 for what is not.
std::set<std::int64_t> Possible(const Table& table, size_t wanted, size_t part) {
  std::int64_t left = table.total.parts[part];
  std::vector<size_t> hidden;
  for (size_t i = 0; i < table.cells.size(); ++i) {
    if (table.cells[i].suppressed) {
      hidden.push_back(i);
    } else {
      left -= table.cells[i].parts[part];
    }
  }
  std::set<std::int64_t> values;
  std::vector<std::int64_t> guess(table.cells.size(), 0);
  const std::function<void(size_t, std::int64_t)> fill = [&](size_t at, std::int64_t rest) {
    if (at + 1 == hidden.size()) {
      guess[hidden[at]] = rest;
      values.insert(guess[wanted]);
      return;
    }
    for (std::int64_t value = 0; value <= rest; ++value) {
      guess[hidden[at]] = value;
      fill(at + 1, rest - value);
    }
  };
  fill(0, left);
  return values;
}

RC_GTEST_PROP(SuppressProperty, NoSmallCellCanBeComputed, ()) {
  const std::int64_t threshold = *rc::gen::inRange(1, 7);
  const size_t parts = *rc::gen::inRange<size_t>(1, 3);
  const size_t count = *rc::gen::inRange<size_t>(0, 5);
  std::vector<std::vector<std::int64_t>> cells(count);
  for (auto& cell : cells) {
    for (size_t p = 0; p < parts; ++p) cell.push_back(*rc::gen::inRange(0, 12));
  }
  Table table = TableOf(cells);
  if (table.total.parts.empty()) table.total.parts.assign(parts, 0);
  Suppress(table.cells, table.total, threshold);

  const auto small = [threshold](std::int64_t value) { return value > 0 && value < threshold; };
  // Nothing that is shown is small.
  for (size_t p = 0; p < parts; ++p)
    RC_ASSERT(table.total.suppressed || !small(table.total.parts[p]));
  for (const StatisticsCell& cell : table.cells) {
    for (const std::int64_t part : cell.parts) RC_ASSERT(cell.suppressed || !small(part));
  }
  if (table.total.suppressed) {
    // Nothing to subtract from, and nothing shown to begin with.
    for (const StatisticsCell& cell : table.cells) RC_ASSERT(cell.suppressed);
    return;
  }
  for (size_t i = 0; i < table.cells.size(); ++i) {
    if (!table.cells[i].suppressed) continue;
    for (size_t p = 0; p < parts; ++p) {
      const std::int64_t truth = table.cells[i].parts[p];
      if (!small(truth)) continue;
      const auto possible = Possible(table, i, p);
      RC_ASSERT(possible.contains(truth));
      // As small as it is, it may as well be no small cell at all.
      RC_ASSERT(*possible.rbegin() >= threshold);
      RC_ASSERT(possible.size() > static_cast<size_t>(threshold));
    }
  }
}

RC_GTEST_PROP(SuppressProperty, HidesNothingWhereNothingIsSmall, ()) {
  const std::int64_t threshold = *rc::gen::inRange(1, 7);
  std::vector<std::vector<std::int64_t>> cells(*rc::gen::inRange<size_t>(0, 6));
  for (auto& cell : cells) {
    cell.push_back(*rc::gen::element<std::int64_t>(0, threshold, threshold + 7));
  }
  Table table = TableOf(cells);
  if (table.total.parts.empty()) table.total.parts = {0};
  Suppress(table.cells, table.total, threshold);
  RC_ASSERT(!table.total.suppressed);
  for (const StatisticsCell& cell : table.cells) RC_ASSERT(!cell.suppressed);
}

}  // namespace
}  // namespace sankofa::monitoring
