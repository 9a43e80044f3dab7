#pragma once

#include "services/platform/engine/registry.h"

namespace sankofa::exchange {

// All aggregates with their commands.
void BindCommands(engine::Registry& registry);

}  // namespace sankofa::exchange
