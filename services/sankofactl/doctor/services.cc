#include "services/sankofactl/doctor/services.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/output/enum_name.h"
#include "services/sankofactl/output/table.h"

namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;

std::int64_t Unpublished(const common::v1::ServiceStatus& status) {
  return status.events_published_target() - status.events_published();
}

std::int64_t LagOf(const common::v1::ServiceStatus& status, const std::string& group) {
  for (const auto& consumer : status.consumers()) {
    if (consumer.group() == group) return consumer.lag();
  }
  return -1;
}

Finding JudgeRelay(const SeenService* before, const SeenService& now) {
  Finding relay{"relay", now.service, Trouble::kOk, {}};
  const std::int64_t waiting = Unpublished(now.status);
  relay.seen = absl::StrCat(now.status.events_published(), " published, ", waiting, " wait");
  if (now.status.parked_cases() > 0) {
    relay.trouble = Trouble::kRelayParked;
    absl::StrAppend(&relay.seen, ", ", now.status.parked_cases(), " cases parked");
  } else if (waiting > 0 && before != nullptr && Unpublished(before->status) > 0 &&
             now.status.events_published() <= before->status.events_published()) {
    relay.trouble = Trouble::kRelayStalled;
  }
  return relay;
}

Finding JudgeConsumer(const SeenService* before, const common::v1::ConsumerStatus& consumer) {
  Finding finding{"consumer", consumer.group(), Trouble::kOk,
                  consumer.lag() < 0 ? "not counted yet" : absl::StrCat(consumer.lag(), " unread")};
  if (!consumer.trouble().empty()) {
    finding.trouble = Trouble::kConsumerTrouble;
    absl::StrAppend(&finding.seen, "; ", consumer.trouble());
  } else if (consumer.lag() > kLagMax && before != nullptr &&
             LagOf(before->status, consumer.group()) <= consumer.lag()) {
    finding.trouble = Trouble::kConsumerBehind;
  }
  return finding;
}

// When the partner can no longer sign or be sealed for; nothing where no end is set.
std::optional<absl::Time> EndOfKeys(const exch::Partner& partner) {
  absl::Time last = absl::InfinitePast();
  for (const exch::PartnerKey& key : partner.keys()) {
    if (key.revoked()) continue;
    if (!key.has_until_time()) return std::nullopt;
    last = std::max(last, time::FromTimestamp(key.until_time()));
  }
  return last;
}

Finding JudgeKeys(const exch::Partner& partner, absl::Time now, absl::Duration ending) {
  Finding keys{"partner keys", partner.id(), Trouble::kOk, {}};
  const auto until = EndOfKeys(partner);
  const auto overlapping =
      std::count_if(partner.keys().begin(), partner.keys().end(), [&](const auto& key) {
        return !key.revoked() && key.has_until_time() &&
               time::FromTimestamp(key.until_time()) > now;
      });
  if (!until) {
    keys.seen = overlapping == 0 ? "in use"
                                 : absl::StrCat("a rotation is under way: ", overlapping,
                                                " earlier keys still hold");
  } else if (*until <= now) {
    keys.trouble = Trouble::kPartnerNoKey;
    keys.seen = "none is good now";
  } else {
    keys.trouble = *until - now < ending ? Trouble::kPartnerKeyEnding : Trouble::kOk;
    keys.seen = "until " + Moment(*until);
  }
  return keys;
}

}  // namespace

Findings JudgeService(const SeenService* before, const SeenService& now) {
  if (!now.answered.ok()) {
    const bool refused =
        absl::IsPermissionDenied(now.answered) || absl::IsUnauthenticated(now.answered);
    const std::string reason = status::ReasonOf(now.answered);
    return {{"service", now.service,
             refused ? Trouble::kServiceRefused : Trouble::kServiceUnreachable,
             absl::StrCat(reason, reason.empty() ? "" : ": ", now.answered.message())}};
  }
  Findings findings = {{"service", now.service, Trouble::kOk,
                        absl::StrCat("serves, version ", now.status.version())}};
  findings.push_back(JudgeRelay(before, now));
  const std::int64_t letters = now.status.dead_letters_waiting();
  findings.push_back({"dead letters", now.service,
                      letters > 0 ? Trouble::kDeadLetters : Trouble::kOk,
                      absl::StrCat(letters, " wait")});
  for (const auto& consumer : now.status.consumers()) {
    findings.push_back(JudgeConsumer(before, consumer));
  }
  return findings;
}

Finding JudgeVersions(const std::vector<SeenService>& services) {
  std::set<std::string> versions;
  for (const SeenService& one : services) {
    if (one.answered.ok()) versions.insert(one.status.version());
  }
  return {"versions", "services", versions.size() > 1 ? Trouble::kVersionsDiffer : Trouble::kOk,
          absl::StrJoin(versions, ", ")};
}

bool WorthAnotherLook(const SeenService& seen) {
  if (!seen.answered.ok()) return false;
  return Unpublished(seen.status) > 0 ||
         std::any_of(seen.status.consumers().begin(), seen.status.consumers().end(),
                     [](const auto& consumer) { return consumer.lag() > kLagMax; });
}

Findings JudgePartner(const SeenPartner& seen, absl::Time now, absl::Duration ending) {
  const exch::Partner& partner = seen.partner;
  const exch::PartnerHealth& health = seen.health;
  Finding finding{"partner", partner.id(), Trouble::kOk, {}};
  const auto because = [&finding](Trouble trouble, std::string text) {
    finding.trouble = trouble;
    finding.seen = std::move(text);
  };
  if (!seen.answered.ok()) {
    because(Trouble::kServiceUnreachable, std::string(seen.answered.message()));
    return {finding};
  }
  if (partner.state() == exch::PARTNER_STATE_SUSPENDED) {
    because(Trouble::kOk, absl::StrCat("suspended: ", partner.suspension_reason()));
    return {finding};
  }
  const bool is_node = partner.kind() == exch::PARTNER_KIND_NODE;
  if (!health.trouble().empty()) {
    because(Trouble::kPartnerTrouble, health.trouble());
  } else if (is_node && health.receive_lag() < 0) {
    because(Trouble::kPartnerSilent, "its cluster was not reached");
  } else if (health.unread() > kLagMax) {
    because(Trouble::kPartnerUnread, absl::StrCat(health.unread(), " messages unread there"));
  } else if (health.receive_lag() > kLagMax) {
    because(Trouble::kPartnerBehind, absl::StrCat(health.receive_lag(), " messages unread here"));
  } else if (health.refused_here() > 0 || health.refused_there() > 0) {
    because(Trouble::kPartnerRefuses, absl::StrCat(health.refused_here(), " refused here, ",
                                                   health.refused_there(), " there"));
  } else if (health.erasures_unanswered() > 0) {
    because(Trouble::kPartnerErasures,
            absl::StrCat(health.erasures_unanswered(), " erasures without a receipt"));
  } else {
    finding.seen =
        absl::StrCat(health.sent(), " sent, ", health.received(), " received",
                     health.has_last_received_time()
                         ? ", last " + Moment(time::FromTimestamp(health.last_received_time()))
                         : std::string());
  }
  Findings findings = {finding};
  if (is_node) findings.push_back(JudgeKeys(partner, now, ending));
  return findings;
}

}  // namespace sankofa::ctl
