#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "services/platform/engine/decider.h"

namespace sankofa::rpc {

// How the names of partners' nodes and systems begin: the node's authority gives "partner-fr" to partner fr.
inline constexpr std::string_view kPartnerPrefix = "partner-";

// "partner-fr" → "fr"; nothing for a system of the node's own.
[[nodiscard]] std::optional<std::string> PartnerOf(std::string_view system);

// Who may call a method: its option (sankofa.common.v1.access), read once.
struct AccessRule {
  std::set<std::string, std::less<>> roles;    // lower case, without prefix: "case_officer"
  std::set<std::string, std::less<>> systems;  // names in certificates
  bool partners = false;                       // whoever's name begins with kPartnerPrefix

  // Nothing where the method has no option, or one that lets nobody in.
  [[nodiscard]] static std::optional<AccessRule> Of(
      const google::protobuf::MethodDescriptor& method);
};

// A person is allowed by one of their roles, whatever system brings them; a system without a person is allowed by
// name. A partner is allowed where the method is open to partners, on its own account, and nowhere else, whoever's token
// it brings. UNAUTHENTICATED where only a person could be allowed and there is none, NOT_ALLOWED otherwise; its metadata
// names the roles that are.
[[nodiscard]] absl::Status CheckAccess(const AccessRule& rule, const engine::Actor& actor);

// "spiffe://cm.sankofa/portal" on node cm → "portal"; nothing for another node or another form.
[[nodiscard]] std::optional<std::string> SystemOf(std::string_view spiffe_id,
                                                  std::string_view node);

}  // namespace sankofa::rpc
