#include "services/platform/postgres/value.h"

#include <bit>
#include <cstddef>

namespace sankofa::postgres {
namespace {

// Offsets in an array's head: dimensions, flags, element type, size, lower bound.
constexpr std::size_t kFlagsAt = 4;
constexpr std::size_t kSizeAt = 12;
constexpr std::size_t kHeadBytes = 20;

template <class Number>
void Store(std::string& bytes, std::size_t at, Number number) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    bytes[at + i] = static_cast<char>(number >> (8 * (sizeof(Number) - 1 - i)));
  }
}

template <class Number>
void Append(std::string& bytes, Number number) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(Number));
  Store(bytes, at, number);
}

}  // namespace

ArrayBuilder::ArrayBuilder(Type element) {
  Append<std::int32_t>(bytes_, 1);
  Append<std::int32_t>(bytes_, 0);
  Append<std::int32_t>(bytes_, static_cast<std::int32_t>(element));
  Append<std::int32_t>(bytes_, 0);
  Append<std::int32_t>(bytes_, 1);
}

void ArrayBuilder::Bytes(std::string_view bytes) {
  Append(bytes_, static_cast<std::int32_t>(bytes.size()));
  bytes_.append(bytes);
  ++size_;
}

void ArrayBuilder::Text(const Param& text) {
  if (text) {
    Bytes(*text);
  } else {
    Null();
  }
}

void ArrayBuilder::Int8(std::int64_t number) {
  Append<std::int32_t>(bytes_, sizeof number);
  Append(bytes_, number);
  ++size_;
}

void ArrayBuilder::Int4(std::int32_t number) {
  Append<std::int32_t>(bytes_, sizeof number);
  Append(bytes_, number);
  ++size_;
}

void ArrayBuilder::Bool(bool value) { Bytes(std::string_view(value ? "\1" : "\0", 1)); }

void ArrayBuilder::Time(absl::Time time) {
  Int8(absl::ToUnixMicros(ClipTime(time)) - kEpochUnixMicros);
}

void ArrayBuilder::Null() {
  Append<std::int32_t>(bytes_, -1);
  Store<std::int32_t>(bytes_, kFlagsAt, 1);
  ++size_;
}

Value ArrayBuilder::Finish() && {
  if (size_ == 0) {
    // An empty array has no dimension.
    Store<std::int32_t>(bytes_, 0, 0);
    bytes_.resize(kSizeAt);
  } else {
    static_assert(kHeadBytes == kSizeAt + 2 * sizeof(std::int32_t));
    Store<std::int32_t>(bytes_, kSizeAt, size_);
  }
  return Value(std::move(bytes_), /*is_binary=*/true);
}

Value TextArray(const std::vector<std::string>& elements) {
  ArrayBuilder array(Type::kText);
  for (const std::string& element : elements) array.Bytes(element);
  return std::move(array).Finish();
}

}  // namespace sankofa::postgres
