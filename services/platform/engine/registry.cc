#include "services/platform/engine/registry.h"

namespace sankofa::engine {

const CommandSpec* Registry::FindCommand(std::string_view request_full_name) const {
  const auto found = commands_.find(request_full_name);
  return found == commands_.end() ? nullptr : &found->second;
}

const AggregateSpec* Registry::FindAggregate(std::string_view type) const {
  const auto found = aggregates_.find(type);
  return found == aggregates_.end() ? nullptr : found->second.get();
}

}  // namespace sankofa::engine
