#pragma once

#include "services/platform/engine/registry.h"

namespace sankofa::exchange {

// What comes in: ReceivedFeed and Evidence. Partner is bound elsewhere.
void BindIngestCommands(engine::Registry& registry);

}  // namespace sankofa::exchange
