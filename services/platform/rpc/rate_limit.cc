#include "services/platform/rpc/rate_limit.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::rpc {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr char kPartnerPrefix[] = "partner-";

struct Limited {
  std::string key;
  int limit = 0;
};

// Nothing for a caller without a limit.
std::optional<Limited> LimitOf(const engine::Actor& actor, const RateLimits& limits) {
  if (!actor.subject.empty()) {
    if (limits.person_per_minute == 0) return std::nullopt;
    return Limited{absl::StrCat("person/", actor.subject), limits.person_per_minute};
  }
  if (limits.partner_per_minute == 0 || !absl::StartsWith(actor.system, kPartnerPrefix)) {
    return std::nullopt;
  }
  return Limited{absl::StrCat("system/", actor.system), limits.partner_per_minute};
}

}  // namespace

void RateLimiter::Turn(std::int64_t minute) {
  if (minute == minute_) return;
  // A clock that was set back starts counting anew.
  const bool next = minute == minute_ + 1;
  minute_ = minute;
  for (auto caller = callers_.begin(); caller != callers_.end();) {
    const std::int64_t before = next ? caller->second.here + caller->second.others : 0;
    if (before == 0) {
      caller = callers_.erase(caller);
    } else {
      caller->second = {.here = 0, .told = 0, .others = 0, .before = before};
      ++caller;
    }
  }
}

absl::Status RateLimiter::Take(const engine::Actor& actor) {
  const auto limited = LimitOf(actor, limits_);
  if (!limited) return absl::OkStatus();
  const std::int64_t now = absl::ToUnixSeconds(clock_.Now());
  const std::scoped_lock lock(mutex_);
  Turn(now / kMinute);
  Caller& caller = callers_[limited->key];
  const std::int64_t left = kMinute - now % kMinute;  // seconds of this minute, 1 to 60
  const std::int64_t made = caller.here + caller.others + caller.before * left / kMinute;
  if (made >= limited->limit) {
    return status::Refuse(common::v1::REASON_RATE_LIMITED,
                          {.fields = {},
                           .metadata = {{"calls_per_minute", absl::StrCat(limited->limit)},
                                        {"retry_after_seconds", absl::StrCat(left)}}});
  }
  ++caller.here;
  return absl::OkStatus();
}

absl::Status RateLimiter::Share(SharedCounts& counts) {
  std::vector<SharedCounts::Count> told;
  std::vector<std::string> callers;
  std::int64_t minute = 0;
  {
    const std::scoped_lock lock(mutex_);
    minute = absl::ToUnixSeconds(clock_.Now()) / kMinute;
    Turn(minute);
    for (const auto& [key, caller] : callers_) {
      if (caller.here == 0) continue;
      told.push_back({absl::StrCat("rate/", key, "/", minute), caller.here - caller.told});
      callers.push_back(key);
    }
  }
  if (told.empty()) return absl::OkStatus();
  const auto sums = counts.Add(told);
  if (!sums.ok()) return sums.status();
  const std::scoped_lock lock(mutex_);
  if (minute_ != minute) return absl::OkStatus();
  for (std::size_t i = 0; i < callers.size(); ++i) {
    Caller& caller = callers_[callers[i]];
    caller.told += told[i].added;
    caller.others = std::max<std::int64_t>(0, (*sums)[i] - caller.told);
  }
  return absl::OkStatus();
}

}  // namespace sankofa::rpc
