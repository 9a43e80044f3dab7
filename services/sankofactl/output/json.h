#pragma once

#include <jansson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

// JSON for programs, and protobuf messages as JSON. Fields have the names of the proto files; otherwise it is the JSON
// of protobuf (64-bit numbers are texts, bytes are base64). Members keep their order.
namespace sankofa::ctl {

// A JSON value; a copy shares it.
class Json {
 public:
  [[nodiscard]] static Json Object();
  [[nodiscard]] static Json Array();
  // Bytes that are not UTF-8 are replaced.
  [[nodiscard]] static Json Text(std::string_view text);
  [[nodiscard]] static Json Number(std::int64_t number);
  [[nodiscard]] static Json Bool(bool value);
  // INVALID_ARGUMENT with the place of the mistake. One value and nothing behind it; a member may stand once.
  [[nodiscard]] static absl::StatusOr<Json> Parse(std::string_view text);

  // Of an object.
  Json& Set(const std::string& name, const Json& value);
  Json& Set(const std::string& name, std::string_view text) { return Set(name, Text(text)); }
  Json& Set(const std::string& name, const std::string& text) { return Set(name, Text(text)); }
  Json& Set(const std::string& name, const char* text) { return Set(name, Text(text)); }
  Json& Set(const std::string& name, std::int64_t number) { return Set(name, Number(number)); }
  Json& Set(const std::string& name, bool value) { return Set(name, Bool(value)); }
  // Of an array.
  Json& Append(const Json& value);

  // On one line, or with two blanks for each level.
  [[nodiscard]] std::string Line() const;
  [[nodiscard]] std::string Pretty() const;
  // Whether a value of jansson's is there and of this kind.
  [[nodiscard]] static bool Is(const json_t* value, json_type kind) {
    return value != nullptr && json_typeof(value) == kind;
  }
  // For what this class has no word for. Lives as long as this.
  [[nodiscard]] json_t* get() const { return value_.get(); }

 private:
  explicit Json(json_t* owned) : value_(owned, &json_decref) {}
  std::shared_ptr<json_t> value_;
};

// Sealed parts are shown as what they are: whose key, which fields may be inside, how many bytes.
[[nodiscard]] absl::StatusOr<Json> ToJson(const google::protobuf::Message& message);

// INVALID_ARGUMENT that says what is wrong: not JSON, an unknown field, a value that the field can't hold.
[[nodiscard]] absl::Status FromJson(std::string_view text, google::protobuf::Message& message);

}  // namespace sankofa::ctl
