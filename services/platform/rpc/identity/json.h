#pragma once

#include <jansson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// What the readers of keys and tokens need of jansson.
namespace sankofa::rpc {

struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};
using Json = std::unique_ptr<json_t, FreeJson>;

// Null where `text` is not JSON, or where a name stands twice: readers would differ on which one counts.
[[nodiscard]] inline Json ParseJson(std::string_view text) {
  return Json(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr));
}

[[nodiscard]] inline bool IsObject(const json_t* json) { return json_is_object(json); }
[[nodiscard]] inline bool IsList(const json_t* json) { return json_is_array(json); }
[[nodiscard]] inline bool IsText(const json_t* json) { return json_is_string(json); }
[[nodiscard]] inline bool IsNumber(const json_t* json) { return json_is_number(json); }

// The text under a name; nothing where there is none or it is something else.
[[nodiscard]] inline std::optional<std::string> TextUnder(const json_t* object, const char* name) {
  const json_t* value = json_object_get(object, name);
  if (!IsText(value)) return std::nullopt;
  return std::string(json_string_value(value), json_string_length(value));
}

}  // namespace sankofa::rpc
