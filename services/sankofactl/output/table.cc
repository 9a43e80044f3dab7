#include "services/sankofactl/output/table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "services/platform/status/check.h"

namespace sankofa::ctl {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The length of the UTF-8 sequence at the front of `text`, 0 where it is malformed, longer than needed or beyond
// Unicode. `point` becomes the code point.
std::size_t Decode(std::string_view text, char32_t& point) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (!Continues(text[i])) return 0;
    point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3F);
  }
  const bool too_long = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  return too_long || surrogate || point > 0x10FFFF ? 0 : length;
}

// C0, DEL, C1, and the marks that turn the direction of writing.
bool Controls(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !Continues(c); }));
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    char32_t point = 0;
    const std::size_t length = Decode(text, point);
    if (length > 0 && (point == '\n' || point == '\t')) {
      printable.push_back(' ');
    } else if (length == 0 || Controls(point)) {
      printable.append(kReplacement);
    } else {
      printable.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return printable;
}

Table::Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }

void Table::Add(std::vector<std::string> row) {
  status::Check(row.size() == rows_.front().size(),
                "a table's row has other columns than its head");
  for (std::string& cell : row) cell = Printable(cell);
  rows_.push_back(std::move(row));
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line.append(row[i]).append(widths[i] - Width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text.append(line).push_back('\n');
  }
  return text;
}

std::string Moment(absl::Time time) {
  if (time == absl::InfinitePast()) return {};
  return absl::FormatTime("%E4Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string ShortName(std::string_view full_name) {
  return std::string(full_name.substr(full_name.rfind('.') + 1));
}

}  // namespace sankofa::ctl
