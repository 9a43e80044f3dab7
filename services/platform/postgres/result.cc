#include "services/platform/postgres/result.h"

#include <libpq-fe.h>

#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "services/platform/postgres/value.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

namespace sankofa::postgres {
namespace {

constexpr int kBinary = 1;

// A big-endian number of 1, 2, 4 or 8 bytes, sign extended.
std::int64_t BigEndian(std::string_view bytes) {
  status::Check(bytes.size() == 1 || bytes.size() == 2 || bytes.size() == 4 || bytes.size() == 8,
                "a binary column that is no number");
  auto number = static_cast<std::uint64_t>(
      static_cast<std::int64_t>(static_cast<signed char>(bytes.front())));
  for (const char byte : bytes.substr(1)) {
    number = (number << 8) | static_cast<unsigned char>(byte);
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace

Result::Result(pg_result* result) : result_(result, [](pg_result* owned) { PQclear(owned); }) {}

int Result::rows() const { return PQntuples(result_.get()); }

int Result::columns() const { return PQnfields(result_.get()); }

std::int64_t Result::affected() const {
  const std::string_view count = PQcmdTuples(result_.get());
  std::int64_t number = 0;
  std::from_chars(count.data(), count.data() + count.size(), number);
  return number;
}

bool Result::null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::text(int row, int column) const {
  status::Check(row >= 0 && row < rows() && column >= 0 && column < columns(),
                "a row or column that the result does not have");
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Result::integer(int row, int column) const {
  const std::string_view value = text(row, column);
  if (value.empty()) return 0;
  if (PQfformat(result_.get(), column) == kBinary) return BigEndian(value);
  if (value == "t") return 1;
  if (value == "f") return 0;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  status::Check(error == std::errc() && end == value.data() + value.size(),
                "a column that is no integer");
  return number;
}

std::string Result::bytes(int row, int column) const {
  const std::string_view value = text(row, column);
  if (PQfformat(result_.get(), column) == kBinary) return std::string(value);
  if (value.empty()) return {};
  status::Check(absl::StartsWith(status::Absl(value), "\\x"), "a column that is no bytea");
  return absl::HexStringToBytes(status::Absl(value.substr(2)));
}

absl::Time Result::time(int row, int column) const {
  if (null(row, column)) return absl::InfinitePast();
  const std::string_view value = text(row, column);
  if (PQfformat(result_.get(), column) == kBinary) {
    return absl::FromUnixMicros(BigEndian(value) + kEpochUnixMicros);
  }
  absl::Time time;
  std::string error;
  // "2017-06-30 12:00:00.123456+00": connections speak ISO and UTC.
  status::Check(absl::ParseTime("%Y-%m-%d %H:%M:%E*S%Ez", absl::StrCat(std::string(value), ":00"),
                                &time, &error),
                "a column that is no timestamptz");
  return time;
}

std::string ArrayLiteral(const std::vector<std::optional<std::string>>& elements) {
  std::string literal = "{";
  for (const auto& element : elements) {
    if (literal.size() > 1) literal.push_back(',');
    if (!element) {
      literal.append("NULL");
      continue;
    }
    literal.push_back('"');
    for (const char c : *element) {
      if (c == '"' || c == '\\') literal.push_back('\\');
      literal.push_back(c);
    }
    literal.push_back('"');
  }
  literal.push_back('}');
  return literal;
}

std::string ArrayLiteral(const std::vector<std::string>& elements) {
  return ArrayLiteral(std::vector<std::optional<std::string>>(elements.begin(), elements.end()));
}

absl::Time ClipTime(absl::Time time) {
  static const absl::Time kFirst = absl::FromCivil(absl::CivilYear(1), absl::UTCTimeZone());
  static const absl::Time kEnd = absl::FromCivil(absl::CivilYear(10000), absl::UTCTimeZone());
  return std::clamp(time, kFirst, kEnd - absl::Microseconds(1));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%E4Y-%m-%d %H:%M:%E6S+00", ClipTime(time), absl::UTCTimeZone());
}

}  // namespace sankofa::postgres
