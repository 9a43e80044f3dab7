#pragma once

#include <string>

#include "services/platform/engine/decider.h"

namespace sankofa::registration {

// The organisation that acts: the person's, else the system's own account, else the node's.
[[nodiscard]] inline std::string OrganisationOf(const engine::Context& context) {
  if (!context.actor.organisation.empty()) return context.actor.organisation;
  if (!context.actor.system.empty()) return context.actor.system;
  return context.node;
}

}  // namespace sankofa::registration
