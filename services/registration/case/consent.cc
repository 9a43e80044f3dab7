#include "services/registration/case/consent.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/sides.h"
#include "services/registration/case/disclosure.h"
#include "services/registration/person/age.h"

namespace sankofa::registration {

using status::Refuse;
using status::RefuseField;

bool Holds(const v1::Consent& consent, absl::CivilDay on) {
  const std::string day = time::FormatDay(on);  // ISO days compare as text
  return !consent.has_withdrawn_time() && consent.from_date() <= day && day <= consent.until_date();
}

bool AnyConsentHolds(const v1::Case& of, absl::CivilDay on) {
  return std::any_of(of.consents().begin(), of.consents().end(), [&](const auto& consent) {
    return consent.giver() != v1::CONSENT_GIVER_NOBODY && Holds(consent, on);
  });
}

std::vector<const v1::Consent*> Covering(const v1::Case& of, const v1::Person& person,
                                         const std::string& partner, v1::ConsentPurpose purpose,
                                         absl::CivilDay on) {
  std::vector<const v1::Consent*> covering;
  for (const auto& consent : of.consents()) {
    if (consent.partner() != partner || consent.purpose() != purpose) continue;
    if (!Holds(consent, on)) continue;
    if (consent.giver() == v1::CONSENT_GIVER_PERSON && IsChild(person, on)) continue;
    covering.push_back(&consent);
  }
  return covering;
}

absl::Status CheckSubmittable(const v1::Case& of, const v1::Person& person, absl::CivilDay on) {
  const auto covering = Covering(of, person, PartnerOf(of), v1::CONSENT_PURPOSE_REINTEGRATION, on);
  if (IsChild(person, on)) {
    const bool by_guardian = std::any_of(covering.begin(), covering.end(), [](const auto* one) {
      return one->giver() == v1::CONSENT_GIVER_GUARDIAN;
    });
    if (!by_guardian) return Refuse(v1::REASON_CHILD_NEEDS_GUARDIAN);
    if (!of.has_best_interests()) return Refuse(v1::REASON_BEST_INTERESTS_MISSING);
  }
  if (covering.empty()) return Refuse(v1::REASON_CONSENT_MISSING);
  return absl::OkStatus();
}

absl::Status CheckScopes(const google::protobuf::RepeatedPtrField<std::string>& scopes) {
  std::set<std::string> seen;
  for (int i = 0; i < scopes.size(); ++i) {
    const std::string path = absl::StrCat("scopes[", i, "]");
    if (!IsShareable(scopes[i])) return RefuseField(v1::REASON_SCOPE_UNKNOWN, path);
    if (!seen.insert(scopes[i]).second) return RefuseField(v1::REASON_SCOPE_REPEATED, path);
  }
  return absl::OkStatus();
}

absl::Status CheckGiver(const v1::GiveConsentRequest& request, const v1::Person& person,
                        absl::CivilDay on) {
  if (request.giver() == v1::CONSENT_GIVER_PERSON) {
    if (!request.guardian_member_id().empty()) {
      return RefuseField(v1::REASON_GUARDIAN_NOT_EXPECTED, "guardian_member_id");
    }
    if (IsChild(person, on)) return RefuseField(v1::REASON_CHILD_NEEDS_GUARDIAN, "giver");
    return absl::OkStatus();
  }
  if (request.giver() != v1::CONSENT_GIVER_GUARDIAN) {
    return RefuseField(v1::REASON_CONSENT_GIVER, "giver");
  }
  const auto& household = person.details().household();
  const auto guardian = std::find_if(household.begin(), household.end(), [&](const auto& member) {
    return member.member_id() == request.guardian_member_id();
  });
  if (guardian == household.end()) {
    return RefuseField(v1::REASON_GUARDIAN_UNKNOWN, "guardian_member_id");
  }
  if (guardian->birth_date().empty() ||
      time::AgeInYears(Day(guardian->birth_date()), on) < kMajority) {
    return RefuseField(v1::REASON_GUARDIAN_IS_CHILD, "guardian_member_id");
  }
  return absl::OkStatus();
}

}  // namespace sankofa::registration
