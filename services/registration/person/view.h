#pragma once

#include "sankofa/registration/v1/person.pb.h"
#include "services/platform/engine/decider.h"

// Who sees what of a person. Keyed hashes are shown to nobody.
namespace sankofa::registration {

// What the roles of `actor` need, together: a case officer and the data protection officer see all, a host officer all
// but payout accounts, a follow-up officer names, phones and addresses, a payment releaser names and payout accounts.
[[nodiscard]] v1::Person ViewFor(const engine::Actor& actor, v1::Person person);

// What tells persons apart in a list: names, sex, day and place of birth, nationalities.
[[nodiscard]] v1::Person ViewInList(v1::Person person);

}  // namespace sankofa::registration
