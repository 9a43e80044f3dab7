#pragma once

#include <string>

#include "absl/time/time.h"
#include "sankofa/exchange/v1/partner.pb.h"

namespace sankofa::exchange {

// A part of exchange that knows how the exchange with a partner goes: the one that sends and the one that receives. Each
// fills what it knows of PartnerHealth and leaves the rest. Called on threads that may wait until `deadline`; what it
// can't learn by then it leaves as it is.
class HealthSource {
 public:
  virtual ~HealthSource() = default;
  virtual void Fill(const v1::Partner& partner, absl::Time deadline, v1::PartnerHealth& health) = 0;
};

}  // namespace sankofa::exchange
