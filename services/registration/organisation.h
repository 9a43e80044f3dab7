#pragma once

#include <string>

#include "services/platform/engine/decider.h"

namespace sankofa::registration {

// The organisation that acts: the person's, else the system's own account.
[[nodiscard]] inline const std::string& OrganisationOf(const engine::Actor& actor) {
  return actor.organisation.empty() ? actor.system : actor.organisation;
}

// The same; where nobody in particular acts, the node's.
[[nodiscard]] inline const std::string& OrganisationOf(const engine::Context& context) {
  const std::string& acting = OrganisationOf(context.actor);
  return acting.empty() ? context.node : acting;
}

}  // namespace sankofa::registration
