#pragma once

#include "services/platform/engine/registry.h"

namespace sankofa::validation {

// The service's commands: on which aggregate each works and which others it touches.
void BindCommands(engine::Registry& registry);

}  // namespace sankofa::validation
