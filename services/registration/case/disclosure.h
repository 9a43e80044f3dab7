#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "sankofa/registration/v1/registration_service.pb.h"

// What may be shared: paths of fields, in the message Disclosure.
namespace sankofa::registration {

// True where `scope` is a path to a field that a consent may name: one of the shareable fields of person or case, or a
// field inside one; or "referrals". Bare "person" and "case", keyed hashes and the node's own bookkeeping are not.
[[nodiscard]] bool IsShareable(std::string_view scope);

// Whether it covers the referrals that are under way to the partner: scope "referrals", for a referral.
[[nodiscard]] bool CoversReferrals(const v1::Disclosure& disclosure);

// Exactly what the consents that hold on the day let `request.partner` see for `request.purpose`. NO_VALID_CONSENT where
// nothing does. `of` and `person` come with their personal fields.
[[nodiscard]] absl::StatusOr<v1::Disclosure> Disclose(const v1::GetDisclosureRequest& request,
                                                      const v1::Case& of, const v1::Person& person,
                                                      absl::CivilDay on);

}  // namespace sankofa::registration
