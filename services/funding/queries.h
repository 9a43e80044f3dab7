#pragma once

#include "services/platform/rpc/queries.h"

namespace sankofa::funding {

// The read methods. Lists read the typed columns that the deciders project; single resources read the state.
void BindQueries(rpc::Queries& queries);

}  // namespace sankofa::funding
