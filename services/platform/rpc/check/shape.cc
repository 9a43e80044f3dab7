#include "services/platform/rpc/check/shape.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "services/platform/rpc/check/formats.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/time/time.h"

namespace sankofa::rpc {
namespace {

using common::v1::FieldRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

constexpr int kDepthMax = 32;
constexpr std::size_t kPathMax = 120;  // bytes of a field path in an answer

// Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a Timestamp may hold.
constexpr std::int64_t kFirstSecond = -62135596800;
constexpr std::int64_t kLastSecond = 253402300799;

const FieldRule& RuleOf(const FieldDescriptor& field) {
  return field.options().GetExtension(common::v1::rule);
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

// Where the check stands, from the inside out. A path is written only when something is wrong there.
struct Place {
  const Place* outer;
  const FieldDescriptor* field;
  int index;  // -1 where the field is not repeated, or the list as a whole is meant
};

std::string PathOf(const Place& place) {
  std::string path = place.outer == nullptr ? "" : absl::StrCat(PathOf(*place.outer), ".");
  absl::StrAppend(&path, place.field->name());
  if (place.index >= 0) absl::StrAppend(&path, "[", place.index, "]");
  if (path.size() > kPathMax) path.resize(kPathMax);
  return path;
}

// What is wrong with text of this form; null where nothing is.
const char* FormatFault(common::v1::Format format, const std::string& text, absl::CivilDay today) {
  switch (format) {
    case common::v1::FORMAT_UUID: return IsUuid(text) ? nullptr : "is not a UUID in lower case";
    case common::v1::FORMAT_COUNTRY:
      return IsCountry(text) ? nullptr : "is not a country's two-letter code (ISO 3166-1)";
    case common::v1::FORMAT_CURRENCY:
      return IsCurrency(text) ? nullptr : "is not a currency in use here: EUR, XAF, XOF";
    case common::v1::FORMAT_CODE:
      return IsCode(text) ? nullptr : "takes lower-case letters, digits and hyphens, at most 64";
    case common::v1::FORMAT_DATE:
      return time::ParseDay(text) ? nullptr : "is not a day (YYYY-MM-DD)";
    case common::v1::FORMAT_PAST_DATE: {
      const auto day = time::ParseDay(text);
      if (!day) return "is not a day (YYYY-MM-DD)";
      return *day <= today ? nullptr : "is in the future";
    }
    case common::v1::FORMAT_PHONE:
      return IsPhone(text) ? nullptr : "is not a telephone number with + and country code";
    default: return nullptr;
  }
}

class Checker {
 public:
  explicit Checker(absl::Time now) : now_(now), today_(time::DayOf(now)) {}

  void CheckMessage(const Message& message, const Place* outer, int depth) {
    if (depth > kDepthMax) {
      Say(*outer, "is nested too deeply");
      return;
    }
    if (outer != nullptr && message.GetDescriptor() == Timestamp::descriptor()) {
      CheckTime(static_cast<const Timestamp&>(message), *outer);
      return;
    }
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count() && !full(); ++i) {
      CheckField(message, *type.field(i), outer, depth);
    }
  }

  [[nodiscard]] std::vector<status::FieldViolation>& violations() { return violations_; }

 private:
  [[nodiscard]] bool full() const { return violations_.size() >= kViolationsMax; }

  void Say(const Place& place, std::string what) {
    if (!full()) violations_.push_back({PathOf(place), std::move(what)});
  }

  void CheckField(const Message& message, const FieldDescriptor& field, const Place* outer,
                  int depth) {
    const Reflection& reflection = *message.GetReflection();
    const FieldRule& rule = RuleOf(field);
    if (field.is_repeated()) {
      CheckList(message, field, rule, outer, depth);
      return;
    }
    const Place place{outer, &field, -1};
    if (IsMessage(field)) {
      if (!reflection.HasField(message, &field)) {
        if (rule.required()) Say(place, "is required");
        return;
      }
      CheckInner(reflection.GetMessage(message, &field), place, depth);
      return;
    }
    if (field.has_presence() && !reflection.HasField(message, &field)) {
      if (rule.required()) Say(place, "is required");
      return;
    }
    CheckValue(message, rule, place);
  }

  void CheckList(const Message& message, const FieldDescriptor& field, const FieldRule& rule,
                 const Place* outer, int depth) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    const Place list{outer, &field, -1};
    if (size == 0) {
      if (rule.required()) Say(list, "is required");
      return;
    }
    const std::uint32_t most = rule.max_items() > 0 ? rule.max_items() : kDefaultMaxItems;
    if (static_cast<std::uint32_t>(size) > most) {
      Say(list, absl::StrCat("has more than ", most, " entries"));
      return;
    }
    for (int i = 0; i < size && !full(); ++i) {
      const Place place{outer, &field, i};
      if (IsMessage(field)) {
        CheckInner(message.GetReflection()->GetRepeatedMessage(message, &field, i), place, depth);
      } else {
        CheckValue(message, rule, place);
      }
    }
  }

