#pragma once

#include "services/platform/service/definition.h"

namespace sankofa::exchange {

[[nodiscard]] const service::Definition& Definition();

}  // namespace sankofa::exchange
