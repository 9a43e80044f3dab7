#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace sankofa::monitoring {

// A value's name without the prefix that its enum's names have in common: CASE_STATE_ARRIVED → "ARRIVED". Empty for the
// zero value. A value that this version does not know is its number.
template <class Enum>
[[nodiscard]] std::string NameOf(Enum value) {
  const auto* type = google::protobuf::GetEnumDescriptor<Enum>();
  const int number = static_cast<int>(value);
  if (number == 0) return {};
  const auto* found = type->FindValueByNumber(number);
  if (found == nullptr) return std::to_string(number);
  constexpr std::string_view kZero = "UNSPECIFIED";
  return found->name().substr(type->FindValueByNumber(0)->name().size() - kZero.size());
}

}  // namespace sankofa::monitoring
