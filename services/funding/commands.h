#pragma once

#include "services/platform/engine/registry.h"

namespace sankofa::funding {

// Which aggregates each command touches, and which facts it needs. One entry a command, in the order of the service.
void BindCommands(engine::Registry& registry);

}  // namespace sankofa::funding
