#include "services/monitoring/indicators/publication.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/monitoring/indicators/suppression.h"

namespace sankofa::monitoring {
namespace {

using Values = std::set<std::string>;

// A measure by one disaggregation.
struct Table {
  v1::Indicator* indicator = nullptr;
  std::map<std::string, StatisticsCell> cells;  // by value; those with cases
};

bool IsSmall(std::int64_t part, std::int64_t threshold) { return part > 0 && part < threshold; }

// Of a share, "all but one" tells as much as "one".
StatisticsCell StatisticsOf(v1::IndicatorKind kind, const v1::IndicatorCell& cell) {
  if (kind == v1::INDICATOR_KIND_BUSINESS_RUNNING) {
    return {.parts = {cell.sum(), cell.cases() - cell.sum()}};
  }
  return {.parts = {cell.cases()}};
}

bool HasSmallPart(const StatisticsCell& cell, std::int64_t threshold) {
  return std::any_of(cell.parts.begin(), cell.parts.end(),
                     [threshold](std::int64_t part) { return IsSmall(part, threshold); });
}

bool IsAmount(v1::IndicatorKind kind) {
  return kind >= v1::INDICATOR_KIND_AMOUNT_APPROVED && kind <= v1::INDICATOR_KIND_AMOUNT_PAID;
}

void Withhold(v1::IndicatorCell& cell) {
  cell.clear_cases();
  cell.clear_sum();
  cell.clear_mean_thousandths();
  cell.set_suppressed(true);
}

Table TableOf(v1::Indicator& indicator) {
  Table table{.indicator = &indicator, .cells = {}};
  for (const v1::IndicatorCell& cell : indicator.cells()) {
    table.cells[cell.values(0).value()] = StatisticsOf(indicator.kind(), cell);
  }
  return table;
}

// Withholds the totals that are too small. The tables of the others: what can be broken down.
std::vector<Table> WithholdTotals(google::protobuf::RepeatedPtrField<v1::Indicator>& indicators,
                                  std::int64_t threshold) {
  const auto small = [threshold](const v1::Indicator& indicator) {
    return HasSmallPart(StatisticsOf(indicator.kind(), indicator.total()), threshold);
  };
  const bool amounts = std::none_of(
      indicators.begin(), indicators.end(),
      [&small](const v1::Indicator& one) { return IsAmount(one.kind()) && small(one); });
  std::vector<Table> tables;
  for (v1::Indicator& indicator : indicators) {
    if (small(indicator) || (IsAmount(indicator.kind()) && !amounts)) {
      Withhold(*indicator.mutable_total());
      indicator.clear_cells();
    } else {
      tables.push_back(TableOf(indicator));
    }
  }
  return tables;
}

// The values that the registered cases have to hide; false where even hiding all is not enough.
bool HideRegistered(const Table& registered, std::int64_t threshold, Values& hidden) {
  std::vector<StatisticsCell> cells;
  for (const auto& [_, cell] : registered.cells) cells.push_back(cell);
  StatisticsCell total = StatisticsOf(v1::INDICATOR_KIND_REGISTERED, registered.indicator->total());
  Suppress(cells, total, threshold);
  if (total.suppressed) return false;
  std::size_t i = 0;
  for (const auto& [value, _] : registered.cells) {
    if (cells[i++].suppressed) hidden.insert(value);
  }
  return true;
}

// Hides one more value where the table needs it. False where nothing is left to hide.
bool HideMore(const Table& table, std::int64_t threshold, Values& hidden, bool& changed) {
  StatisticsCell sum;
  const std::pair<const std::string, StatisticsCell>* smallest = nullptr;
  const auto size = [](const StatisticsCell& cell) {
    return std::accumulate(cell.parts.begin(), cell.parts.end(), std::int64_t{0});
  };
  for (const auto& entry : table.cells) {
    const StatisticsCell& cell = entry.second;
    if (!hidden.contains(entry.first) && HasSmallPart(cell, threshold)) {
      changed = true;
      hidden.insert(entry.first);
    }
    if (hidden.contains(entry.first)) {
      sum.parts.resize(cell.parts.size());
      for (std::size_t i = 0; i < cell.parts.size(); ++i) sum.parts[i] += cell.parts[i];
    } else if (smallest == nullptr || size(cell) < size(smallest->second)) {
      smallest = &entry;
    }
  }
  if (!HasSmallPart(sum, threshold)) return true;
  if (smallest == nullptr) return false;
  changed = true;
  hidden.insert(smallest->first);
  return true;
}

// Hides as much as all of the tables need. False where that can't be done.
bool HideForAll(const std::vector<const Table*>& tables, std::int64_t threshold, Values& hidden) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (const Table* table : tables) {
      if (!HideMore(*table, threshold, hidden, changed)) return false;
    }
  }
  return true;
}

