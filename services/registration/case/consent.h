#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/civil_time.h"
#include "sankofa/registration/v1/case.pb.h"
#include "sankofa/registration/v1/person.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"

// Consent as functions of what is on file. Used by the commands of a case, and by disclosure and eligibility.
namespace sankofa::registration {

// The longest time for which a consent may be given (assumed).
inline constexpr int kConsentYearsMax = 5;
inline constexpr int kConsentsMax = 50;

// Not withdrawn, and `on` is one of its days.
[[nodiscard]] bool Holds(const v1::Consent& consent, absl::CivilDay on);

// True where anybody's consent holds. An override is no consent.
[[nodiscard]] bool AnyConsentHolds(const v1::Case& of, absl::CivilDay on);

// The consents that let `partner` have data for `purpose` on the day. For a child, only a guardian's count; an override
// counts for both.
[[nodiscard]] std::vector<const v1::Consent*> Covering(const v1::Case& of, const v1::Person& person,
                                                       const std::string& partner,
                                                       v1::ConsentPurpose purpose,
                                                       absl::CivilDay on);

// Refusal where the case may not be shared with its partner today: no consent to reintegration, a child without a
// guardian's consent (an override does not stand in for it) or without a best-interests determination.
[[nodiscard]] absl::Status CheckSubmittable(const v1::Case& of, const v1::Person& person,
                                            absl::CivilDay on);

// Refusal where `scopes` are no shareable paths of Disclosure, or one is repeated.
[[nodiscard]] absl::Status CheckScopes(
    const google::protobuf::RepeatedPtrField<std::string>& scopes);

// Refusal where the person can't give this consent, or the guardian named can't.
[[nodiscard]] absl::Status CheckGiver(const v1::GiveConsentRequest& request,
                                      const v1::Person& person, absl::CivilDay on);

}  // namespace sankofa::registration
