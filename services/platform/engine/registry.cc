#include "services/platform/engine/registry.h"

#include "absl/strings/str_join.h"
#include "services/platform/crypto/vault.h"

namespace sankofa::engine {

const CommandSpec* Registry::FindCommand(std::string_view request_full_name) const {
  const auto found = commands_.find(request_full_name);
  return found == commands_.end() ? nullptr : &found->second;
}

const AggregateSpec* Registry::FindAggregate(std::string_view type) const {
  const auto found = aggregates_.find(type);
  return found == aggregates_.end() ? nullptr : found->second.get();
}

absl::Status Registry::Check() const {
  std::vector<std::string> faults;
  const auto check = [&](const google::protobuf::Message& prototype) {
    const absl::Status sealable = crypto::CheckSealable(*prototype.GetDescriptor());
    if (!sealable.ok()) faults.emplace_back(sealable.message());
  };
  for (const auto& [type, spec] : aggregates_) {
    check(*spec->prototype);
    for (const auto& [name, prototype] : spec->events) check(*prototype);
  }
  if (faults.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrJoin(faults, "; "));
}

}  // namespace sankofa::engine