  void CheckInner(const Message& inner, const Place& place, int depth) {
    if (inner.GetDescriptor() == common::v1::Sealed::descriptor()) {
      Say(place, "is filled by the platform alone");
      return;
    }
    CheckMessage(inner, &place, depth + 1);
  }

  void CheckTime(const Timestamp& timestamp, const Place& place) {
    if (timestamp.seconds() < kFirstSecond || timestamp.seconds() > kLastSecond ||
        timestamp.nanos() < 0 || timestamp.nanos() > 999'999'999) {
      Say(place, "is not a time");
    } else if (RuleOf(*place.field).not_future() && time::FromTimestamp(timestamp) > now_) {
      Say(place, "is in the future");
    }
  }

  // One value that is not a message: the field's own, or the entry of a list.
  void CheckValue(const Message& message, const FieldRule& rule, const Place& place) {
    const Reflection& reflection = *message.GetReflection();
    const FieldDescriptor* field = place.field;
    const bool entry = place.index >= 0;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        CheckText(entry
                      ? reflection.GetRepeatedStringReference(message, field, place.index, &scratch)
                      : reflection.GetStringReference(message, field, &scratch),
                  rule, place);
        return;
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        CheckEnum(entry ? reflection.GetRepeatedEnumValue(message, field, place.index)
                        : reflection.GetEnumValue(message, field),
                  rule, place);
        return;
      case FieldDescriptor::CPPTYPE_INT32:
        CheckNumber<std::int64_t>(entry ? reflection.GetRepeatedInt32(message, field, place.index)
                                        : reflection.GetInt32(message, field),
                                  rule, place);
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        CheckNumber<std::int64_t>(entry ? reflection.GetRepeatedInt64(message, field, place.index)
                                        : reflection.GetInt64(message, field),
                                  rule, place);
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        CheckNumber<std::int64_t>(entry ? reflection.GetRepeatedUInt32(message, field, place.index)
                                        : reflection.GetUInt32(message, field),
                                  rule, place);
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        CheckUnsigned(entry ? reflection.GetRepeatedUInt64(message, field, place.index)
                            : reflection.GetUInt64(message, field),
                      rule, place);
        return;
      case FieldDescriptor::CPPTYPE_FLOAT:
        CheckNumber<double>(entry ? reflection.GetRepeatedFloat(message, field, place.index)
                                  : reflection.GetFloat(message, field),
                            rule, place);
        return;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        CheckNumber<double>(entry ? reflection.GetRepeatedDouble(message, field, place.index)
                                  : reflection.GetDouble(message, field),
                            rule, place);
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
      case FieldDescriptor::CPPTYPE_MESSAGE: return;
    }
  }

  void CheckText(const std::string& text, const FieldRule& rule, const Place& place) {
    const std::uint32_t most = rule.max_length() > 0 ? rule.max_length() : kDefaultMaxLength;
    if (place.field->type() == FieldDescriptor::TYPE_BYTES) {
      if (text.empty() && rule.required()) Say(place, "is required");
      if (text.size() > most) Say(place, absl::StrCat("has more than ", most, " bytes"));
      return;
    }
    if (absl::StripAsciiWhitespace(text).empty()) {
      if (rule.required()) {
        Say(place, "is required");
      } else if (!text.empty()) {
        Say(place, "is nothing but blanks");
      }
      return;
    }
    const auto length = CodePoints(text);
    if (!length) {
      Say(place, "is not UTF-8");
    } else if (*length > most) {
      Say(place, absl::StrCat("has more than ", most, " characters"));
    } else if (HasControlCharacters(text)) {
      Say(place, "has control characters");
    } else if (const char* fault = FormatFault(rule.format(), text, today_)) {
      Say(place, fault);
    }
  }

