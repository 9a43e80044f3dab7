#pragma once

#include "services/platform/service/definition.h"

namespace sankofa::validation {

// Life projects, committees and their sittings.
const service::Definition& Definition();

}  // namespace sankofa::validation
