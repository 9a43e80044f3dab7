#pragma once

#include "services/platform/rpc/queries.h"

namespace sankofa::service {

class Runtime;

// Binds NodeService's methods to one service: its journal read again, its dead letters, its deadlines.
void BindNodeQueries(rpc::Queries& queries, Runtime& runtime);

}  // namespace sankofa::service
