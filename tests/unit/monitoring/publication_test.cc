#include "services/monitoring/indicators/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "services/monitoring/indicators/indicators.h"
#include "services/monitoring/indicators/statistics.h"

// What leaves the node, looked at by somebody outside who knows how the measures hang together. The attacker below shares
// no code with what withholds: he has the published tables, and adds and subtracts.
namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using MeasureKey = std::tuple<v1::IndicatorKind, int, std::string>;

// What happened to one case.
struct Person {
  std::string value;              // of the disaggregation
  std::set<MeasureKey> measures;  // that count the case
  bool running = false;           // where a business was visited
};
using People = std::vector<Person>;

const MeasureKey kRegistered{v1::INDICATOR_KIND_REGISTERED, 0, ""};
const MeasureKey kArrived{v1::INDICATOR_KIND_ARRIVED, 0, ""};
const MeasureKey kAssessed{v1::INDICATOR_KIND_ASSESSED, 0, ""};
const MeasureKey kApproved{v1::INDICATOR_KIND_APPROVED, 0, ""};
const MeasureKey kFunded{v1::INDICATOR_KIND_FUNDED, 0, ""};
const MeasureKey kGrantedEur{v1::INDICATOR_KIND_AMOUNT_GRANTED, 0, "EUR"};
const MeasureKey kGrantedXaf{v1::INDICATOR_KIND_AMOUNT_GRANTED, 0, "XAF"};
const MeasureKey kVisited{v1::INDICATOR_KIND_BUSINESS_RUNNING, 6, ""};
const MeasureKey kScored{v1::INDICATOR_KIND_SCORE_COMPOSITE, 6, ""};
const MeasureKey kReferred{v1::INDICATOR_KIND_REFERRALS, 0, ""};

v1::PreviewStatisticsRequest Year2017(int minimum_cell = 0) {
  v1::PreviewStatisticsRequest request;
  request.set_from_date("2017-01-01");
  request.set_until_date("2017-12-31");
  request.set_minimum_cell(minimum_cell);
  return request;
}

// The rows that the statement gives for these cases, by one disaggregation.
std::vector<StatisticsRow> RowsOf(const People& people) {
  std::map<std::pair<MeasureKey, std::optional<std::string>>, StatisticsRow> rows;
  for (const Person& person : people) {
    for (const MeasureKey& key : person.measures) {
      for (const bool total : {true, false}) {
        const std::optional<std::string> value =
            total ? std::nullopt : std::optional<std::string>(person.value);
        StatisticsRow& row = rows[{key, value}];
        row.breakdown = total ? -1 : 0;
        std::tie(row.figure.kind, row.figure.months, row.figure.currency) = key;
        row.figure.total = total;
        if (value) row.figure.values = {*value};
        ++row.figure.cases;
        row.figure.sum += key == kVisited && !person.running ? 0 : 1;
      }
    }
  }
  std::vector<StatisticsRow> list;
  for (auto& [_, row] : rows) list.push_back(std::move(row));
  return list;
}

v1::StatisticsTables Publish(const People& people, int minimum_cell = 0) {
  return AssembleStatistics(Year2017(minimum_cell), {v1::DISAGGREGATION_SEX}, RowsOf(people));
}

