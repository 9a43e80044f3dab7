#pragma once

#include "services/platform/engine/reactions.h"

namespace sankofa::monitoring {

// What monitoring does about other services' events: it plans and ends follow-ups, and keeps its facts of each case.
void React(engine::Reactions& reactions);

}  // namespace sankofa::monitoring
