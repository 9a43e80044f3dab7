#include "services/monitoring/indicators/indicators.h"

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
#include "services/monitoring/survey/scoring.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

bool HasRole(const engine::Actor& actor, std::initializer_list<const char*> roles) {
  return std::any_of(roles.begin(), roles.end(), [&actor](const char* role) {
    return std::find(actor.roles.begin(), actor.roles.end(), role) != actor.roles.end();
  });
}

bool IsShareOrScore(v1::IndicatorKind kind) {
  return kind >= v1::INDICATOR_KIND_BUSINESS_RUNNING && kind <= v1::INDICATOR_KIND_SCORE_COMPOSITE;
}

v1::IndicatorCell CellOf(const v1::GetIndicatorsRequest& request, const IndicatorRow& row) {
  v1::IndicatorCell cell;
  for (size_t i = 0; i < row.values.size(); ++i) {
    v1::DimensionValue& value = *cell.add_values();
    value.set_disaggregation(request.group_by(static_cast<int>(i)));
    value.set_value(row.values[i]);
  }
  cell.set_cases(row.cases);
  cell.set_sum(row.sum);
  // Scores are thousandths already; of the running ones the share in thousandths is wanted.
  if (IsShareOrScore(row.kind) && row.cases > 0) {
    const bool share = row.kind == v1::INDICATOR_KIND_BUSINESS_RUNNING;
    cell.set_mean_thousandths(DivideHalfUp(share ? 1000 * row.sum : row.sum, row.cases));
  }
  return cell;
}

