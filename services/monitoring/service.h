#pragma once

#include "services/platform/service/definition.h"

namespace sankofa::monitoring {

[[nodiscard]] const service::Definition& Definition();

}  // namespace sankofa::monitoring
