#pragma once

#include "services/exchange/feed/build/round.h"
#include "services/exchange/messages.h"

// What nodes say to each other beside the events of their services: see messages.h for which event leads to which.
namespace sankofa::exchange {

// An event of exchange itself: what the partner is told of it, and what a partner's message leads to here.
[[nodiscard]] absl::Status OnOwnEvent(Round& round, const google::protobuf::Message& message,
                                      Work& work);
// Puts a message that was kept on the feed of a partner that is active again.
[[nodiscard]] absl::Status Tell(Round& round, const std::string& partner,
                                const v1::KeptMessage& message, const std::string& label,
                                Work& work);
// Puts a message on a partner's feed, or keeps it where the partner is suspended. It needs neither agreement nor consent.
[[nodiscard]] absl::Status Tell(Round& round, const Outgoing& outgoing, const std::string& label,
                                Work& work);
// Puts a message that was kept on the feed of a partner that is active again.
[[nodiscard]] absl::Status Tell(Round& round, const std::string& partner,
                                const v1::KeptMessage& message, const std::string& label,
                                Work& work);

}  // namespace sankofa::exchange
