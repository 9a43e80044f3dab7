#pragma once

#include "absl/time/civil_time.h"
#include "sankofa/registration/v1/registration_service.pb.h"

namespace sankofa::registration {

// What other services need to decide on a case, on the day `on`. For an erased case, only what is not personal. `etag`
// of the case gives the version.
[[nodiscard]] v1::CheckEligibilityResponse Eligibility(const v1::Case& of, const v1::Person& person,
                                                       bool duplicate_open, absl::CivilDay on);

// Whole months from `from` to `until`, 0 where it is earlier.
[[nodiscard]] int WholeMonths(absl::CivilDay from, absl::CivilDay until);

}  // namespace sankofa::registration
