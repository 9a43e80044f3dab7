#pragma once

#include "services/platform/engine/reactions.h"

namespace sankofa::registration {

// What registration does when others report: an approved project starts the reintegration of its case.
void React(engine::Reactions& reactions);

}  // namespace sankofa::registration
