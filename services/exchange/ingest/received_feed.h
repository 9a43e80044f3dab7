#pragma once

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/platform/engine/decider.h"

namespace sankofa::exchange {

// What one partner said about one subject, as a chain. A message takes effect where it is the next one and follows from
// the last; its stream's place is this aggregate's own sequence, under its lock, so a refused message moves nothing.
//
// What was disclosed is sealed with a key of this feed. Erasing destroys it, for good: what was sealed can't be read
// again, in the journal or anywhere. A box that comes in a later message is the sender's signed word that the person
// consents again, for it asked before it sealed; it gets a new key (`erasures` counts them). What came before the erasure
// can't come in again that way: the chain has passed it.
struct ReceivedFeedDecider {
  using State = v1::ReceivedFeed;
  using EventTypes = engine::EventTypes<v1::UpdateReceived, v1::ReceivedErased>;

  // The message is verified and covered. The sender is named and has to be active. Facts: v1::AppliedMessage where a
  // message of that sequence was applied before.
  static engine::Decision Decide(const State& feed, const v1::ReceiveUpdateRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& feed, const v1::EraseReceivedRequest& request,
                                 const engine::Context& context);
  static void Apply(State& feed, const v1::UpdateReceived& event);
  static void Apply(State& feed, const v1::ReceivedErased& event);

  // Each message that was taken: its hash tells a repeat from a forgery.
  static const engine::Table& EventTable();
  static std::vector<engine::Row> ProjectEvent(const State& feed,
                                               const google::protobuf::Message& event);
};

// "<sender>:<subject>".
[[nodiscard]] std::string ReceivedFeedId(const std::string& sender, const std::string& subject);

}  // namespace sankofa::exchange