  void CheckEnum(int value, const FieldRule& rule, const Place& place) {
    if (value == 0) {
      if (rule.required()) Say(place, "is required");
    } else if (place.field->enum_type()->FindValueByNumber(value) == nullptr) {
      Say(place, "has a value that is not known here");
    }
  }

  // `required` asks for a number other than 0, but for a field that can tell 0 from nothing asks only that it be there.
  [[nodiscard]] static bool ZeroIsMissing(const FieldRule& rule, const Place& place) {
    return rule.required() && place.index < 0 && !place.field->has_presence();
  }

  template <class Number>
  void CheckNumber(Number value, const FieldRule& rule, const Place& place) {
    if (std::isnan(static_cast<double>(value)) || std::isinf(static_cast<double>(value))) {
      Say(place, "is not a number");
    } else if (value == 0 && ZeroIsMissing(rule, place)) {
      Say(place, "is required");
    } else if (rule.has_min() && value < static_cast<Number>(rule.min())) {
      Say(place, absl::StrCat("is less than ", rule.min()));
    } else if (rule.has_max() && value > static_cast<Number>(rule.max())) {
      Say(place, absl::StrCat("is more than ", rule.max()));
    }
  }

  void CheckUnsigned(std::uint64_t value, const FieldRule& rule, const Place& place) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
      CheckNumber(static_cast<std::int64_t>(value), rule, place);
    } else if (rule.has_max()) {
      Say(place, absl::StrCat("is more than ", rule.max()));
    }
  }

  const absl::Time now_;
  const absl::CivilDay today_;
  std::vector<status::FieldViolation> violations_;
};

bool IsNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_MESSAGE: return false;
    default: return true;
  }
}

void CollectFaults(const Descriptor& type, std::set<const Descriptor*>& seen,
                   std::vector<std::string>& faults) {
  if (!seen.insert(&type).second) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const FieldRule& rule = RuleOf(field);
    const auto fault = [&](std::string_view what) {
      faults.push_back(absl::StrCat(field.full_name(), " has ", status::Absl(what)));
    };
    const bool text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    const bool bytes = field.type() == FieldDescriptor::TYPE_BYTES;
    if (rule.format() != common::v1::FORMAT_UNSPECIFIED && (!text || bytes)) {
      fault("a format but is not text");
    }
    if (rule.max_length() > 0 && !text) fault("max_length but is not text");
    if (rule.max_items() > 0 && !field.is_repeated()) fault("max_items but is not a list");
    if ((rule.has_min() || rule.has_max()) && !IsNumber(field))
      fault("min or max but is no number");
    if (rule.has_min() && rule.has_max() && rule.min() > rule.max()) fault("min above max");
    const bool is_time = IsMessage(field) && field.message_type() == Timestamp::descriptor();
    if (rule.not_future() && !is_time) {
      fault("not_future but is no Timestamp");
    }
    if (rule.required() && field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL &&
        !field.has_presence()) {
      fault("required but is a bool that can't be missing");
    }
    if (IsMessage(field)) CollectFaults(*field.message_type(), seen, faults);
  }
}

}  // namespace

absl::Status CheckShape(const Message& request, absl::Time now) {
  Checker checker(now);
  checker.CheckMessage(request, nullptr, 0);
  if (checker.violations().empty()) return absl::OkStatus();
  return status::Refuse(common::v1::REASON_INVALID_FIELD,
                        {.fields = std::move(checker.violations()), .metadata = {}});
}

std::vector<std::string> RuleFaults(const Descriptor& type) {
  std::set<const Descriptor*> seen;
  std::vector<std::string> faults;
  CollectFaults(type, seen, faults);
  return faults;
}

}  // namespace sankofa::rpc
