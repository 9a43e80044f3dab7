#pragma once

#include "sankofa/funding/v1/ledger.pb.h"
#include "services/platform/money/money.h"

namespace sankofa::funding {

// A conversion as it is kept on the record.
[[nodiscard]] inline v1::Conversion RecordOf(const money::Conversion& conversion) {
  v1::Conversion record;
  *record.mutable_source() = conversion.source;
  *record.mutable_target() = conversion.target;
  record.set_rate(conversion.rate);
  record.set_rounding_numerator(conversion.rounding_numerator);
  record.set_rounding_denominator(conversion.rounding_denominator);
  return record;
}

}  // namespace sankofa::funding
