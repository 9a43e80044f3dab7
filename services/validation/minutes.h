#pragma once

#include <string>

#include "absl/time/time.h"
#include "sankofa/validation/v1/session.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/money/money.h"

// The minutes of a sitting: a text that people read and sign for, the same bytes for the same sitting. The text is
// frozen in the event, so that another wording in a later release changes no minutes that exist.
namespace sankofa::validation {

// What is signed along with the hash, so that the signature holds for minutes only.
inline constexpr const char* kMinutesLabel = "sankofa.minutes.v1";

// How many of the agenda's projects came out how.
struct Outcomes {
  int approved = 0;
  int adjourned = 0;
  int refused = 0;
  int dropped = 0;
  [[nodiscard]] int examined() const { return approved + adjourned + refused; }
};
[[nodiscard]] Outcomes CountOutcomes(const v1::Session& session);

// The text for a sitting all of whose items have an outcome, closed at `closed`.
[[nodiscard]] std::string MinutesText(const v1::Session& session, absl::Time closed,
                                      money::Language language);

// The hash of both texts: French, a zero byte, English.
[[nodiscard]] std::string MinutesHash(const v1::Minutes& minutes);

// The event that ends `session`, with its minutes hashed, and signed where the node has a key.
[[nodiscard]] v1::SessionClosed CloseWithMinutes(const v1::Session& session,
                                                 const engine::Context& context);

}  // namespace sankofa::validation
