#include "services/registration/border/partner_node.h"

#include <algorithm>

namespace sankofa::registration {

engine::Decision PartnerNodeDecider::Decide(const State& partner,
                                            const v1::NotePartnerRequest& request,
                                            const engine::Context& /*context*/) {
  v1::PartnerNodeNoted event;
  event.set_partner_id(request.partner_id());
  event.set_runs_node(request.has_runs_node() ? request.runs_node() : partner.runs_node());
  event.set_active(request.has_active() ? request.active() : partner.active());
  const auto known = [&](const v1::PartnerNodeKey& key) {
    return std::any_of(event.keys().begin(), event.keys().end(),
                       [&](const auto& one) { return one.key_id() == key.key_id(); });
  };
  for (const auto* keys : {&partner.keys(), &request.added_keys()}) {
    for (const v1::PartnerNodeKey& key : *keys) {
      if (key.verification_key().empty() || key.key_id() == request.revoked_key_id()) continue;
      if (!known(key)) *event.add_keys() = key;
    }
  }
  return engine::Emit(std::move(event));
}

void PartnerNodeDecider::Apply(State& partner, const v1::PartnerNodeNoted& event) {
  partner.set_id(event.partner_id());
  partner.set_runs_node(event.runs_node());
  partner.set_active(event.active());
  *partner.mutable_keys() = event.keys();
}

}  // namespace sankofa::registration