People Cases(const std::string& value, int count, const std::set<MeasureKey>& measures) {
  People people(static_cast<size_t>(count), Person{.value = value, .measures = measures});
  for (Person& person : people) person.measures.insert(kRegistered);
  return people;
}
People Together(const std::vector<People>& groups) {
  People all;
  for (const People& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

const v1::StatisticsMeasure* Find(const v1::StatisticsTables& tables, const MeasureKey& key) {
  for (const v1::StatisticsMeasure& measure : tables.measures()) {
    if (MeasureKey(measure.kind(), measure.months(), measure.currency()) == key) return &measure;
  }
  return nullptr;
}
// Value and cases of each figure; -1 where it is withheld.
std::vector<std::pair<std::string, std::int64_t>> Shown(const v1::StatisticsTables& tables,
                                                        const MeasureKey& key) {
  std::vector<std::pair<std::string, std::int64_t>> shown;
  const auto* measure = Find(tables, key);
  if (measure == nullptr || measure->breakdowns().empty()) return shown;
  for (const v1::StatisticsFigure& figure : measure->breakdowns(0).figures()) {
    shown.emplace_back(figure.value(), figure.suppressed() ? -1 : figure.cases());
  }
  return shown;
}
using Figures = std::vector<std::pair<std::string, std::int64_t>>;

TEST(WithholdFew, ShowsAllWhereThereAreEnough) {
  const auto tables =
      Publish(Together({Cases("a", 12, {kArrived}), Cases("b", 7, {kArrived}), Cases("c", 6, {})}));
  EXPECT_EQ(Shown(tables, kRegistered), (Figures{{"a", 12}, {"b", 7}, {"c", 6}}));
  EXPECT_EQ(Shown(tables, kArrived), (Figures{{"a", 12}, {"b", 7}, {"c", 0}}));
  EXPECT_EQ(Find(tables, kArrived)->total().cases(), 19);
  EXPECT_EQ(tables.minimum_cell(), 5);
}

TEST(WithholdFew, AMeasureOfTooFewIsNotMentioned) {
  const auto tables = Publish(Together({Cases("a", 20, {}), Cases("a", 4, {kFunded})}));
  EXPECT_EQ(Find(tables, kFunded), nullptr);
  EXPECT_EQ(Find(tables, kRegistered)->total().cases(), 24);
  EXPECT_THAT(Publish(Cases("a", 4, {kArrived})).measures(), IsEmpty());
}

TEST(WithholdFew, WhatOneMeasureHidesAnotherDoesNotTell) {
  // Of "a" one is registered; "c" is hidden with it. All five of "c" arrived: shown, that would leave one for "a".
  const auto tables =
      Publish(Together({Cases("a", 1, {}), Cases("b", 9, {kArrived}), Cases("c", 5, {kArrived}),
                        Cases("d", 8, {kArrived}), Cases("e", 8, {kArrived})}));
  EXPECT_EQ(Shown(tables, kRegistered),
            (Figures{{"a", -1}, {"b", 9}, {"c", -1}, {"d", 8}, {"e", 8}}));
  EXPECT_EQ(Shown(tables, kArrived), (Figures{{"a", -1}, {"b", 9}, {"c", -1}, {"d", 8}, {"e", 8}}));
}

TEST(WithholdFew, OnesAreNotToldByTheirSum) {
  // Five values with one case each: a total of five would tell each of them.
  const auto tables = Publish(Together({Cases("a", 1, {}), Cases("b", 1, {}), Cases("c", 1, {}),
                                        Cases("d", 1, {}), Cases("e", 1, {})}));
  EXPECT_EQ(Find(tables, kRegistered)->total().cases(), 5);
  EXPECT_THAT(Shown(tables, kRegistered), IsEmpty());
}

TEST(WithholdFew, CurrenciesDoNotTellOfEachOther) {
  // 23 were funded, 20 of them in francs: the francs alone would tell that three got euro.
  const auto tables = Publish(
      Together({Cases("a", 20, {kFunded, kGrantedXaf}), Cases("a", 3, {kFunded, kGrantedEur})}));
  EXPECT_EQ(Find(tables, kFunded)->total().cases(), 23);
  EXPECT_EQ(Find(tables, kGrantedXaf), nullptr);
  EXPECT_EQ(Find(tables, kGrantedEur), nullptr);
}

TEST(WithholdFew, ARareMeasureIsLeftOutAndTheOthersStayWhole) {
  People people;
  for (const char* value : {"a", "b", "c", "d", "e", "f"}) {
    people = Together({people, Cases(value, 8, {kArrived}), Cases(value, 1, {kArrived, kFunded})});
  }
  const auto tables = Publish(people);
  EXPECT_THAT(Shown(tables, kFunded), IsEmpty());
  EXPECT_EQ(Find(tables, kFunded)->total().cases(), 6);
  for (const auto& [_, cases] : Shown(tables, kArrived)) EXPECT_EQ(cases, 9);
}

TEST(WithholdFew, AHigherThresholdHidesMore) {
  const People people = Together({Cases("a", 12, {}), Cases("b", 7, {}), Cases("c", 30, {})});
  EXPECT_EQ(Shown(Publish(people, 1), kRegistered), (Figures{{"a", 12}, {"b", 7}, {"c", 30}}));
  EXPECT_EQ(Shown(Publish(people, 10), kRegistered), (Figures{{"a", -1}, {"b", -1}, {"c", 30}}));
}

// ---- The attacker ---------------------------------------------------------------------------------------------------------

struct Interval {
  std::int64_t low = 0;
  std::int64_t high = 1'000'000;
};
using Cell = std::pair<MeasureKey, std::string>;

// All that follows for the cells from what is published, by adding and subtracting until nothing more follows: a
// measure's cells add up to its total; the cases of `part` are among those of `whole` in each cell; in each cell the
// currencies add up to the funded.
class Solver {
 public:
  explicit Solver(const v1::StatisticsTables& tables) {
    for (const v1::StatisticsMeasure& measure : tables.measures()) {
      const MeasureKey key(measure.kind(), measure.months(), measure.currency());
      totals_[key] = measure.total().cases();
      if (measure.breakdowns().empty()) continue;
      listed_.insert(key);
      for (const v1::StatisticsFigure& figure : measure.breakdowns(0).figures()) {
        values_.insert(figure.value());
        Interval& cell = cells_[{key, figure.value()}];
        if (!figure.suppressed()) cell = {figure.cases(), figure.cases()};
        // A value is listed because somebody registered has it.
        if (figure.suppressed() && key == kRegistered) cell.low = 1;
      }
    }
    // What is left out has cells too: unknown ones.
    for (const auto& [key, total] : totals_) {
      for (const std::string& value : values_)
        cells_[{key, value}].high = std::min(total, cells_[{key, value}].high);
    }
    while (Tighten()) {}
  }
  [[nodiscard]] const std::map<Cell, Interval>& cells() const { return cells_; }
  [[nodiscard]] bool consistent() const { return consistent_; }

 private:
  bool Narrow(Interval& cell, std::int64_t low, std::int64_t high) {
    if (low <= cell.low && high >= cell.high) return false;
    cell.low = std::max(cell.low, low);
    cell.high = std::min(cell.high, high);
    consistent_ = consistent_ && cell.low <= cell.high;
    return consistent_;
  }
  // These add up to something between low and high.
  bool Sum(const std::vector<Interval*>& parts, std::int64_t low, std::int64_t high) {
    bool changed = false;
    std::int64_t lows = 0;
    std::int64_t highs = 0;
    for (const Interval* part : parts) {
      lows += part->low;
      highs += part->high;
    }
    for (Interval* part : parts) {
      const Interval before = *part;
      changed = Narrow(*part, low - (highs - before.high), high - (lows - before.low)) || changed;
      lows += part->low - before.low;
      highs += part->high - before.high;
    }
    return changed;
  }
  bool Tighten() {
    bool changed = false;
    for (const auto& [key, total] : totals_) {
      std::vector<Interval*> parts;
      for (const std::string& value : values_) parts.push_back(&cells_[{key, value}]);
      if (!parts.empty()) changed = Sum(parts, total, total) || changed;
    }
    static const std::vector<std::pair<MeasureKey, MeasureKey>> among = {
        {kArrived, kRegistered},  {kAssessed, kArrived},  {kApproved, kAssessed},
        {kFunded, kApproved},     {kVisited, kFunded},    {kScored, kFunded},
        {kReferred, kRegistered}, {kGrantedEur, kFunded}, {kGrantedXaf, kFunded}};
    for (const std::string& value : values_) {
      for (const auto& [part, whole] : among) {
        // Where a measure in between is not published, what is among it is among those around it.
        if (!totals_.contains(part)) continue;
        MeasureKey above = whole;
        while (!totals_.contains(above)) {
          above = std::find_if(among.begin(), among.end(), [&above](const auto& pair) {
                    return pair.first == above;
                  })->second;
        }
        Interval& few = cells_[{part, value}];
        Interval& many = cells_[{above, value}];
        changed = Narrow(few, few.low, many.high) || changed;
        changed = Narrow(many, few.low, many.high) || changed;
      }
      if (totals_.contains(kFunded) &&
          (totals_.contains(kGrantedEur) || totals_.contains(kGrantedXaf))) {
        // One that is not published has any number.
        std::vector<Interval*> parts = {&cells_[{kGrantedEur, value}],
                                        &cells_[{kGrantedXaf, value}]};
        Interval& funded = cells_[{kFunded, value}];
        changed = Sum(parts, funded.low, funded.high) || changed;
        changed = Narrow(funded, parts[0]->low + parts[1]->low, parts[0]->high + parts[1]->high) ||
                  changed;
      }
    }
    return changed && consistent_;
  }

  std::map<MeasureKey, std::int64_t> totals_;
  std::set<MeasureKey> listed_;
  std::set<std::string> values_;
  std::map<Cell, Interval> cells_;
  bool consistent_ = true;
};

People AnyPeople() {
  // Few values with few cases, and some that have more; each measure has its own frequency, so that tables differ.
  const int values = *rc::gen::inRange(1, 7);
  const auto often = [] { return *rc::gen::element(30, 60, 90, 100); };
  const int arrived = often();
  const int assessed = often();
  const int approved = often();
  const int funded = often();
  const int euro = *rc::gen::element(0, 20, 100);
  const int visited = often();
  const int referred = *rc::gen::element(5, 40);
  const auto happens = [](int percent) { return *rc::gen::inRange(0, 100) < percent; };
  People people;
  for (int v = 0; v < values; ++v) {
    const int count = *rc::gen::element(1, 2, 4, 5, 6, 9, 15);
    for (int i = 0; i < count; ++i) {
      Person person{.value = std::string(1, static_cast<char>('a' + v)), .measures = {kRegistered}};
      if (happens(referred)) person.measures.insert(kReferred);
      if (happens(arrived)) {
        person.measures.insert(kArrived);
        if (happens(assessed)) {
          person.measures.insert(kAssessed);
          if (happens(approved)) {
            person.measures.insert(kApproved);
            if (happens(funded)) {
              person.measures.insert(kFunded);
              person.measures.insert(happens(euro) ? kGrantedEur : kGrantedXaf);
              if (happens(visited)) {
                person.measures.insert(kVisited);
                person.running = happens(70);
              }
              if (happens(visited)) person.measures.insert(kScored);
            }
          }
        }
      }
      people.push_back(person);
    }
  }
  return people;
}

std::map<Cell, std::int64_t> TruthOf(const People& people) {
  std::map<Cell, std::int64_t> truth;
  for (const Person& person : people) {
    for (const MeasureKey& key : person.measures) ++truth[{key, person.value}];
  }
  return truth;
}

// No cell of fewer than the threshold is shown, withheld or left out in such a way that it follows: as far as anybody can
// compute, it may hold as many as the threshold.
RC_GTEST_PROP(PublicationProperty, NoSmallCellFollowsFromWhatIsPublished, ()) {
  const People people = AnyPeople();
  const int threshold = *rc::gen::element(5, 5, 7);
  const v1::StatisticsTables tables = Publish(people, threshold);
  const auto small = [threshold](std::int64_t cases) { return cases > 0 && cases < threshold; };

  for (const v1::StatisticsMeasure& measure : tables.measures()) {
    RC_ASSERT(!small(measure.total().cases()));
    for (const auto& breakdown : measure.breakdowns()) {
      for (const auto& figure : breakdown.figures()) RC_ASSERT(!small(figure.cases()));
    }
    if (measure.kind() == v1::INDICATOR_KIND_BUSINESS_RUNNING) {
      RC_ASSERT(!small(measure.total().sum()));
      RC_ASSERT(!small(measure.total().cases() - measure.total().sum()));
    }
  }
  const auto truth = TruthOf(people);
  const Solver solver(tables);
  RC_ASSERT(solver.consistent());
  for (const auto& [cell, known] : solver.cells()) {
    const auto found = truth.find(cell);
    const std::int64_t cases = found == truth.end() ? 0 : found->second;
    RC_ASSERT(known.low <= cases);
    RC_ASSERT(known.high >= cases);
    if (!small(cases)) continue;
    RC_ASSERT(known.high >= threshold);
    RC_ASSERT(known.low < known.high);
  }
}

// The sums may be added up and nothing be found, and yet only one world fit. So for each withheld cell another world is
// shown: other people, about whom exactly the same would be published, and of whom another number is in the cell.
RC_GTEST_PROP(PublicationProperty, ForEachWithheldCellThereIsAnotherWorld, ()) {
  const People people = AnyPeople();
  const v1::StatisticsTables published = Publish(people);
  const auto truth = TruthOf(people);

  // True where somebody who sees `published` can't tell these people from the true ones.
  const auto fits = [&published](const People& others) {
    std::map<Cell, std::int64_t> cells = TruthOf(others);
    std::map<MeasureKey, std::int64_t> totals;
    for (const auto& [cell, cases] : cells) totals[cell.first] += cases;
    for (const v1::StatisticsMeasure& measure : published.measures()) {
      const MeasureKey key(measure.kind(), measure.months(), measure.currency());
      if (totals[key] != measure.total().cases()) return false;
      for (const auto& breakdown : measure.breakdowns()) {
        for (const v1::StatisticsFigure& figure : breakdown.figures()) {
          const std::int64_t cases = cells[{key, figure.value()}];
          if (!figure.suppressed() && cases != figure.cases()) return false;
          if (key == kRegistered && cases == 0) return false;
        }
      }
    }
    return true;
  };
  std::vector<Cell> withheld;
  for (const v1::StatisticsMeasure& measure : published.measures()) {
    const MeasureKey key(measure.kind(), measure.months(), measure.currency());
    for (const auto& breakdown : measure.breakdowns()) {
      for (const v1::StatisticsFigure& figure : breakdown.figures()) {
        const auto found = truth.find({key, figure.value()});
        const std::int64_t cases = found == truth.end() ? 0 : found->second;
        if (figure.suppressed() && cases > 0 && cases < 5)
          withheld.emplace_back(key, figure.value());
      }
    }
  }
  for (const Cell& cell : withheld) {
    bool another = false;
    const auto differs = [&](const People& others) {
      const auto cells = TruthOf(others);
      const auto found = cells.find(cell);
      return (found == cells.end() ? 0 : found->second) != truth.at(cell) && fits(others);
    };
    // One case is of another value, or two cases change places.
    for (size_t i = 0; i < people.size() && !another; ++i) {
      for (size_t j = 0; j < people.size() && !another; ++j) {
        if (people[i].value == people[j].value) continue;
        People others = people;
        others[i].value = people[j].value;
        another = differs(others);
        others[j].value = people[i].value;
        another = another || differs(others);
      }
    }
    // Or two values do.
    for (size_t i = 0; i < people.size() && !another; ++i) {
      People others = people;
      for (Person& person : others) {
        if (person.value == cell.second) {
          person.value = people[i].value;
        } else if (person.value == people[i].value) {
          person.value = cell.second;
        }
      }
      another = differs(others);
    }
    RC_ASSERT(another);
  }
}

}  // namespace
}  // namespace sankofa::monitoring
