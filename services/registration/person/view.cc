#include "services/registration/person/view.h"

#include <algorithm>
#include <string_view>

namespace sankofa::registration {

v1::Person ViewFor(const engine::Actor& actor, v1::Person person) {
  const auto has = [&](std::string_view role) {
    return std::find(actor.roles.begin(), actor.roles.end(), role) != actor.roles.end();
  };
  person.clear_search_keys();
  const bool all = has("case_officer") || has("data_protection_officer");
  if (all) return person;
  if (!has("payment_releaser")) person.clear_payout_accounts();
  if (has("host_officer")) return person;
  person.clear_vulnerabilities();
  if (!person.has_details()) return person;
  v1::PersonDetails shown;
  shown.set_given_names(person.details().given_names());
  shown.set_family_names(person.details().family_names());
  if (has("follow_up_officer")) {
    *shown.mutable_phones() = person.details().phones();
    *shown.mutable_addresses() = person.details().addresses();
  }
  *person.mutable_details() = std::move(shown);
  return person;
}

v1::Person ViewInList(v1::Person person) {
  person.clear_search_keys();
  person.clear_vulnerabilities();
  person.clear_payout_accounts();
  if (!person.has_details()) return person;
  auto& details = *person.mutable_details();
  details.clear_phones();
  details.clear_addresses();
  details.clear_documents();
  details.clear_household();
  return person;
}

}  // namespace sankofa::registration
