#pragma once

#include <memory>
#include <optional>
#include <string>

#include "google/protobuf/message.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/platform/engine/reactions.h"

// What nodes tell each other beside the events of their services (feed_messages.proto): which of exchange's own events
// lead to such a message, and to which commands one that arrived leads.
namespace sankofa::exchange {

// A message that is to go on a partner's feed. It needs an active partner, and no agreement: it keeps the agreement.
struct Outgoing {
  std::string partner;  // code of who gets it
  std::string subject;  // "Agreement/<agreement id>", "Case/<id>"
  std::shared_ptr<const google::protobuf::Message> message;
};

// What `event` of exchange's own topic has to tell the partner. Nothing where the partner told us, and for other events.
// `node`: our own id.
[[nodiscard]] std::optional<Outgoing> OutgoingFor(const google::protobuf::Message& event,
                                                  const std::string& node);

// The commands that a partner's message leads to in exchange itself: an agreement, its end, the receipt of an erasure.
// `message` is verified, `event` its content. False where the payload can't be read as its type says.
[[nodiscard]] bool CommandsFor(const v1::SignedFeedEvent& message, const v1::FeedEvent& event,
                               engine::Commands& out);

}  // namespace sankofa::exchange
