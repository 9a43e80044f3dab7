#pragma once

#include "services/platform/engine/registry.h"
#include "services/registration/person/names.h"

namespace sankofa::registration {

// Binds every command to its aggregate, and names what else it touches.
void BindCommands(engine::Registry& registry, const Blind& blind);

}  // namespace sankofa::registration
