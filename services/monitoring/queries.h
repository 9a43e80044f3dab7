#pragma once

#include <functional>

#include "services/monitoring/view/views.h"
#include "services/monitoring/view/watch.h"
#include "services/platform/rpc/queries.h"

namespace sankofa::monitoring {

// The views as the queries need them: made when the service starts, later than the queries are bound.
struct ViewAccess {
  std::function<Views&()> views;
  std::function<WatchHub&()> hub;
};

void BindQueries(rpc::Queries& queries, ViewAccess access);

}  // namespace sankofa::monitoring
