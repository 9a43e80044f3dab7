#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sankofa/monitoring/v1/indicators.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/rpc/queries.h"

// Indicators over the table case_fact (see CaseFactsDecider): every figure is a count of cases and a sum over them, in
// total and by the disaggregations asked for, from one statement, so that parts and totals agree.
namespace sankofa::monitoring {

// One group of the statement's answer.
struct IndicatorRow {
  v1::IndicatorKind kind = v1::INDICATOR_KIND_UNSPECIFIED;
  int months = 0;
  std::string currency;
  std::int64_t cases = 0;
  std::int64_t sum = 0;
  bool total = false;
  std::vector<std::string>
      values;  // of the disaggregations, in the order asked for; empty for the total
};

// The column of case_fact; null where the value is none of ours.
[[nodiscard]] const char* ColumnOf(v1::Disaggregation disaggregation);

// One calendar year that is over: two tables of which one holds the other could be subtracted, and so could two tables
// of a year that is still growing.
[[nodiscard]] bool IsWholeYear(const std::string& from_date, const std::string& to_date,
                               absl::Time now);

// Refuses what may not be asked for, or not by this person.
[[nodiscard]] absl::Status CheckIndicators(const v1::GetIndicatorsRequest& request,
                                           const engine::Actor& actor, absl::Time now);

struct IndicatorStatement {
  std::string sql;
  std::vector<postgres::Param> params;
};
// For a request that was checked. Nothing of the request is in the text but names of our own columns.
[[nodiscard]] IndicatorStatement StatementOf(const v1::GetIndicatorsRequest& request);

// Puts the groups together, and withholds (see publication.h) where the figures are for publication.
[[nodiscard]] v1::GetIndicatorsResponse Assemble(const v1::GetIndicatorsRequest& request,
                                                 const std::vector<IndicatorRow>& rows);

[[nodiscard]] absl::StatusOr<v1::GetIndicatorsResponse> GetIndicators(
    rpc::QueryCall& call, const v1::GetIndicatorsRequest& request);

}  // namespace sankofa::monitoring
