#include "services/monitoring/indicators/statistics.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/monitoring/indicators/publication.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

constexpr char kPreview[] = "sankofa.monitoring.v1.MonitoringService/PreviewStatistics";

constexpr v1::Disaggregation kUsual[] = {
    v1::DISAGGREGATION_SEX,         v1::DISAGGREGATION_AGE_BAND, v1::DISAGGREGATION_HOST_COUNTRY,
    v1::DISAGGREGATION_RETURN_TYPE, v1::DISAGGREGATION_KIND,     v1::DISAGGREGATION_REGION,
    v1::DISAGGREGATION_VULNERABLE};

// Of these two, one follows from the other for whoever knows the programmes and the countries: what one withholds could
// be had by adding up the other.
constexpr std::pair<v1::Disaggregation, v1::Disaggregation> kLinked[] = {
    {v1::DISAGGREGATION_PROGRAMME, v1::DISAGGREGATION_HOST_COUNTRY},
    {v1::DISAGGREGATION_PROGRAMME, v1::DISAGGREGATION_ORIGIN_COUNTRY},
    {v1::DISAGGREGATION_PROGRAMME, v1::DISAGGREGATION_RETURN_TYPE},
    {v1::DISAGGREGATION_PROGRAMME, v1::DISAGGREGATION_LEVEL},
    {v1::DISAGGREGATION_KIND, v1::DISAGGREGATION_LEVEL},
    {v1::DISAGGREGATION_KIND, v1::DISAGGREGATION_SECTOR},
    {v1::DISAGGREGATION_LEVEL, v1::DISAGGREGATION_SECTOR},
    {v1::DISAGGREGATION_ORIGIN_COUNTRY, v1::DISAGGREGATION_REGION},
};

v1::PreviewStatisticsRequest PreviewOf(const v1::PublishStatisticsRequest& request) {
  v1::PreviewStatisticsRequest preview;
  preview.set_from_date(request.from_date());
  preview.set_until_date(request.until_date());
  preview.set_minimum_cell(request.minimum_cell());
  *preview.mutable_disaggregations() = request.disaggregations();
  return preview;
}

std::string YearOf(const v1::PublishStatisticsRequest& request) {
  return request.from_date().substr(0, 4);
}

absl::StatusOr<std::shared_ptr<const google::protobuf::Message>> FactsFor(
    engine::FactCall& call, const v1::PublishStatisticsRequest& request) {
  auto tables = std::make_shared<v1::StatisticsTables>();
  if (auto asked = call.Call(kPreview, PreviewOf(request), *tables); !asked.ok()) return asked;
  return tables;
}

// The other half of the pair: what is about to leave the node is looked at once more, whoever made it.
bool TellsOfTooFew(const v1::StatisticsTables& tables) {
  const auto few = [&tables](const v1::StatisticsFigure& figure) {
    if (figure.suppressed()) return figure.cases() != 0 || figure.sum() != 0;
    return figure.cases() < 0 || (figure.cases() > 0 && figure.cases() < tables.minimum_cell());
  };
  return std::any_of(
      tables.measures().begin(), tables.measures().end(), [&few](const v1::StatisticsMeasure& one) {
        return few(one.total()) || std::any_of(one.breakdowns().begin(), one.breakdowns().end(),
                                               [&few](const v1::StatisticsBreakdown& breakdown) {
                                                 return std::any_of(breakdown.figures().begin(),
                                                                    breakdown.figures().end(), few);
                                               });
      });
}

v1::StatisticsFigure FigureOf(const v1::IndicatorCell& cell) {
  v1::StatisticsFigure figure;
  if (cell.values_size() > 0) figure.set_value(cell.values(0).value());
  figure.set_cases(cell.cases());
  figure.set_sum(cell.sum());
  figure.set_mean_thousandths(cell.mean_thousandths());
  figure.set_suppressed(cell.suppressed());
  return figure;
}

