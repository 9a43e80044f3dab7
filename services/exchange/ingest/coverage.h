#pragma once

#include <string>

#include "sankofa/exchange/v1/feed.pb.h"
#include "sankofa/exchange/v1/sharing_agreement.pb.h"

// Whether a genuine message may be taken: the agreement that it names covers it, and what it carries is nothing that
// only a sealed box may hold.
namespace sankofa::exchange {

struct Coverage {
  enum class Kind {
    kCovered,
    kNotYet,  // the agreement, or the second signature under it, has not arrived here
    kOut,
  };
  Kind kind = Kind::kCovered;
  std::string detail;  // for the operator
};

// "<agreement id>:<version>" of the agreement that the message names; empty where it needs none, because it is one of
// those that keep the agreement itself (feed_messages.proto).
[[nodiscard]] std::string AgreementNeeded(const v1::FeedEvent& event);

// `agreement`: the one of that id; null where none is known here. It is judged at the time at which the message was
// issued: who reads late takes what was agreed then.
[[nodiscard]] Coverage CoverageOf(const v1::FeedEvent& event,
                                  const v1::SharingAgreement* agreement);

}  // namespace sankofa::exchange
