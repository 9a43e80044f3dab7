#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "sankofa/monitoring/v1/statistics.pb.h"
#include "services/monitoring/indicators/indicators.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/fact_call.h"
#include "services/platform/engine/registry.h"
#include "services/platform/rpc/queries.h"

// Statistics that leave the node: computed once from the indicators, published under a code, and never changed. They are
// about the cases registered in one calendar year that is over, and of each year there is one publication.
namespace sankofa::monitoring {

struct StatisticsDecider {
  using State = v1::Statistics;
  using EventTypes = engine::EventTypes<v1::StatisticsPublished>;

  // Facts: v1::StatisticsTables. Related: v1::StatisticsYear of the year.
  static engine::Decision Decide(const State&, const v1::PublishStatisticsRequest&,
                                 const engine::Context&);
  static void Apply(State&, const v1::StatisticsPublished&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

// Keeps a year from being published twice.
struct StatisticsYearDecider {
  using State = v1::StatisticsYear;
  using EventTypes = engine::EventTypes<v1::StatisticsYearTaken>;
  static void Apply(State&, const v1::StatisticsYearTaken&);
};

void BindStatistics(engine::Registry& registry);

// Refuses a period that is no year that is over, and disaggregations that tell of each other. The disaggregations, in
// order: those asked for, or where there are none the usual ones.
[[nodiscard]] absl::StatusOr<std::vector<v1::Disaggregation>> CheckStatistics(
    const v1::PreviewStatisticsRequest& request, absl::Time now);

// One row of the statement: a figure of a measure in total, or by one of the disaggregations.
struct StatisticsRow {
  int breakdown = -1;  // which disaggregation; -1 for the total
  IndicatorRow figure;
};
// All totals and breakdowns from one statement, so that they agree.
[[nodiscard]] IndicatorStatement StatisticsStatementOf(
    const v1::PreviewStatisticsRequest& request,
    const std::vector<v1::Disaggregation>& disaggregations);

// Puts the rows together and withholds what would tell of too few.
[[nodiscard]] v1::StatisticsTables AssembleStatistics(
    const v1::PreviewStatisticsRequest& request,
    const std::vector<v1::Disaggregation>& disaggregations, const std::vector<StatisticsRow>& rows);

[[nodiscard]] absl::StatusOr<v1::StatisticsTables> PreviewStatistics(
    rpc::QueryCall& call, const v1::PreviewStatisticsRequest& request);

}  // namespace sankofa::monitoring
