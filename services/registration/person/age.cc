#include "services/registration/person/age.h"

#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::registration {
namespace {

v1::AgeBand BandOf(int years) {
  if (years < kMajority) return v1::AGE_BAND_UNDER_18;
  if (years < 25) return v1::AGE_BAND_18_TO_24;
  if (years < 35) return v1::AGE_BAND_25_TO_34;
  if (years < 50) return v1::AGE_BAND_35_TO_49;
  if (years < 65) return v1::AGE_BAND_50_TO_64;
  return v1::AGE_BAND_65_AND_OVER;
}

}  // namespace

absl::CivilDay Day(const std::string& iso_day) {
  const auto day = time::ParseDay(iso_day);
  status::Check(day.has_value(), "a day that was checked is not well formed");
  return *day;
}

int AgeOf(const v1::Person& person, absl::CivilDay on) {
  if (person.details().birth_date().empty()) return 0;
  return time::AgeInYears(Day(person.details().birth_date()), on);
}

int YoungestIn(v1::AgeBand band) {
  switch (band) {
    case v1::AGE_BAND_UNDER_18: return kMajority - 1;
    case v1::AGE_BAND_18_TO_24: return 18;
    case v1::AGE_BAND_25_TO_34: return 25;
    case v1::AGE_BAND_35_TO_49: return 35;
    case v1::AGE_BAND_50_TO_64: return 50;
    case v1::AGE_BAND_65_AND_OVER: return 65;
    default: return 0;
  }
}

bool IsChild(const v1::Person& person, absl::CivilDay on) {
  return !person.details().birth_date().empty() && AgeOf(person, on) < kMajority;
}

Household HouseholdOf(const v1::Person& person, absl::CivilDay on) {
  Household household;
  if (!person.has_details()) return household;
  (IsChild(person, on) ? household.children : household.adults) += 1;
  for (const auto& member : person.details().household()) {
    if (!member.returns_too()) continue;
    const bool child =
        !member.birth_date().empty() && time::AgeInYears(Day(member.birth_date()), on) < kMajority;
    (child ? household.children : household.adults) += 1;
  }
  return household;
}

v1::StatisticalProfile ProfileOf(const v1::Person& person, absl::CivilDay on,
                                 bool found_vulnerable) {
  v1::StatisticalProfile profile;
  profile.set_vulnerable(found_vulnerable || !person.vulnerabilities().empty());
  if (!person.has_details()) return profile;
  profile.set_sex(person.details().sex());
  if (person.details().birth_date().empty()) return profile;
  profile.set_age_band(BandOf(AgeOf(person, on)));
  return profile;
}

}  // namespace sankofa::registration
