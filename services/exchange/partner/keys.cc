#include "services/exchange/partner/keys.h"

#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

bool Ended(const v1::PartnerKey& key, absl::Time at) {
  return key.revoked() || (key.has_until_time() && at > time::FromTimestamp(key.until_time()));
}

}  // namespace

const v1::PartnerKey* FindKey(const v1::Partner& partner, const std::string& key_id,
                              absl::Time issued) {
  for (const v1::PartnerKey& key : partner.keys()) {
    if (key.key_id() != key_id || key.verification_key().empty()) continue;
    return Ended(key, issued) ? nullptr : &key;
  }
  return nullptr;
}

const v1::PartnerKey* SealingKeyOf(const v1::Partner& partner, absl::Time now) {
  const v1::PartnerKey* newest = nullptr;
  for (const v1::PartnerKey& key : partner.keys()) {
    if (!key.sealing_key().empty() && !Ended(key, now)) newest = &key;
  }
  return newest;
}

}  // namespace sankofa::exchange
