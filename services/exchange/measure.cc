#include "services/exchange/measure.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "sankofa/exchange/v1/erasure.pb.h"
#include "services/exchange/partner_clients.h"
#include "services/platform/service/measures.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::exchange {
namespace {

// Every partner has a row, so that one which has answered goes back to 0.
constexpr char kErasures[] =
    "select p.owner_id, count(e.owner_id), "
    "coalesce(extract(epoch from now() - min(e.asked_time)), 0)::bigint "
    "from partner p left join erasure e on e.partner_id = p.owner_id and e.erasure_state <> "
    "$1::int "
    "group by p.owner_id";

// A partner that only listens gives this node no certificate.
void ReportCertificates(const std::string& folder, const std::string& partner) {
  std::error_code error;
  if (folder.empty() || !std::filesystem::exists(absl::StrCat(folder, "/", partner), error)) return;
  const PartnerFiles files = PartnerFilesOf(folder, partner);
  service::ReportCertificate("exchange", absl::StrCat("partner-", partner), files.certificate);
  service::ReportCertificate("exchange", absl::StrCat("partner-", partner, "-authority"), files.ca);
}

}  // namespace

absl::Status Measure(const std::string& partner_folder, postgres::Connection& connection) {
  const auto rows =
      connection.Execute(kErasures, {absl::StrCat(static_cast<int>(v1::ERASURE_STATE_DONE))});
  if (!rows.ok()) return rows.status();
  for (int i = 0; i < rows->rows(); ++i) {
    const std::string partner(rows->text(i, 0));
    telemetry::GetGauge("sankofa_erasures_unanswered",
                        "Erasures that a partner was asked for and has not confirmed.",
                        {{"partner", partner}})
        .Set(static_cast<double>(rows->integer(i, 1)));
    telemetry::GetGauge("sankofa_erasure_oldest_unanswered_seconds",
                        "For how long the oldest of them waits; 0: none waits.",
                        {{"partner", partner}})
        .Set(static_cast<double>(rows->integer(i, 2)));
    ReportCertificates(partner_folder, partner);
  }
  return absl::OkStatus();
}

}  // namespace sankofa::exchange
