#pragma once

#include "services/platform/engine/reactions.h"

namespace sankofa::validation {

// Registration's case events, turned into what the CaseFile keeps.
void React(engine::Reactions& reactions);

}  // namespace sankofa::validation
