#pragma once

#include "services/platform/engine/reactions.h"

namespace sankofa::funding {

// What funding does when it hears of a case (registration) or of an approval (validation): it takes note, in small
// aggregates of its own, so that it can decide while the others are down.
void React(engine::Reactions& reactions);

}  // namespace sankofa::funding