absl::StatusOr<std::vector<IndicatorRow>> RowsOf(const postgres::Result& result, int values) {
  std::vector<IndicatorRow> rows;
  for (int i = 0; i < result.rows(); ++i) {
    IndicatorRow row;
    row.kind = static_cast<v1::IndicatorKind>(result.integer(i, 0));
    row.months = static_cast<int>(result.integer(i, 1));
    row.currency = std::string(result.text(i, 2));
    row.cases = result.integer(i, 3);
    if (!absl::SimpleAtoi(status::Absl(result.text(i, 4)), &row.sum)) {
      return status::Internal("a sum of an indicator is out of range");
    }
    row.total = result.integer(i, 5) != 0;
    for (int v = 0; v < values && !row.total; ++v) {
      row.values.emplace_back(result.text(i, 6 + v));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

const char* ColumnOf(v1::Disaggregation disaggregation) {
  switch (disaggregation) {
    case v1::DISAGGREGATION_SEX: return "sex";
    case v1::DISAGGREGATION_AGE_BAND: return "age_band";
    case v1::DISAGGREGATION_ORIGIN_COUNTRY: return "origin_country";
    case v1::DISAGGREGATION_HOST_COUNTRY: return "host_country";
    case v1::DISAGGREGATION_RETURN_TYPE: return "return_type";
    case v1::DISAGGREGATION_PROGRAMME: return "programme";
    case v1::DISAGGREGATION_KIND: return "kind";
    case v1::DISAGGREGATION_REGION: return "region";
    case v1::DISAGGREGATION_SECTOR: return "sector";
    case v1::DISAGGREGATION_VULNERABLE: return "vulnerable";
    case v1::DISAGGREGATION_LEVEL: return "level";
    default: return nullptr;
  }
}

bool IsWholeYear(const std::string& from_date, const std::string& to_date, absl::Time now) {
  const auto from = time::ParseDay(from_date);
  const auto to = time::ParseDay(to_date);
  return from && to && *from == absl::CivilDay(from->year(), 1, 1) &&
         *to == absl::CivilDay(from->year(), 12, 31) && *to < time::DayOf(now);
}

absl::Status CheckIndicators(const v1::GetIndicatorsRequest& request, const engine::Actor& actor,
                             absl::Time now) {
  if (!request.published() && !HasRole(actor, {"programme_manager", "auditor"})) {
    return Refuse(v1::REASON_PUBLISHED_ONLY);
  }
  std::set<int> named;
  for (int i = 0; i < request.group_by_size(); ++i) {
    if (ColumnOf(request.group_by(i)) == nullptr || !named.insert(request.group_by(i)).second) {
      return RefuseField(v1::REASON_DISAGGREGATION_INVALID, absl::StrCat("group_by[", i, "]"));
    }
  }
  for (int i = 0; i < request.filters_size(); ++i) {
    if (ColumnOf(request.filters(i).disaggregation()) == nullptr) {
      return RefuseField(v1::REASON_DISAGGREGATION_INVALID,
                         absl::StrCat("filters[", i, "].disaggregation"));
    }
  }
  if (!request.from_date().empty() && !request.to_date().empty() &&
      request.to_date() < request.from_date()) {
    return RefuseField(v1::REASON_PERIOD_INVALID, "to_date");
  }
  if (!request.published()) return absl::OkStatus();
  if (request.group_by_size() > 1) return RefuseField(v1::REASON_PUBLISHED_TOO_FINE, "group_by");
  if (request.filters_size() > 0) return RefuseField(v1::REASON_PUBLISHED_TOO_FINE, "filters");
  if (!IsWholeYear(request.from_date(), request.to_date(), now)) {
    return RefuseField(v1::REASON_PUBLISHED_TOO_FINE, "from_date");
  }
  return absl::OkStatus();
}

IndicatorStatement StatementOf(const v1::GetIndicatorsRequest& request) {
  IndicatorStatement statement;
  std::vector<std::string> columns;
  for (const int disaggregation : request.group_by()) {
    columns.emplace_back(ColumnOf(static_cast<v1::Disaggregation>(disaggregation)));
  }
  const auto day = [](const std::string& text) {
    return text.empty() ? postgres::Param() : postgres::Param(text);
  };
  statement.params = {day(request.from_date()), day(request.to_date())};
  std::string where =
      "indicator > 0 and ($1::date is null or registered_date >= $1::date) "
      "and ($2::date is null or registered_date <= $2::date)";
  // Values of one disaggregation are alternatives; different ones must all hold.
  std::map<std::string, std::vector<std::string>> filters;
  for (const v1::DimensionValue& filter : request.filters()) {
    filters[ColumnOf(filter.disaggregation())].push_back(filter.value());
  }
  for (const auto& [column, values] : filters) {
    statement.params.emplace_back(postgres::ArrayLiteral(values));
    absl::StrAppend(&where, " and ", column, " = any($", statement.params.size(), "::text[])");
  }
  const std::string keys = "indicator, months, currency";
  const std::string list = columns.empty() ? "" : absl::StrCat(", ", absl::StrJoin(columns, ", "));
  const std::string is_total =
      columns.empty() ? "1" : absl::StrCat("(grouping(", columns[0], ") > 0)::int");
  const std::string sets = columns.empty() ? absl::StrCat("(", keys, ")")
                                           : absl::StrCat("(", keys, "), (", keys, list, ")");
  statement.sql = absl::StrCat("select ", keys, ", count(distinct owner_id), sum(value)::text, ",
                               is_total, list, " from case_fact where ", where,
                               " group by grouping sets (", sets, ") order by ", keys, list);
  return statement;
}

v1::GetIndicatorsResponse Assemble(const v1::GetIndicatorsRequest& request,
                                   const std::vector<IndicatorRow>& rows) {
  std::map<std::tuple<int, int, std::string>, v1::Indicator> indicators;
  for (const IndicatorRow& row : rows) {
    v1::Indicator& indicator = indicators[{row.kind, row.months, row.currency}];
    indicator.set_kind(row.kind);
    indicator.set_months(row.months);
    indicator.set_currency(row.currency);
    *(row.total ? indicator.mutable_total() : indicator.add_cells()) = CellOf(request, row);
  }
  v1::GetIndicatorsResponse response;
  response.set_published(request.published());
  if (request.published()) {
    response.set_minimum_cell(std::max(kMinimumCell, request.minimum_cell()));
  }
  for (auto& [_, indicator] : indicators) *response.add_indicators() = std::move(indicator);
  if (request.published()) {
    WithholdFew(*response.mutable_indicators(), response.minimum_cell());
  }
  return response;
}

absl::StatusOr<v1::GetIndicatorsResponse> GetIndicators(rpc::QueryCall& call,
                                                        const v1::GetIndicatorsRequest& request) {
  if (auto checked = CheckIndicators(request, call.actor(), call.now()); !checked.ok()) {
    return checked;
  }
  const IndicatorStatement statement = StatementOf(request);
  const auto result = call.Sql(statement.sql, statement.params);
  if (!result.ok()) return result.status();
  const auto rows = RowsOf(*result, request.group_by_size());
  if (!rows.ok()) return rows.status();
  v1::GetIndicatorsResponse response = Assemble(request, *rows);
  *response.mutable_compute_time() = time::ToTimestamp(call.now());
  return response;
}

}  // namespace sankofa::monitoring
