#include "services/sankofactl/output/json.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/table.h"

namespace sankofa::ctl {
namespace {

using common::v1::Sealed;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

bool IsPersonal(const FieldDescriptor& field) {
  const auto visibility = field.options().GetExtension(common::v1::visibility);
  return visibility == common::v1::VISIBILITY_PERSONAL ||
         visibility == common::v1::VISIBILITY_SENSITIVE;
}

// Paths of the fields that the Sealed field of a message of this type may hold.
void AddSealedPaths(const Descriptor& type, const std::string& prefix, int levels_left,
                    Json& paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string path = absl::StrCat(prefix, field.name());
    if (IsPersonal(field)) {
      paths.Append(Json::Text(path));
    } else if (IsMessage(field) && !field.is_repeated() && levels_left > 0) {
      AddSealedPaths(*field.message_type(), absl::StrCat(path, "."), levels_left - 1, paths);
    }
  }
}

std::size_t DecodedBytes(json_t* base64) {
  std::string bytes;
  const char* text = json_string_value(base64);
  return text != nullptr && absl::Base64Unescape(text, &bytes) ? bytes.size() : 0;
}

Json DescribeSealed(json_t* sealed, const Descriptor& holder) {
  constexpr int kLevels = 8;
  Json fields = Json::Array();
  AddSealedPaths(holder, "", kLevels, fields);
  Json described = Json::Object();
  const char* subject = json_string_value(json_object_get(sealed, "subject_id"));
  described.Set("subject_id", subject == nullptr ? "" : subject);
  described.Set("may_hold", fields);
  described.Set("bytes",
                static_cast<std::int64_t>(DecodedBytes(json_object_get(sealed, "ciphertext"))));
  return described;
}

void ShowSealed(json_t* object, const Descriptor& type);

void ShowSealedInside(json_t* value, const FieldDescriptor& field) {
  const Descriptor& inner = *field.message_type();
  if (field.is_map()) {
    const FieldDescriptor& held = *inner.map_value();
    if (!IsMessage(held)) return;
    const char* key = nullptr;
    json_t* one = nullptr;
    json_object_foreach(value, key, one) ShowSealed(one, *held.message_type());
  } else if (field.is_repeated()) {
    std::size_t index = 0;
    json_t* one = nullptr;
    json_array_foreach(value, index, one) ShowSealed(one, inner);
  } else {
    ShowSealed(value, inner);
  }
}

// Walks a message's JSON beside its type.
void ShowSealed(json_t* object, const Descriptor& type) {
  if (!Json::Is(object, JSON_OBJECT)) return;  // a Timestamp is a text
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!IsMessage(field)) continue;
    json_t* value = json_object_get(object, field.name().c_str());
    if (value == nullptr) continue;
    if (field.message_type() == Sealed::descriptor() && !field.is_repeated()) {
      const Json described = DescribeSealed(value, type);
      json_object_set(object, field.name().c_str(), described.get());
    } else {
      ShowSealedInside(value, field);
    }
  }
}

std::string Dump(json_t* value, std::size_t flags) {
  char* text = json_dumps(value, flags | JSON_ENCODE_ANY);
  status::Check(text != nullptr, "a JSON value can't be written");
  std::string dumped(text);
  free(text);  // NOLINT: allocated by jansson with malloc
  return dumped;
}

}  // namespace

Json Json::Object() { return Json(json_object()); }
Json Json::Array() { return Json(json_array()); }
Json Json::Number(std::int64_t number) { return Json(json_integer(number)); }
Json Json::Bool(bool value) { return Json(json_boolean(value)); }

Json Json::Text(std::string_view text) {
  json_t* value = json_stringn(text.data(), text.size());
  if (value != nullptr) return Json(value);
  const std::string printable = Printable(text);
  return Json(json_stringn(printable.data(), printable.size()));
}

absl::StatusOr<Json> Json::Parse(std::string_view text) {
  json_error_t error{};
  json_t* value = json_loadb(text.data(), text.size(),
                             JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (value == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.line, ", column ", error.column, ": ", error.text));
  }
  return Json(value);
}

Json& Json::Set(const std::string& name, const Json& value) {
  json_object_set(value_.get(), name.c_str(), value.get());
  return *this;
}

Json& Json::Append(const Json& value) {
  json_array_append(value_.get(), value.get());
  return *this;
}

std::string Json::Line() const { return Dump(value_.get(), JSON_COMPACT); }
std::string Json::Pretty() const { return Dump(value_.get(), JSON_INDENT(2)); }

absl::StatusOr<Json> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto written = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!written.ok()) {
    return status::Internal(
        absl::StrCat(message.GetDescriptor()->full_name(),
                     " can't be shown as JSON: ", written.message().as_string()));
  }
  auto json = Json::Parse(text);
  if (!json.ok()) return status::Internal(status::Std(json.status().message()));
  ShowSealed(json->get(), *message.GetDescriptor());
  return json;
}

absl::Status FromJson(std::string_view text, google::protobuf::Message& message) {
  // For the place of a mistake, and because protobuf's own reader takes what is not quite JSON.
  if (auto parsed = Json::Parse(text); !parsed.ok()) return parsed.status();
  const auto read = google::protobuf::util::JsonStringToMessage(std::string(text), &message);
  if (read.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("not a ", message.GetDescriptor()->full_name(),
                                                 ": ", read.message().as_string()));
}

}  // namespace sankofa::ctl
