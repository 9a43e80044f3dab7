#pragma once

#include "services/platform/rpc/queries.h"

namespace sankofa::validation {

// The read methods.
void BindQueries(rpc::Queries& queries);

}  // namespace sankofa::validation
