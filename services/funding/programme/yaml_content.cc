#include "services/funding/programme/yaml_content.h"

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "sankofa/common/v1/money.pb.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"

namespace sankofa::funding {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kBytesMax = 65'536;
constexpr int kNodesMax = 5'000;

absl::Status Malformed(const std::string& path, std::string what) {
  return status::RefuseField(v1::REASON_PROGRAMME_MALFORMED, path.empty() ? "yaml" : path,
                             std::move(what));
}

// "in_kind" → DELIVERY_MODE_IN_KIND; null for what the enum does not have, and for its zero.
const EnumValueDescriptor* FindEnumValue(const EnumDescriptor& type, const std::string& text) {
  if (text != absl::AsciiStrToLower(text)) return nullptr;
  const std::string prefix(absl::StripSuffix(type.FindValueByNumber(0)->name(), "UNSPECIFIED"));
  const auto* value = type.FindValueByName(absl::StrCat(prefix, absl::AsciiStrToUpper(text)));
  return value == nullptr || value->number() == 0 ? nullptr : value;
}

class Reader {
 public:
  absl::Status ReadMap(const YAML::Node& node, Message& out, const std::string& path) {
    if (!node.IsMap()) return Malformed(path, "must be a map of keys and values");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return Malformed(path, "a key must be a word");
      const std::string& key = entry.first.Scalar();
      const std::string at = path.empty() ? key : absl::StrCat(path, ".", key);
      const FieldDescriptor* field = out.GetDescriptor()->FindFieldByName(key);
      if (field == nullptr) return Malformed(at, "unknown key");
      if (!seen.insert(key).second) return Malformed(at, "stands here twice");
      if (auto read = ReadField(entry.second, out, *field, at); !read.ok()) return read;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadField(const YAML::Node& node, Message& out, const FieldDescriptor& field,
                         const std::string& path) {
    if (!field.is_repeated()) return ReadValue(node, out, field, path);
    if (!node.IsSequence()) return Malformed(path, "must be a list");
    int index = 0;
    for (const YAML::Node& element : node) {
      const std::string at = absl::StrCat(path, "[", index++, "]");
      if (auto read = ReadValue(element, out, field, at); !read.ok()) return read;
    }
    return absl::OkStatus();
  }

  // One value, set or added.
  absl::Status ReadValue(const YAML::Node& node, Message& out, const FieldDescriptor& field,
                         const std::string& path) {
    if (++nodes_ > kNodesMax) return Malformed(path, "too many values in all");
    const auto* reflection = out.GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message& inner = field.is_repeated() ? *reflection->AddMessage(&out, &field)
                                           : *reflection->MutableMessage(&out, &field);
      if (field.message_type() != common::v1::Money::descriptor()) {
        return ReadMap(node, inner, path);
      }
      const auto amount = node.IsScalar() ? money::Parse(node.Scalar()) : std::nullopt;
      if (!amount) return Malformed(path, "must be an amount like 4000 EUR");
      inner.CopyFrom(*amount);
      return absl::OkStatus();
    }
    if (!node.IsScalar()) return Malformed(path, "must be a single value");
    return ReadScalar(node.Scalar(), out, field, path);
  }

  static absl::Status ReadScalar(const std::string& text, Message& out,
                                 const FieldDescriptor& field, const std::string& path) {
    const auto* reflection = out.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        field.is_repeated() ? reflection->AddString(&out, &field, text)
                            : reflection->SetString(&out, &field, text);
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_INT32: {
        std::int32_t number = 0;
        if (!absl::SimpleAtoi(text, &number)) return Malformed(path, "must be a whole number");
        field.is_repeated() ? reflection->AddInt32(&out, &field, number)
                            : reflection->SetInt32(&out, &field, number);
        return absl::OkStatus();
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") return Malformed(path, "must be true or false");
        reflection->SetBool(&out, &field, text == "true");
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* value = FindEnumValue(*field.enum_type(), text);
        if (value == nullptr) return Malformed(path, "is not one of the allowed words");
        field.is_repeated() ? reflection->AddEnum(&out, &field, value)
                            : reflection->SetEnum(&out, &field, value);
        return absl::OkStatus();
      }
      default: return Malformed(path, "can't be given in YAML");
    }
  }

  int nodes_ = 0;
};

}  // namespace

absl::Status ReadYaml(std::string_view text, Message& out) {
  if (text.size() > kBytesMax) return Malformed("", "longer than 64 KiB");
  if (text.find('\0') != std::string_view::npos) return Malformed("", "holds a zero byte");
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() != 1) return Malformed("", "must be exactly one document");
    return Reader().ReadMap(documents.front(), out, "");
  } catch (const YAML::Exception& error) {
    return Malformed("", absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace sankofa::funding
