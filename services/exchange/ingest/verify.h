#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/exchange/v1/partner.pb.h"
#include "services/platform/crypto/box.h"

// What a message of a partner proves by itself: who made it, for whom, and that nothing in it was altered. Whether it
// follows from the one before it, and whether the agreement covers it, is asked later (received_feed.h, coverage.h).
namespace sankofa::exchange {

// Separates a feed's signatures from others.
inline constexpr std::string_view kFeedLabel = "sankofa.feed.v1";

// A genuine message.
struct VerifiedMessage {
  v1::SignedFeedEvent message;
  v1::FeedEvent event;
  std::vector<registration::v1::Disclosure> disclosures;  // what was sealed
};

// One that is not, with what it claims as far as that can be read.
struct RefusedMessage {
  v1::RefusedBecause because = v1::REFUSED_BECAUSE_UNSPECIFIED;
  std::string detail;           // for the operator; nothing of the content
  v1::SignedFeedEvent message;  // `event` holds all bytes where nothing could be read
  std::string subject;          // empty where there is none of the right form
  std::int64_t sequence = 0;
  std::string type;

  // The hash of what was received without what was sealed: the name of the evidence.
  [[nodiscard]] std::string EvidenceId() const;
  // The negative receipt.
  [[nodiscard]] v1::FeedRefused Receipt(absl::Time now) const;
};

using Verdict = std::variant<VerifiedMessage, RefusedMessage>;

// From where a message was read: a replay may withhold the box, a topic may not.
enum class ReadFrom { kTopic, kReplay };

struct Verifier {
  const v1::Partner& sender;
  std::string node;                                 // our own id
  const crypto::SealingKey* sealing_key = nullptr;  // null where the node has none
};

// `value`: a SignedFeedEvent in wire form.
[[nodiscard]] Verdict Verify(const Verifier& verifier, std::string_view value, ReadFrom from);

// Whether `subject` is "<Type>/<id>" of letters, digits and a few signs.
[[nodiscard]] bool IsSubject(std::string_view subject);

// The id in a subject: "Case/0190…" → "0190…".
[[nodiscard]] std::string SubjectIdOf(std::string_view subject);

// "REFUSED_BECAUSE_SIGNATURE" → "SIGNATURE".
[[nodiscard]] std::string NameOf(v1::RefusedBecause because);

}  // namespace sankofa::exchange
