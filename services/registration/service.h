#pragma once

#include "services/platform/service/definition.h"

namespace sankofa::registration {

// Persons, cases, consent, duplicates, referrals and reception centres.
[[nodiscard]] const service::Definition& Definition();

}  // namespace sankofa::registration
