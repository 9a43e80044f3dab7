#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace sankofa::postgres {

// A statement's parameter in PostgreSQL's text form; nothing = NULL.
using Param = std::optional<std::string>;

// The rows of one statement, in text form. Owns the libpq result.
class Result {
 public:
  explicit Result(pg_result* result);
  [[nodiscard]] int rows() const;
  [[nodiscard]] int columns() const;
  [[nodiscard]] bool null(int row, int column) const;
  // Valid as long as the result. Empty for NULL.
  [[nodiscard]] std::string_view text(int row, int column) const;
  [[nodiscard]] std::int64_t integer(int row, int column) const;
  // A bytea column, decoded.
  [[nodiscard]] std::string bytes(int row, int column) const;

 private:
  std::shared_ptr<pg_result> result_;
};

// `{"a","b"}` for a parameter of an array type; elements are escaped, nothing = NULL.
[[nodiscard]] std::string ArrayLiteral(const std::vector<std::optional<std::string>>& elements);
[[nodiscard]] std::string ArrayLiteral(const std::vector<std::string>& elements);

}  // namespace sankofa::postgres
