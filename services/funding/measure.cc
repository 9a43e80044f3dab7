#include "services/funding/measure.h"

#include <string>

#include "services/platform/telemetry/metrics.h"

namespace sankofa::funding {
namespace {

// Batch by batch, so that one which gives too much does not hide another that gives too little.
constexpr char kImbalance[] =
    "select currency, sum(abs(balance))::bigint from "
    "(select currency, batch_id, sum(amount) as balance from posting group by currency, batch_id) "
    "b "
    "group by currency";

}  // namespace

absl::Status Measure(postgres::Connection& connection) {
  const auto rows = connection.Execute(kImbalance);
  if (!rows.ok()) return rows.status();
  for (int i = 0; i < rows->rows(); ++i) {
    telemetry::GetGauge(
        "sankofa_ledger_imbalance_minor",
        "By how much the ledger's entries don't balance, in minor units; 0 is right.",
        {{"currency", std::string(rows->text(i, 0))}})
        .Set(static_cast<double>(rows->integer(i, 1)));
  }
  return absl::OkStatus();
}

}  // namespace sankofa::funding
