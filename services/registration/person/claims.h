#pragma once

#include <vector>

#include "sankofa/registration/v1/claim.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/platform/engine/decider.h"

// Claims: which persons hold a document, or names with a day of birth. They have no commands of their own: a person
// takes and releases them with the command that changes the person, which names and so locks them. Two registrations
// of the same human being at the same time therefore see each other.
namespace sankofa::registration {

template <class Claim>
struct ClaimDecider {
  using State = Claim;
  using EventTypes = engine::EventTypes<v1::ClaimTaken, v1::ClaimReleased>;

  static void Apply(State& claim, const v1::ClaimTaken& event) {
    claim.set_id(event.claim_id());
    for (const auto& holder : claim.person_ids()) {
      if (holder == event.person_id()) return;
    }
    claim.add_person_ids(event.person_id());
  }
  static void Apply(State& claim, const v1::ClaimReleased& event) {
    auto& holders = *claim.mutable_person_ids();
    holders.erase(std::remove(holders.begin(), holders.end(), event.person_id()), holders.end());
  }
};

using DocumentClaimDecider = ClaimDecider<v1::DocumentClaim>;
using IdentityClaimDecider = ClaimDecider<v1::IdentityClaim>;

// The persons who hold `claim`, as the command that named it sees them.
[[nodiscard]] std::vector<std::string> HoldersOf(const v1::HeldClaim& claim,
                                                 const engine::Context& context);

// `person_id` takes or releases `claim`.
void TakeClaim(const v1::HeldClaim& claim, const std::string& person_id, engine::Events& events);
void ReleaseClaim(const v1::HeldClaim& claim, const std::string& person_id, engine::Events& events);

}  // namespace sankofa::registration
