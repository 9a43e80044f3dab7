#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "services/platform/telemetry/metrics.h"

namespace sankofa::service {

class Runtime;

// Puts the end of a certificate into the metrics, under a name from a small set ("node", "partner-fr"). A file that is
// not there or can't be read counts as one that has ended.
void ReportCertificate(const std::string& service, const std::string& certificate,
                       const std::string& file);

// What is looked at from time to time, and not counted as it happens: when the certificates end that a service stands
// on, and what its own tables say (Definition::measure). Once a minute, or less often where looking takes long: it never
// takes more than a hundredth of the time. Used by the thread that tends the service.
class Measures {
 public:
  explicit Measures(Runtime& runtime);
  void TakeIfDue(bool database_up);

 private:
  void Certificates() const;

  Runtime& runtime_;
  telemetry::Gauge taken_;
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace sankofa::service
