#include "services/platform/rpc/identity/access.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/options.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"

namespace sankofa::rpc {

std::optional<std::string> PartnerOf(std::string_view system) {
  if (!system.starts_with(kPartnerPrefix) || system.size() == kPartnerPrefix.size()) {
    return std::nullopt;
  }
  return std::string(system.substr(kPartnerPrefix.size()));
}

std::optional<AccessRule> AccessRule::Of(const google::protobuf::MethodDescriptor& method) {
  const common::v1::Access& access = method.options().GetExtension(common::v1::access);
  AccessRule rule;
  for (const int value : access.roles()) {
    const std::string& name = common::v1::Role_Name(value);
    if (value == common::v1::ROLE_UNSPECIFIED || name.empty()) return std::nullopt;
    rule.roles.insert(absl::AsciiStrToLower(absl::StripPrefix(name, "ROLE_")));
  }
  for (const std::string& system : access.systems()) {
    if (system.empty() || PartnerOf(system)) return std::nullopt;  // partners come in by `partners`
    rule.systems.insert(system);
  }
  rule.partners = access.partners();
  if (rule.roles.empty() && rule.systems.empty() && !rule.partners) return std::nullopt;
  return rule;
}

absl::Status CheckAccess(const AccessRule& rule, const engine::Actor& actor) {
  const bool person = !actor.subject.empty();
  if (PartnerOf(actor.system)) {
    if (rule.partners && !person) return absl::OkStatus();
  } else if (person) {
    const bool allowed = std::any_of(actor.roles.begin(), actor.roles.end(),
                                     [&](const auto& role) { return rule.roles.contains(role); });
    if (allowed) return absl::OkStatus();
  } else {
    if (rule.systems.contains(actor.system)) return absl::OkStatus();
    if (!rule.roles.empty()) {
      return status::Refuse(common::v1::REASON_UNAUTHENTICATED,
                            {.fields = {}, .metadata = {{"cause", "no token"}}});
    }
  }
  return status::Refuse(common::v1::REASON_NOT_ALLOWED,
                        {.fields = {}, .metadata = {{"roles", absl::StrJoin(rule.roles, ",")}}});
}

std::optional<std::string> SystemOf(std::string_view spiffe_id, std::string_view node) {
  const std::string prefix = absl::StrCat("spiffe://", status::Absl(node), ".sankofa/");
  if (!spiffe_id.starts_with(prefix)) return std::nullopt;
  const std::string_view name = spiffe_id.substr(prefix.size());
  const bool good =
      !name.empty() && name.size() <= 63 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
  if (!good) return std::nullopt;
  return std::string(name);
}

}  // namespace sankofa::rpc
