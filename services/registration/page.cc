#include "services/registration/page.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::registration {
namespace {

constexpr int kPageSizeDefault = 25;
constexpr int kPageSizeMax = 100;

}  // namespace

int PageSize(int asked) { return asked <= 0 ? kPageSizeDefault : std::min(asked, kPageSizeMax); }

void PageQuery::Where(const std::string& condition, std::string value) {
  params_.emplace_back(std::move(value));
  conditions_.push_back(absl::StrReplaceAll(condition, {{"$", absl::StrCat("$", params_.size())}}));
}

// Keyed, since a filter may be a person's name: the token leaves the node.
std::string PageQuery::Fingerprint() const {
  std::string text = name_;
  for (size_t i = 0; i < params_.size(); ++i) {
    absl::StrAppend(&text, "\n", conditions_[i], "\n", absl::CEscape(*params_[i]));
  }
  return call_.Blind("registration/page", text).substr(0, 32);
}

absl::StatusOr<PageQuery::Page> PageQuery::Run(const std::string& select, const Sort& sort,
                                               const std::string& page_token, int page_size) {
  const std::string fingerprint = Fingerprint();
  if (!page_token.empty()) {
    std::string text;
    const bool readable = absl::WebSafeBase64Unescape(page_token, &text);
    const std::vector<std::string> parts = absl::StrSplit(text, '\n');
    if (!readable || parts.size() != sort.columns.size() + 1 || parts[0] != fingerprint) {
      return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
    }
    std::vector<std::string> values;
    for (size_t i = 0; i < sort.columns.size(); ++i) {
      params_.emplace_back(parts[i + 1]);
      values.push_back(absl::StrCat("$", params_.size(), "::", sort.types[i]));
    }
    conditions_.push_back(absl::StrCat("(", absl::StrJoin(sort.columns, ", "), ")",
                                       sort.descending ? " < (" : " > (",
                                       absl::StrJoin(values, ", "), ")"));
  }
  const int size = PageSize(page_size);
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
    std::string text = fingerprint;
    for (size_t i = 0; i < sort.columns.size(); ++i) {
      absl::StrAppend(&text, "\n",
                      std::string(page.rows.text(page.shown - 1, static_cast<int>(i))));
    }
    page.next_page_token = absl::WebSafeBase64Escape(text);
  }
  return page;
}

}  // namespace sankofa::registration
