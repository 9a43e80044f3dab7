#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "services/platform/postgres/result.h"

// Parameters of a statement in PostgreSQL's binary form. A multi-row statement takes one array for
// each column and unnests them; binary arrays need no escaping, and a bytea travels in half the
// bytes of its text form.
namespace sankofa::postgres {

// A parameter in text or binary form. A Param becomes one in text form by itself.
struct Value {
  Value(Param text) : bytes(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  Value(Param value, bool is_binary) : bytes(std::move(value)), binary(is_binary) {}
  Param bytes;
  bool binary = false;
};

// Object ids of built-in types; fixed in PostgreSQL's catalogue (pg_type.dat).
enum class Type : std::uint32_t {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt4 = 23,
  kText = 25,
  kTimestamptz = 1184,
  kXid8 = 5069,
};

// PostgreSQL counts microseconds from 1 January 2000; this is that moment in microseconds since
// 1970.
inline constexpr std::int64_t kEpochUnixMicros = 946'684'800'000'000;

// Builds a one-dimensional array, element by element, for a parameter that the statement casts to
// the same type (`$1::bytea[]`).
class ArrayBuilder {
 public:
  explicit ArrayBuilder(Type element);
  void Bytes(std::string_view bytes);  // kText and kBytea
  void Text(const Param& text);        // kText or NULL
  void Int8(std::int64_t number);
  void Int4(std::int32_t number);
  void Bool(bool value);
  void Time(absl::Time time);  // to the microsecond; clipped to what timestamptz holds
  void Null();
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] Value Finish() &&;

 private:
  std::string bytes_;
  int size_ = 0;
};

// Arrays of text for `= any($1::text[])` and unnest.
[[nodiscard]] Value TextArray(const std::vector<std::string>& elements);

}  // namespace sankofa::postgres
