#pragma once

#include "services/platform/service/definition.h"

namespace sankofa::funding {

// Agreements, programmes, budget lines, grants and the ledger.
[[nodiscard]] const service::Definition& Definition();

}  // namespace sankofa::funding
