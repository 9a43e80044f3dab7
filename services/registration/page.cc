#include "services/registration/page.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/platform/rpc/paging.h"

namespace sankofa::registration {

void PageQuery::Where(const std::string& condition, std::string value) {
  params_.emplace_back(std::move(value));
  conditions_.push_back(absl::StrReplaceAll(condition, {{"$", absl::StrCat("$", params_.size())}}));
}

// The listing and what it is narrowed to. Only a keyed hash of it is in a token: a filter may be a person's name.
std::string PageQuery::Fingerprint() const {
  std::string text = name_;
  for (size_t i = 0; i < params_.size(); ++i) {
    absl::StrAppend(&text, "\n", conditions_[i], "\n", absl::CEscape(*params_[i]));
  }
  return text;
}

absl::StatusOr<PageQuery::Page> PageQuery::Run(const std::string& select, const Sort& sort,
                                               const std::string& page_token, int page_size) {
  const std::string fingerprint = Fingerprint();
  if (!page_token.empty()) {
    const auto after = rpc::ReadPageToken(call_, fingerprint, page_token,
                                          std::vector<std::string>(sort.columns.size()));
    if (!after.ok()) return after.status();
    std::vector<std::string> values;
    for (size_t i = 0; i < sort.columns.size(); ++i) {
      params_.emplace_back((*after)[i]);
      values.push_back(absl::StrCat("$", params_.size(), "::", sort.types[i]));
    }
    conditions_.push_back(absl::StrCat("(", absl::StrJoin(sort.columns, ", "), ")",
                                       sort.descending ? " < (" : " > (",
                                       absl::StrJoin(values, ", "), ")"));
  }
  const int size = rpc::PageSize(page_size);
  const char* direction = sort.descending ? " desc" : "";
  std::string sql = select;
  if (!conditions_.empty()) absl::StrAppend(&sql, " where ", absl::StrJoin(conditions_, " and "));
  absl::StrAppend(&sql, sort.group.empty() ? "" : " ", sort.group, " order by ",
                  absl::StrJoin(sort.columns, absl::StrCat(direction, ", ")), direction, " limit ",
                  size + 1);
  auto rows = call_.Sql(sql, params_);
  if (!rows.ok()) return rows.status();
  Page page{.rows = *std::move(rows)};
  page.shown = std::min(page.rows.rows(), size);
  if (page.rows.rows() > size) {
    // The sort columns come first in the result.
    std::vector<std::string> key;
    for (size_t i = 0; i < sort.columns.size(); ++i) {
      key.emplace_back(page.rows.text(page.shown - 1, static_cast<int>(i)));
    }
    page.next_page_token = rpc::MakePageToken(call_, fingerprint, key);
  }
  return page;
}

}  // namespace sankofa::registration
