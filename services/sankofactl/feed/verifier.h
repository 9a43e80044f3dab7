#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/platform/crypto/box.h"

// A feed as a partner verifies it: by what proto/README.md says, and with nothing of the service that made it.
namespace sankofa::ctl {

// What was told about one subject: the hash of each message's `event`, 32 bytes, by sequence from 1.
struct SubjectChain {
  std::vector<std::string> hashes;
  [[nodiscard]] std::int64_t sequence() const { return static_cast<std::int64_t>(hashes.size()); }
};

class FeedVerifier {
 public:
  struct Options {
    std::string sender;             // node that the feed is read from: "tg"
    std::string receiver;           // partner that reads: "fr"
    std::vector<std::string> keys;  // the sender's verification keys, 64 hex digits each
    const crypto::SealingKey* sealing_key = nullptr;  // opens boxes; null: they stay closed
  };
  struct Counts {
    std::int64_t messages = 0;
    std::int64_t opened = 0;     // boxes
    std::int64_t withheld = 0;   // boxes that were signed for and did not come
    std::int64_t closed = 0;     // boxes for another key, or there is none to open them with
    std::int64_t disclosed = 0;  // disclosures in the boxes
  };

  explicit FeedVerifier(Options options);

  // Takes the next message of its subject. FAILED_PRECONDITION with what is wrong; then nothing was taken.
  [[nodiscard]] absl::Status Take(const exchange::v1::SignedFeedEvent& message);

  [[nodiscard]] const std::map<std::string, SubjectChain>& subjects() const { return subjects_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  [[nodiscard]] absl::Status CheckSignature(const exchange::v1::SignedFeedEvent& message) const;
  [[nodiscard]] absl::Status CheckChain(const exchange::v1::FeedEvent& event) const;
  [[nodiscard]] absl::Status TakeBox(const exchange::v1::FeedEvent& event,
                                     const std::string& sealed, Counts& counts) const;

  const Options options_;
  std::map<std::string, std::string> keys_;  // by key id
  std::string sealing_key_id_;
  std::map<std::string, SubjectChain> subjects_;
  Counts counts_;
};

// The hash tree over all subjects of a feed (see Digest in exchange_service.proto).
class DigestTree {
 public:
  explicit DigestTree(const std::map<std::string, SubjectChain>& subjects);
  // Of the node at this prefix of at most kDepth hex digits; 32 zero bytes where nothing is below it.
  [[nodiscard]] std::string HashAt(const std::string& prefix) const;
  [[nodiscard]] std::int64_t SubjectsBelow(const std::string& prefix) const;
  // Where a subject lies.
  [[nodiscard]] static std::string PlaceOf(const std::string& subject);

  static constexpr std::size_t kDepth = 4;

 private:
  std::map<std::string, std::vector<std::string>>
      places_;  // leaves' hashes, in the order of subjects
};

inline constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace sankofa::ctl
