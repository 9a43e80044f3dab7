#pragma once

#include "absl/time/civil_time.h"
#include "sankofa/registration/v1/case.pb.h"
#include "sankofa/registration/v1/person.pb.h"

// Ages, and what follows from them. All take the day on which they are asked for.
namespace sankofa::registration {

// Below this age a person is a child (Convention on the Rights of the Child, article 1).
inline constexpr int kMajority = 18;

// The day that a well-formed FORMAT_DATE names.
[[nodiscard]] absl::CivilDay Day(const std::string& iso_day);

// Whole years; 0 where the day of birth is not known: erased, or not disclosed by the partner whose case it is.
[[nodiscard]] int AgeOf(const v1::Person& person, absl::CivilDay on);
// An age for whom only the band is known: the lowest of it, but a child's highest.
[[nodiscard]] int YoungestIn(v1::AgeBand band);
[[nodiscard]] bool IsChild(const v1::Person& person, absl::CivilDay on);

// Those who return: the person, and the members of the household who return too.
struct Household {
  int adults = 0;
  int children = 0;
};
[[nodiscard]] Household HouseholdOf(const v1::Person& person, absl::CivilDay on);

// What statistics know. Vulnerable where anything is on file, or where `found_vulnerable`.
[[nodiscard]] v1::StatisticalProfile ProfileOf(const v1::Person& person, absl::CivilDay on,
                                               bool found_vulnerable = false);

}  // namespace sankofa::registration
