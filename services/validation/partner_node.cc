#include "services/validation/partner_node.h"

namespace sankofa::validation {

engine::Decision PartnerNodeDecider::Decide(const State& partner,
                                            const v1::NotePartnerRequest& request,
                                            const engine::Context& /*context*/) {
  v1::PartnerNodeNoted event;
  event.set_partner_id(request.partner_id());
  event.set_runs_node(request.has_runs_node() ? request.runs_node() : partner.runs_node());
  event.set_active(request.has_active() ? request.active() : partner.active());
  return engine::Emit(event);
}

void PartnerNodeDecider::Apply(State& partner, const v1::PartnerNodeNoted& event) {
  partner.set_id(event.partner_id());
  partner.set_runs_node(event.runs_node());
  partner.set_active(event.active());
}

}  // namespace sankofa::validation
