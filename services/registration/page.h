#pragma once

#include <string>
#include <vector>

#include "services/platform/rpc/queries.h"

namespace sankofa::registration {

// A statement in the making, with its parameters and its place in a listing: the page after the sort columns that the
// token holds (platform/rpc/paging.h).
class PageQuery {
 public:
  // `name`: of the listing. `call` outlives the query.
  PageQuery(rpc::QueryCall& call, std::string name) : call_(call), name_(std::move(name)) {}

  // A condition in which `$` stands for the value. Part of what a page token is bound to.
  void Where(const std::string& condition, std::string value);

  // Runs `select`, continued after `page_token`. `sort`: the first columns of the result, by which the listing is sorted
  // in one direction and which together are unique. REASON_INVALID_PAGE_TOKEN for a token of another query. Once.
  struct Sort {
    std::vector<std::string> columns;
    std::vector<std::string> types;
    bool descending = false;
    std::string group;  // "group by … having …" before the order, where needed
  };
  struct Page {
    postgres::Result rows;
    int shown = 0;
    std::string next_page_token;
  };
  [[nodiscard]] absl::StatusOr<Page> Run(const std::string& select, const Sort& sort,
                                         const std::string& page_token, int page_size);

 private:
  [[nodiscard]] std::string Fingerprint() const;

  rpc::QueryCall& call_;
  std::string name_;
  std::vector<std::string> conditions_;
  std::vector<postgres::Param> params_;
};

}  // namespace sankofa::registration
