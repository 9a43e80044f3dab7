#pragma once

#include <string>

#include "absl/time/time.h"
#include "sankofa/exchange/v1/partner.pb.h"

// Which of a partner's keys are good for what.
//
// A rotated key stays good for what was issued before its end, however late that arrives; a revoked one is good for
// nothing, because whoever stole it may put any date on a message. The day on which a key was added does not matter:
// the partner may have signed with it before.
namespace sankofa::exchange {

// The key of this name, for what was issued at `issued` and signed with it; null where it is not good for that.
[[nodiscard]] const v1::PartnerKey* FindKey(const v1::Partner& partner, const std::string& key_id,
                                            absl::Time issued);

// The newest key that may be sealed for at `now`; null where there is none.
[[nodiscard]] const v1::PartnerKey* SealingKeyOf(const v1::Partner& partner, absl::Time now);

}  // namespace sankofa::exchange
