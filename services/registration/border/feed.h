#pragma once

#include "services/platform/engine/reactions.h"

// From exchange's events to this service's own commands: which partners there are, and what they say on their feeds.
// Exchange has verified signature, order and agreement of what it hands on; whether the sender may say it is decided by
// the command.
namespace sankofa::registration {

void ReactToPartners(engine::Reactions& reactions);

}  // namespace sankofa::registration
