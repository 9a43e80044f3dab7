#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

// Text for people who look at a terminal.
namespace sankofa::ctl {

// What may be written to a terminal: control characters, by which text from elsewhere could move the cursor or colour
// the screen, are replaced, and so are bytes that are not UTF-8. A line's end becomes a blank.
[[nodiscard]] std::string Printable(std::string_view text);

// Columns as wide as their widest cell, two blanks between them, no blanks at a line's end. Cells are made printable.
// A width is a number of code points, which is right for the languages of the nodes.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  // A row has as many cells as the head.
  void Add(std::vector<std::string> row);
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  [[nodiscard]] std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the head is the first
};

// "2017-06-30 09:00:00Z", without the fraction of a second; empty for InfinitePast.
[[nodiscard]] std::string Moment(absl::Time time);

// What follows the last dot: "CaseSubmitted".
[[nodiscard]] std::string ShortName(std::string_view full_name);

}  // namespace sankofa::ctl
