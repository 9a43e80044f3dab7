#pragma once

#include <functional>
#include <string>
#include <vector>

#include "services/exchange/health.h"
#include "services/platform/rpc/queries.h"

namespace sankofa::exchange {

// What queries need beside the database: who this node is, and the parts that send and receive. The parts are made when
// the service starts, later than the queries are bound.
struct QueryAccess {
  std::string node;
  std::string country;
  // 64 hex digits each, as they are now; the second is empty where the node has none.
  std::function<std::string()> verification_key;
  std::function<std::string()> sealing_key;
  std::function<std::vector<HealthSource*>()> health;
};

// Partners, agreements, and what came and went. What partners themselves may ask is bound by the parts that serve it.
void BindQueries(rpc::Queries& queries, const QueryAccess& access);

}  // namespace sankofa::exchange
