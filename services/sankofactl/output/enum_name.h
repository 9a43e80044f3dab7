#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace sankofa::ctl {

// A value's name without the prefix that its enum's names share: PARTNER_STATE_ACTIVE → "ACTIVE"; empty for the zero
// value; the number of a value that this client does not know.
template <class Enum>
[[nodiscard]] std::string EnumName(Enum value) {
  const auto* type = google::protobuf::GetEnumDescriptor<Enum>();
  if (static_cast<int>(value) == 0) return {};
  const auto* found = type->FindValueByNumber(static_cast<int>(value));
  if (found == nullptr) return std::to_string(static_cast<int>(value));
  constexpr std::string_view kZero = "UNSPECIFIED";
  return found->name().substr(type->FindValueByNumber(0)->name().size() - kZero.size());
}

}  // namespace sankofa::ctl
