#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "services/platform/engine/decider.h"

namespace sankofa::rpc {

// Who may call a method: its option (sankofa.common.v1.access), read once.
struct AccessRule {
  std::set<std::string, std::less<>> roles;    // lower case, without prefix: "case_officer"
  std::set<std::string, std::less<>> systems;  // names in certificates

  // Nothing where the method has no option, or one that lets nobody in.
  [[nodiscard]] static std::optional<AccessRule> Of(
      const google::protobuf::MethodDescriptor& method);
};

// A person is allowed by one of their roles, whatever system brings them; a system without a person is allowed by
// name. UNAUTHENTICATED where only a person could be allowed and there is none, NOT_ALLOWED otherwise; its metadata
// names the roles that are.
[[nodiscard]] absl::Status CheckAccess(const AccessRule& rule, const engine::Actor& actor);

// "spiffe://cm.sankofa/portal" on node cm → "portal"; nothing for another node or another form.
[[nodiscard]] std::optional<std::string> SystemOf(std::string_view spiffe_id,
                                                  std::string_view node);

}  // namespace sankofa::rpc
