#pragma once

#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

// All aggregates with their commands.
void BindCommands(engine::Registry& registry);

}  // namespace sankofa::monitoring