// What is broken down, or left out, together: all amounts; any other measure by itself. The most frequent first, so that
// a rare one does not make a common one hide.
std::vector<std::vector<const Table*>> UnitsOf(const std::vector<Table>& tables) {
  std::vector<std::vector<const Table*>> units;
  std::vector<const Table*> amounts;
  for (const Table& table : tables) {
    const v1::IndicatorKind kind = table.indicator->kind();
    if (kind == v1::INDICATOR_KIND_REGISTERED) continue;
    if (IsAmount(kind)) {
      amounts.push_back(&table);
    } else {
      units.push_back({&table});
    }
  }
  std::stable_sort(units.begin(), units.end(), [](const auto& a, const auto& b) {
    return a.front()->indicator->total().cases() > b.front()->indicator->total().cases();
  });
  if (!amounts.empty()) units.push_back(std::move(amounts));
  return units;
}

// Lists every value that registered cases have, the hidden ones alike whether the measure has cases there or not.
void ShowBreakdown(const Table& table, const Table& registered, const Values& hidden) {
  std::map<std::string, v1::IndicatorCell> cells;
  for (const v1::IndicatorCell& cell : table.indicator->cells()) {
    cells[cell.values(0).value()] = cell;
  }
  google::protobuf::RepeatedPtrField<v1::IndicatorCell> shown;
  for (const v1::IndicatorCell& base : registered.indicator->cells()) {
    const std::string& value = base.values(0).value();
    v1::IndicatorCell& cell = *shown.Add();
    cell = cells[value];
    *cell.mutable_values() = base.values();
    if (hidden.contains(value)) Withhold(cell);
  }
  table.indicator->mutable_cells()->Swap(&shown);
}

}  // namespace

void WithholdFew(google::protobuf::RepeatedPtrField<v1::Indicator>& indicators,
                 std::int64_t threshold) {
  const std::vector<Table> tables = WithholdTotals(indicators, threshold);
  const auto registered = std::find_if(tables.begin(), tables.end(), [](const Table& table) {
    return table.indicator->kind() == v1::INDICATOR_KIND_REGISTERED;
  });
  Values base;
  const bool any = registered != tables.end() && HideRegistered(*registered, threshold, base);
  std::vector<const Table*> taken;
  std::set<const Table*> left_out;
  Values hidden = base;
  for (const auto& unit : UnitsOf(tables)) {
    std::vector<const Table*> with = taken;
    with.insert(with.end(), unit.begin(), unit.end());
    Values more = hidden;
    bool take = any && HideForAll(with, threshold, more);
    take = take &&
           2 * (registered->cells.size() - more.size()) >= registered->cells.size() - base.size();
    if (take) {
      taken = std::move(with);
      hidden = std::move(more);
    } else {
      left_out.insert(unit.begin(), unit.end());
    }
  }
  for (const Table& table : tables) {
    if (!any || left_out.contains(&table)) table.indicator->clear_cells();
  }
  if (!any) return;
  // The registered cases come last: their list of values is what the others are laid out by.
  for (const Table* table : taken) ShowBreakdown(*table, *registered, hidden);
  ShowBreakdown(*registered, *registered, base);
}

}  // namespace sankofa::monitoring
