#include "services/sankofactl/feed/verifier.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/crypto/sign.h"

namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;

constexpr char kLabel[] = "sankofa.feed.v1";

absl::Status Wrong(const std::string& what) { return absl::FailedPreconditionError(what); }

}  // namespace

FeedVerifier::FeedVerifier(Options options) : options_(std::move(options)) {
  for (const std::string& key : options_.keys) keys_[crypto::KeyIdOf(key)] = key;
  if (options_.sealing_key != nullptr) {
    sealing_key_id_ = crypto::KeyIdOf(options_.sealing_key->public_key());
  }
}

absl::Status FeedVerifier::CheckSignature(const exch::SignedFeedEvent& message) const {
  const auto key = keys_.find(message.key_id());
  if (key == keys_.end()) {
    return Wrong(absl::StrCat("is signed with the key ", message.key_id(), ", which is not known"));
  }
  if (!crypto::Verifies(key->second, kLabel, message.event(), message.signature())) {
    return Wrong("has a signature that does not verify");
  }
  return absl::OkStatus();
}

absl::Status FeedVerifier::CheckChain(const exch::FeedEvent& event) const {
  const auto found = subjects_.find(event.subject());
  const std::int64_t last = found == subjects_.end() ? 0 : found->second.sequence();
  if (event.sequence() != last + 1) {
    return Wrong(absl::StrCat("has the number ", event.sequence(), " after ", last));
  }
  const std::string& hash = last == 0 ? std::string() : found->second.hashes.back();
  if (event.previous_hash() != hash) return Wrong("does not follow from the message before it");
  return absl::OkStatus();
}

absl::Status FeedVerifier::TakeBox(const exch::FeedEvent& event, const std::string& sealed,
                                   Counts& counts) const {
  if (sealed.empty()) {
    if (!event.sealed_hash().empty()) ++counts.withheld;
    return absl::OkStatus();
  }
  if (crypto::Hash(sealed) != event.sealed_hash()) {
    return Wrong("has a box that is not the one that was signed for");
  }
  if (options_.sealing_key == nullptr || event.sealing_key_id() != sealing_key_id_) {
    ++counts.closed;
    return absl::OkStatus();
  }
  const auto opened = options_.sealing_key->Open(sealed);
  exch::SealedContent content;
  if (!opened.ok() || !content.ParseFromString(*opened)) {
    return Wrong("has a box that the sealing key does not open");
  }
  if (content.subject() != event.subject() || content.sequence() != event.sequence()) {
    return Wrong("has a box that belongs to another message");
  }
  ++counts.opened;
  counts.disclosed += content.disclosures_size();
  return absl::OkStatus();
}

absl::Status FeedVerifier::Take(const exch::SignedFeedEvent& message) {
  if (auto checked = CheckSignature(message); !checked.ok()) return checked;
  exch::FeedEvent event;
  if (!event.ParseFromString(message.event())) return Wrong("can't be read");
  if (event.sender() != options_.sender || event.receiver() != options_.receiver) {
    return Wrong(absl::StrCat("is from '", event.sender(), "' for '", event.receiver(), "'"));
  }
  if (event.type().empty() || !event.has_event_time() || !event.has_issued_time()) {
    return Wrong("does not say what happened, or when");
  }
  if (auto checked = CheckChain(event); !checked.ok()) return checked;
  Counts counts = counts_;
  ++counts.messages;
  if (auto taken = TakeBox(event, message.sealed(), counts); !taken.ok()) return taken;
  subjects_[event.subject()].hashes.push_back(crypto::Hash(message.event()));
  counts_ = counts;
  return absl::OkStatus();
}

// ---- The tree -----------------------------------------------------------------------------------------------------------

DigestTree::DigestTree(const std::map<std::string, SubjectChain>& subjects) {
  const std::string zero(1, '\0');
  for (const auto& [subject, chain] : subjects) {
    places_[PlaceOf(subject)].push_back(
        crypto::Hash(absl::StrCat(subject, zero, chain.sequence(), zero, chain.hashes.back())));
  }
}

std::string DigestTree::PlaceOf(const std::string& subject) {
  return crypto::HashHex(subject).substr(0, kDepth);
}

std::string DigestTree::HashAt(const std::string& prefix) const {
  const auto first = places_.lower_bound(prefix);
  if (first == places_.end() || first->first.compare(0, prefix.size(), prefix) != 0) {
    return std::string(32, '\0');
  }
  std::string children;
  if (prefix.size() == kDepth) {
    for (const std::string& leaf : first->second) children += leaf;
  } else {
    for (const char digit : std::string(kHexDigits)) children += HashAt(prefix + digit);
  }
  return crypto::Hash(children);
}

std::int64_t DigestTree::SubjectsBelow(const std::string& prefix) const {
  std::int64_t subjects = 0;
  for (auto place = places_.lower_bound(prefix);
       place != places_.end() && place->first.compare(0, prefix.size(), prefix) == 0; ++place) {
    subjects += static_cast<std::int64_t>(place->second.size());
  }
  return subjects;
}

}  // namespace sankofa::ctl
