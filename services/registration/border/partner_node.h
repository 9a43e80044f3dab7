#pragma once

#include "sankofa/registration/v1/partner_node.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_internal.pb.h"
#include "services/platform/engine/decider.h"

// What this service holds of each partner, told by exchange: whether it runs a node, whether messages go both ways, and
// its keys. Data, so that a case submitted to a partner is decided on without asking anybody.
namespace sankofa::registration {

struct PartnerNodeDecider {
  using State = v1::PartnerNode;
  using EventTypes = engine::EventTypes<v1::PartnerNodeNoted>;

  static engine::Decision Decide(const State&, const v1::NotePartnerRequest&,
                                 const engine::Context&);
  static void Apply(State&, const v1::PartnerNodeNoted&);
};

}  // namespace sankofa::registration
