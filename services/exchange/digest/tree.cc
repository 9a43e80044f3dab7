#include "services/exchange/digest/tree.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/status/refuse.h"

namespace sankofa::exchange {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr std::size_t kHashBytes = 32;

std::string HashOf(const v1::DigestLeaf& leaf) {
  std::string text = leaf.subject();
  text.push_back('\0');
  absl::StrAppend(&text, leaf.sequence());
  text.push_back('\0');
  text.append(leaf.last_hash());
  return crypto::Hash(text);
}

bool IsPrefix(const std::string& prefix) {
  return prefix.size() <= kDigestDepth && prefix.find_first_not_of(kDigits) == std::string::npos;
}

v1::DigestDifference DifferenceOf(const std::string& subject, const std::string& sender,
                                  const v1::DigestLeaf* sent, const v1::DigestLeaf* received) {
  v1::DigestDifference difference;
  difference.set_subject(subject);
  difference.set_sender(sender);
  if (sent != nullptr) difference.set_sent_sequence(sent->sequence());
  if (received != nullptr) difference.set_received_sequence(received->sequence());
  difference.set_content(difference.sent_sequence() == difference.received_sequence());
  return difference;
}

}  // namespace

DigestTree::DigestTree(std::vector<v1::DigestLeaf> leaves) {
  leaves_.reserve(leaves.size());
  for (v1::DigestLeaf& leaf : leaves) {
    std::string place = crypto::HashHex(leaf.subject()).substr(0, kDigestDepth);
    leaves_.push_back({std::move(place), std::move(leaf)});
  }
  std::sort(leaves_.begin(), leaves_.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.place, a.leaf.subject()) < std::tie(b.place, b.leaf.subject());
  });
}

std::pair<std::size_t, std::size_t> DigestTree::Range(const std::string& prefix) const {
  const auto begin = std::lower_bound(
      leaves_.begin(), leaves_.end(), prefix,
      [](const Placed& placed, const std::string& value) { return placed.place < value; });
  const auto end = std::find_if(begin, leaves_.end(), [&](const Placed& placed) {
    return placed.place.compare(0, prefix.size(), prefix) != 0;
  });
  return {begin - leaves_.begin(), end - leaves_.begin()};
}

std::string DigestTree::HashAt(const std::string& prefix) const {
  const auto [begin, end] = Range(prefix);
  if (begin == end) return std::string(kHashBytes, '\0');
  std::string children;
  if (prefix.size() == kDigestDepth) {
    for (std::size_t i = begin; i < end; ++i) children.append(HashOf(leaves_[i].leaf));
  } else {
    for (const char digit : std::string_view(kDigits)) children.append(HashAt(prefix + digit));
  }
  return crypto::Hash(children);
}

absl::StatusOr<v1::Digest> DigestTree::At(const std::string& prefix) const {
  if (!IsPrefix(prefix)) {
    return status::RefuseField(common::v1::REASON_INVALID_FIELD, "prefix",
                               "at most 4 hexadecimal digits in lower case");
  }
  v1::Digest digest;
  digest.set_prefix(prefix);
  digest.set_hash(HashAt(prefix));
  const auto [begin, end] = Range(prefix);
  digest.set_subjects(static_cast<std::int64_t>(end - begin));
  if (prefix.size() == kDigestDepth) {
    for (std::size_t i = begin; i < end; ++i) *digest.add_leaves() = leaves_[i].leaf;
  } else {
    for (const char digit : std::string_view(kDigits)) digest.add_children(HashAt(prefix + digit));
  }
  return digest;
}

absl::StatusOr<std::vector<v1::DigestDifference>> DifferencesBetween(const DigestTree& ours,
                                                                     const DigestAt& theirs,
                                                                     const std::string& sender,
                                                                     bool we_sent,
                                                                     std::size_t limit) {
  std::vector<v1::DigestDifference> differences;
  std::vector<std::string> open = {""};
  while (!open.empty() && differences.size() < limit) {
    const std::string prefix = std::move(open.back());
    open.pop_back();
    const auto our = ours.At(prefix);
    if (!our.ok()) return our.status();
    const auto their = theirs(prefix);
    if (!their.ok()) return their.status();
    if (our->hash() == their->hash()) continue;
    if (prefix.size() < kDigestDepth) {
      // The partner's answer is whatever it likes to send.
      for (int i = 15; i >= 0; --i) {
        const bool same = i < their->children_size() && our->children(i) == their->children(i);
        if (!same) open.push_back(prefix + kDigits[i]);
      }
      continue;
    }
    std::map<std::string, std::pair<const v1::DigestLeaf*, const v1::DigestLeaf*>> subjects;
    for (const v1::DigestLeaf& leaf : our->leaves()) subjects[leaf.subject()].first = &leaf;
    for (const v1::DigestLeaf& leaf : their->leaves()) subjects[leaf.subject()].second = &leaf;
    for (const auto& [subject, pair] : subjects) {
      const auto& [mine, other] = pair;
      if (mine != nullptr && other != nullptr && HashOf(*mine) == HashOf(*other)) continue;
      if (differences.size() == limit) break;
      differences.push_back(
          DifferenceOf(subject, sender, we_sent ? mine : other, we_sent ? other : mine));
    }
  }
  std::sort(differences.begin(), differences.end(),
            [](const auto& a, const auto& b) { return a.subject() < b.subject(); });
  return differences;
}

}  // namespace sankofa::exchange
