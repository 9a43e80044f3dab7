#include "services/platform/service/measures.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/identity/certificate.h"
#include "services/platform/service/runtime.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::service {
namespace {

constexpr absl::Duration kInterval = absl::Minutes(1);
constexpr int kIdleForBusy = 100;

}  // namespace

void ReportCertificate(const std::string& service, const std::string& certificate,
                       const std::string& file) {
  const auto end = rpc::CertificateEnd(file);
  telemetry::GetGauge("sankofa_certificate_end_seconds",
                      "When a certificate ends, in seconds since 1970; 0: it can't be read.",
                      {{"service", service}, {"certificate", certificate}})
      .Set(end.ok() ? absl::ToDoubleSeconds(*end - absl::UnixEpoch()) : 0);
}

Measures::Measures(Runtime& runtime)
    : runtime_(runtime),
      taken_(telemetry::GetGauge("sankofa_measures_taken_seconds",
                                 "When a service last looked at its tables, in seconds since 1970.",
                                 {{"service", runtime.definition().name}})) {}

void Measures::Certificates() const {
  const config::Config& config = runtime_.config();
  const std::string& service = runtime_.definition().name;
  ReportCertificate(service, "node", config.listen.certificate);
  ReportCertificate(service, "clients-authority", config.listen.client_ca);
  ReportCertificate(service, "kafka-authority", config.kafka.ca);
  ReportCertificate(service, "service",
                    absl::StrCat(config.kafka.certificate_folder, "/", service, ".pem"));
}

void Measures::TakeIfDue(bool database_up) {
  const absl::Time started = absl::Now();
  if (started < next_) return;
  Certificates();
  absl::Status measured = absl::OkStatus();
  if (!database_up) {
    measured = absl::UnavailableError("the database does not answer");
  } else if (const auto& measure = runtime_.definition().measure) {
    auto connection = runtime_.pool().Acquire(started + absl::Seconds(1));
    measured = connection.ok() ? measure(runtime_, **connection) : connection.status();
  }
  const absl::Time ended = absl::Now();
  if (measured.ok()) {
    taken_.Set(absl::ToDoubleSeconds(ended - absl::UnixEpoch()));
  } else {
    telemetry::Warn("the service's tables could not be looked at for the metrics",
                    {{"status", measured}});
  }
  next_ = ended + std::max(kInterval, kIdleForBusy * (ended - started));
}

}  // namespace sankofa::service
