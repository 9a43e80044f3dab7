#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/rpc/queries.h"

// Pages by key: a page token holds the sort key of the last row shown, so pages neither skip nor repeat rows when others
// come and go. It is bound to its query, and to this node, by a keyed hash.
namespace sankofa::rpc {

inline constexpr int kPageDefault = 25;

[[nodiscard]] inline int PageSize(int asked, int otherwise = kPageDefault) {
  return asked > 0 ? asked : otherwise;
}

// `query` tells this query from others: the request without its page fields.
[[nodiscard]] std::string MakePageToken(const QueryCall& call, const std::string& query,
                                        const std::vector<std::string>& key);

// The key, of `size` texts; for an empty token, as many as `first` gives. INVALID_PAGE_TOKEN for a token of another
// query, or none of ours.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ReadPageToken(
    const QueryCall& call, const std::string& query, const std::string& token,
    const std::vector<std::string>& first);

// A request without its page fields, as a text for the two functions above.
template <class Request>
[[nodiscard]] std::string QueryOf(Request request) {
  request.clear_page_size();
  request.clear_page_token();
  return request.GetTypeName() + '\0' + request.SerializeAsString();
}

}  // namespace sankofa::rpc
