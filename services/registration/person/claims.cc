#include "services/registration/person/claims.h"

namespace sankofa::registration {
namespace {

template <class Event>
void AddTo(const v1::HeldClaim& claim, const std::string& person_id, engine::Events& events) {
  Event event;
  event.set_claim_id(claim.hash());
  event.set_person_id(person_id);
  if (claim.kind() == v1::CLAIM_KIND_DOCUMENT) {
    events.AddTo<v1::DocumentClaim>(claim.hash(), std::move(event));
  } else {
    events.AddTo<v1::IdentityClaim>(claim.hash(), std::move(event));
  }
}

}  // namespace

std::vector<std::string> HoldersOf(const v1::HeldClaim& claim, const engine::Context& context) {
  const auto& holders = claim.kind() == v1::CLAIM_KIND_DOCUMENT
                            ? context.Related<v1::DocumentClaim>(claim.hash()).person_ids()
                            : context.Related<v1::IdentityClaim>(claim.hash()).person_ids();
  return {holders.begin(), holders.end()};
}

void TakeClaim(const v1::HeldClaim& claim, const std::string& person_id, engine::Events& events) {
  AddTo<v1::ClaimTaken>(claim, person_id, events);
}

void ReleaseClaim(const v1::HeldClaim& claim, const std::string& person_id,
                  engine::Events& events) {
  AddTo<v1::ClaimReleased>(claim, person_id, events);
}

}  // namespace sankofa::registration
