#include "services/exchange/feed/access.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/exchange/feed/route.h"

namespace sankofa::exchange {
namespace {

using kafka::Acl;

constexpr absl::Duration kPatience = absl::Seconds(10);

std::string PrincipalOf(const v1::Partner& partner) {
  return absl::StrCat("User:", partner.certificate_identity());
}

}  // namespace

std::vector<Acl> RightsOf(const v1::Partner& partner) {
  if (partner.state() != v1::PARTNER_STATE_ACTIVE) return {};
  std::vector<Acl> rights;
  for (const Acl::Right right : {Acl::Right::kRead, Acl::Right::kDescribe}) {
    rights.push_back({.resource = Acl::Resource::kTopic,
                      .name = FeedTopicOf(partner.id()),
                      .principal = PrincipalOf(partner),
                      .right = right});
    rights.push_back({.resource = Acl::Resource::kGroup,
                      .name = partner.certificate_identity(),
                      .principal = PrincipalOf(partner),
                      .right = right});
  }
  std::sort(rights.begin(), rights.end());
  return rights;
}

absl::Status FeedRights::AlignOne(const v1::Partner& partner) {
  const std::vector<Acl> wanted = RightsOf(partner);
  auto there = admin_.DescribeAcls(PrincipalOf(partner), kPatience);
  if (!there.ok()) return there.status();
  std::sort(there->begin(), there->end());
  std::vector<Acl> missing;
  std::vector<Acl> surplus;
  std::set_difference(wanted.begin(), wanted.end(), there->begin(), there->end(),
                      std::back_inserter(missing));
  std::set_difference(there->begin(), there->end(), wanted.begin(), wanted.end(),
                      std::back_inserter(surplus));
  if (!surplus.empty()) {
    if (auto removed = admin_.RemoveAcls(surplus, kPatience); !removed.ok()) return removed;
    telemetry::Info("rights in Kafka are taken back",
                    {{"partner", partner.id()}, {"rights", surplus.size()}});
  }
  if (!missing.empty()) {
    if (auto granted = admin_.EnsureAcls(missing, kPatience); !granted.ok()) return granted;
    telemetry::Info("a partner may read its feed in Kafka",
                    {{"partner", partner.id()}, {"topic", FeedTopicOf(partner.id())}});
  }
  return absl::OkStatus();
}

absl::Status FeedRights::Align(const Snapshot& snapshot) {
  absl::Status first;
  for (const auto& [code, partner] : snapshot.partners) {
    const absl::Status aligned = AlignOne(partner);
    if (first.ok()) first = aligned;
    const std::lock_guard lock(mutex_);
    trouble_[code] = aligned;
  }
  if (first.ok()) {
    failing_.Over("partners' rights in Kafka are set");
  } else {
    failing_.Met(absl::IsUnavailable(first) ? telemetry::Level::kWarn : telemetry::Level::kError,
                 "partners' rights in Kafka can't be set, and are tried again",
                 {{"status", first}});
  }
  return first;
}

absl::Status FeedRights::Trouble(const std::string& partner) const {
  const std::lock_guard lock(mutex_);
  const auto found = trouble_.find(partner);
  return found == trouble_.end() ? absl::OkStatus() : found->second;
}

}  // namespace sankofa::exchange
