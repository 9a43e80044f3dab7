#pragma once

#include "services/exchange/feed/build/round.h"

namespace sankofa::exchange {

// Published figures, to the partners whose agreement names them. They have a chain of their own, and need no consent. Kept
// for partners that are suspended.
[[nodiscard]] absl::Status ShareStatistics(Round& round, const google::protobuf::Message& message,
                                           Work& work);
// The same, with one active partner. `message`: the event, parsed.
[[nodiscard]] absl::Status ShareStatisticsWith(Round& round, const v1::Partner& partner,
                                               const engine::IncomingEvent& event,
                                               const google::protobuf::Message& message,
                                               Work& work);

}  // namespace sankofa::exchange