absl::StatusOr<std::vector<StatisticsRow>> RowsOf(const postgres::Result& result, int breakdowns) {
  std::vector<StatisticsRow> rows;
  for (int i = 0; i < result.rows(); ++i) {
    StatisticsRow row;
    row.figure.kind = static_cast<v1::IndicatorKind>(result.integer(i, 0));
    row.figure.months = static_cast<int>(result.integer(i, 1));
    row.figure.currency = std::string(result.text(i, 2));
    row.figure.cases = result.integer(i, 3);
    if (!absl::SimpleAtoi(status::Absl(result.text(i, 4)), &row.figure.sum)) {
      return status::Internal("a sum of an indicator is out of range");
    }
    for (int b = 0; b < breakdowns; ++b) {
      if (result.integer(i, 5 + 2 * b) != 0) continue;  // not grouped by it
      row.breakdown = b;
      row.figure.values = {std::string(result.text(i, 6 + 2 * b))};
    }
    row.figure.total = row.breakdown < 0;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

// ---- Computing ----------------------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<v1::Disaggregation>> CheckStatistics(
    const v1::PreviewStatisticsRequest& request, absl::Time now) {
  if (!IsWholeYear(request.from_date(), request.until_date(), now)) {
    return RefuseField(v1::REASON_PUBLISHED_TOO_FINE, "from_date");
  }
  std::vector<v1::Disaggregation> asked;
  for (int i = 0; i < request.disaggregations_size(); ++i) {
    const auto disaggregation = request.disaggregations(i);
    const std::string field = absl::StrCat("disaggregations[", i, "]");
    if (ColumnOf(disaggregation) == nullptr ||
        std::find(asked.begin(), asked.end(), disaggregation) != asked.end()) {
      return RefuseField(v1::REASON_DISAGGREGATION_INVALID, field);
    }
    for (const v1::Disaggregation other : asked) {
      const bool linked =
          std::any_of(std::begin(kLinked), std::end(kLinked), [&](const auto& pair) {
            return pair == std::pair(disaggregation, other) ||
                   pair == std::pair(other, disaggregation);
          });
      if (linked) return RefuseField(v1::REASON_DISAGGREGATIONS_LINKED, field);
    }
    asked.push_back(disaggregation);
  }
  if (asked.empty()) asked.assign(std::begin(kUsual), std::end(kUsual));
  return asked;
}

IndicatorStatement StatisticsStatementOf(const v1::PreviewStatisticsRequest& request,
                                         const std::vector<v1::Disaggregation>& disaggregations) {
  const std::string keys = "indicator, months, currency";
  std::string columns;
  std::string sets = absl::StrCat("(", keys, ")");
  std::vector<std::string> order = {keys};
  for (const v1::Disaggregation disaggregation : disaggregations) {
    const char* column = ColumnOf(disaggregation);
    absl::StrAppend(&columns, ", grouping(", column, "), ", column);
    absl::StrAppend(&sets, ", (", keys, ", ", column, ")");
    order.emplace_back(column);
  }
  return {
      .sql = absl::StrCat("select ", keys, ", count(distinct owner_id), sum(value)::text", columns,
                          " from case_fact where indicator > 0 and registered_date >= $1::date "
                          "and registered_date <= $2::date group by grouping sets (",
                          sets, ") order by ", absl::StrJoin(order, ", ")),
      .params = {request.from_date(), request.until_date()}};
}

v1::StatisticsTables AssembleStatistics(const v1::PreviewStatisticsRequest& request,
                                        const std::vector<v1::Disaggregation>& disaggregations,
                                        const std::vector<StatisticsRow>& rows) {
  v1::StatisticsTables tables;
  tables.set_from_date(request.from_date());
  tables.set_until_date(request.until_date());
  tables.set_minimum_cell(std::max(kMinimumCell, request.minimum_cell()));
  std::map<std::tuple<int, int, std::string>, v1::StatisticsMeasure> measures;
  for (int b = 0; b < static_cast<int>(disaggregations.size()); ++b) {
    v1::GetIndicatorsRequest one;
    one.add_group_by(disaggregations[b]);
    one.set_published(true);
    one.set_minimum_cell(tables.minimum_cell());
    std::vector<IndicatorRow> figures;
    for (const StatisticsRow& row : rows) {
      if (row.breakdown == -1 || row.breakdown == b) figures.push_back(row.figure);
    }
    const v1::GetIndicatorsResponse response = Assemble(one, figures);
    for (const v1::Indicator& indicator : response.indicators()) {
      if (indicator.total().suppressed()) continue;
      v1::StatisticsMeasure& measure =
          measures[{indicator.kind(), indicator.months(), indicator.currency()}];
      measure.set_kind(indicator.kind());
      measure.set_months(indicator.months());
      measure.set_currency(indicator.currency());
      *measure.mutable_total() = FigureOf(indicator.total());
      if (indicator.cells_size() == 0) continue;
      v1::StatisticsBreakdown& breakdown = *measure.add_breakdowns();
      breakdown.set_disaggregation(disaggregations[b]);
      for (const v1::IndicatorCell& cell : indicator.cells()) {
        *breakdown.add_figures() = FigureOf(cell);
      }
    }
  }
  for (auto& [_, measure] : measures) *tables.add_measures() = std::move(measure);
  return tables;
}

absl::StatusOr<v1::StatisticsTables> PreviewStatistics(
    rpc::QueryCall& call, const v1::PreviewStatisticsRequest& request) {
  const auto disaggregations = CheckStatistics(request, call.now());
  if (!disaggregations.ok()) return disaggregations.status();
  const IndicatorStatement statement = StatisticsStatementOf(request, *disaggregations);
  const auto result = call.Sql(statement.sql, statement.params);
  if (!result.ok()) return result.status();
  const auto rows = RowsOf(*result, static_cast<int>(disaggregations->size()));
  if (!rows.ok()) return rows.status();
  v1::StatisticsTables tables = AssembleStatistics(request, *disaggregations, *rows);
  *tables.mutable_compute_time() = time::ToTimestamp(call.now());
  return tables;
}

// ---- Publishing ---------------------------------------------------------------------------------------------------------

engine::Decision StatisticsDecider::Decide(const State& state,
                                           const v1::PublishStatisticsRequest& request,
                                           const engine::Context& context) {
  if (!state.id().empty()) return Refuse(v1::REASON_STATISTICS_PUBLISHED);
  if (auto checked = CheckStatistics(PreviewOf(request), context.now); !checked.ok()) {
    return checked.status();
  }
  const std::string year = YearOf(request);
  if (!context.Related<v1::StatisticsYear>(year).id().empty()) {
    return Refuse(v1::REASON_STATISTICS_YEAR_PUBLISHED);
  }
  const auto* tables = context.Facts<v1::StatisticsTables>();
  if (tables == nullptr || tables->from_date() != request.from_date() ||
      tables->until_date() != request.until_date() ||
      tables->minimum_cell() != std::max(kMinimumCell, request.minimum_cell())) {
    return status::Internal("the statistics that were computed are not those asked for");
  }
  if (TellsOfTooFew(*tables)) return status::Internal("statistics would tell of too few cases");
  if (tables->measures_size() == 0) return Refuse(v1::REASON_STATISTICS_EMPTY);
  v1::StatisticsPublished event;
  event.set_code(request.code());
  *event.mutable_tables() = *tables;
  *event.mutable_publish_time() = time::ToTimestamp(context.now);
  v1::StatisticsYearTaken taken;
  taken.set_year(year);
  taken.set_code(request.code());
  return engine::Emit(std::move(event)).AddTo<v1::StatisticsYear>(year, std::move(taken));
}

void StatisticsDecider::Apply(State& state, const v1::StatisticsPublished& event) {
  state.set_id(event.code());
  *state.mutable_tables() = event.tables();
  *state.mutable_publish_time() = event.publish_time();
}

const engine::Table& StatisticsDecider::ProjectTable() {
  static const engine::Table table{
      .name = "statistics",
      .columns = {"from_date", "until_date", "minimum_cell", "publish_time"},
      .types = {"date", "date", "integer", "timestamptz"}};
  return table;
}

std::vector<engine::Row> StatisticsDecider::Project(const State& state) {
  return {{{state.tables().from_date(), state.tables().until_date(),
            absl::StrCat(state.tables().minimum_cell()),
            absl::FormatTime("%Y-%m-%d %H:%M:%E6S+00", time::FromTimestamp(state.publish_time()),
                             absl::UTCTimeZone())}}};
}

void StatisticsYearDecider::Apply(State& state, const v1::StatisticsYearTaken& event) {
  state.set_id(event.year());
  state.set_code(event.code());
}

void BindStatistics(engine::Registry& registry) {
  registry.AggregateOf<StatisticsYearDecider>();
  registry.Command<StatisticsDecider, v1::PublishStatisticsRequest>(
      {.target = engine::Target::kEither,
       .id = [](const auto& request) { return request.code(); },
       .names = [](const auto& request, const auto& /*state*/,
                   engine::Names& names) { names.Add<v1::StatisticsYear>(YearOf(request)); },
       .facts = FactsFor});
}

}  // namespace sankofa::monitoring
