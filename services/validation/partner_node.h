#pragma once

#include "sankofa/validation/v1/partner_node.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"
#include "services/platform/engine/decider.h"

// Which partners run a node, told by exchange: a vote is sent to no other.
namespace sankofa::validation {

struct PartnerNodeDecider {
  using State = v1::PartnerNode;
  using EventTypes = engine::EventTypes<v1::PartnerNodeNoted>;

  static engine::Decision Decide(const State& partner, const v1::NotePartnerRequest& request,
                                 const engine::Context& context);
  static void Apply(State& partner, const v1::PartnerNodeNoted& event);
};

}  // namespace sankofa::validation
