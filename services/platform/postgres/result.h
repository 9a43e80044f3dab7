#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

struct pg_result;

namespace sankofa::postgres {

// A statement's parameter in PostgreSQL's text form; nothing = NULL.
using Param = std::optional<std::string>;

// The rows of one statement. Owns the libpq result; a copy shares it. Rows come in text form unless
// the statement asked for binary form; all but text() read either.
class Result {
 public:
  explicit Result(pg_result* result);
  [[nodiscard]] int rows() const;
  [[nodiscard]] int columns() const;
  // The number of rows that an INSERT, UPDATE or DELETE touched.
  [[nodiscard]] std::int64_t affected() const;
  [[nodiscard]] bool null(int row, int column) const;
  // Valid as long as the result. Empty for NULL.
  [[nodiscard]] std::string_view text(int row, int column) const;
  // An integer or boolean (0 or 1) column. 0 for NULL.
  [[nodiscard]] std::int64_t integer(int row, int column) const;
  // A bytea column, decoded.
  [[nodiscard]] std::string bytes(int row, int column) const;
  // A timestamptz column. absl::InfinitePast() for NULL.
  [[nodiscard]] absl::Time time(int row, int column) const;

 private:
  std::shared_ptr<pg_result> result_;
};

// `{"a","b"}` for a parameter of an array type; elements are escaped, nothing = NULL.
[[nodiscard]] std::string ArrayLiteral(const std::vector<std::optional<std::string>>& elements);
[[nodiscard]] std::string ArrayLiteral(const std::vector<std::string>& elements);

// The nearest time in the years 1 to 9999: what a timestamptz holds and other systems read too.
[[nodiscard]] absl::Time ClipTime(absl::Time time);

// A timestamptz in text form, clipped, to the microsecond: for parameters and the rows of
// projections.
[[nodiscard]] std::string TimeText(absl::Time time);

}  // namespace sankofa::postgres
