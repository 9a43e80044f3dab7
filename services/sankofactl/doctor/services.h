#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/sankofactl/doctor/finding.h"

// How services and partners get on, by what they say of themselves. Whether something stands still can't be seen at
// once, so services are looked at twice.
namespace sankofa::ctl {

// One answer of GetServiceStatus.
struct SeenService {
  std::string service;
  absl::Status answered;
  common::v1::ServiceStatus status;
  absl::Duration clock_ahead;
  absl::Duration clock_error;
};

// More than this unread, and not fewer than before, is behind.
inline constexpr std::int64_t kLagMax = 1000;

// `before` is null where there was no second look.
[[nodiscard]] Findings JudgeService(const SeenService* before, const SeenService& now);
[[nodiscard]] Finding JudgeVersions(const std::vector<SeenService>& services);
// Whether a second look, a moment later, could tell more.
[[nodiscard]] bool WorthAnotherLook(const SeenService& seen);

// A partner as this node knows it, and how the exchange with it goes.
struct SeenPartner {
  exchange::v1::Partner partner;
  absl::Status answered;
  exchange::v1::PartnerHealth health;
};
[[nodiscard]] Findings JudgePartner(const SeenPartner& seen, absl::Time now, absl::Duration ending);

}  // namespace sankofa::ctl
