#pragma once

#include "services/platform/rpc/queries.h"

namespace sankofa::registration {

// Binds the methods that read.
void BindQueries(rpc::Queries& queries);

}  // namespace sankofa::registration
