#include "services/registration/case/eligibility.h"

#include "absl/strings/numbers.h"
#include "services/platform/time/time.h"
#include "services/registration/border/sides.h"
#include "services/registration/case/case.h"
#include "services/registration/case/consent.h"
#include "services/registration/person/age.h"

namespace sankofa::registration {

int WholeMonths(absl::CivilDay from, absl::CivilDay until) {
  if (until < from) return 0;
  int months = static_cast<int>((until.year() - from.year()) * 12 + until.month() - from.month());
  if (time::AddMonths(from, months) > until) --months;
  return months;
}

v1::CheckEligibilityResponse Eligibility(const v1::Case& of, const v1::Person& person,
                                         bool duplicate_open, absl::CivilDay on) {
  v1::CheckEligibilityResponse answer;
  answer.set_case_id(of.id());
  answer.set_person_id(of.person_id());
  answer.set_case_state(of.state());
  std::int64_t version = 0;
  if (absl::SimpleAtoi(of.etag(), &version)) answer.set_version(version);
  answer.set_duplicate_open(duplicate_open);
  answer.set_programme(of.header().programme());
  answer.set_return_type(of.header().return_type());
  answer.set_erased(of.erased());

  const bool arrived = !of.arrival_date().empty();
  answer.set_return_date(arrived ? of.arrival_date() : of.header().planned_return_date());
  if (!of.header().host_entry_date().empty()) {
    const absl::CivilDay until = arrived ? Day(of.arrival_date()) : on;
    answer.set_months_in_host_country(WholeMonths(Day(of.header().host_entry_date()), until));
  }
  if (of.erased()) return answer;

  answer.set_age_years(person.details().birth_date().empty() ? YoungestIn(of.profile().age_band())
                                                             : AgeOf(person, on));
  const Household household = HouseholdFor(of, person, on);
  answer.set_adults(household.adults);
  answer.set_children(household.children);
  *answer.mutable_nationalities() = person.details().nationalities();
  answer.set_consent_valid(
      !Covering(of, person, PartnerOf(of), v1::CONSENT_PURPOSE_REINTEGRATION, on).empty());
  return answer;
}

}  // namespace sankofa::registration
