#include "services/platform/rpc/paging.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"

namespace sankofa::rpc {
namespace {

constexpr char kSeparator = '\0';
constexpr std::size_t kSealSize = 32;  // hex digits

std::string SealOf(const QueryCall& call, const std::string& query, const std::string& key) {
  return call.Blind("page", absl::StrCat(query.size(), ":", query, key)).substr(0, kSealSize);
}

}  // namespace

std::string MakePageToken(const QueryCall& call, const std::string& query,
                          const std::vector<std::string>& key) {
  const std::string joined = absl::StrJoin(key, std::string(1, kSeparator));
  return absl::WebSafeBase64Escape(absl::StrCat(SealOf(call, query, joined), joined));
}

absl::StatusOr<std::vector<std::string>> ReadPageToken(const QueryCall& call,
                                                       const std::string& query,
                                                       const std::string& token,
                                                       const std::vector<std::string>& first) {
  if (token.empty()) return first;
  std::string bytes;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() >= kSealSize) {
    const std::string joined = bytes.substr(kSealSize);
    std::vector<std::string> key = absl::StrSplit(joined, kSeparator);
    if (bytes.substr(0, kSealSize) == SealOf(call, query, joined) && key.size() == first.size()) {
      return key;
    }
  }
  return status::RefuseField(common::v1::REASON_INVALID_PAGE_TOKEN, "page_token");
}

}  // namespace sankofa::rpc
