#pragma once

#include "sankofa/exchange/v1/backlog.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// What a partner is still to be told: see backlog.proto. Kept messages are taken out in the unit of work that puts them on
// the feed, so each goes out once, whatever crashes.
namespace sankofa::exchange {

// For one partner. What is beyond goes to the dead letters, from where an operator replays it.
inline constexpr int kKeptMessagesMax = 1000;
inline constexpr std::size_t kKeptBytesMax = 4 << 20;

struct BacklogDecider {
  using State = v1::Backlog;
  using EventTypes = engine::EventTypes<v1::MessageKept, v1::KeptMessagesTaken, v1::CatchUpStarted,
                                        v1::CatchUpAdvanced>;

  static engine::Decision Decide(const State&, const v1::KeepMessageRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::TakeKeptMessagesRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::StartCatchUpRequest&,
                                 const engine::Context&);
  static engine::Decision Decide(const State&, const v1::AdvanceCatchUpRequest&,
                                 const engine::Context&);

  static void Apply(State&, const v1::MessageKept&);
  static void Apply(State&, const v1::KeptMessagesTaken&);
  static void Apply(State&, const v1::CatchUpStarted&);
  static void Apply(State&, const v1::CatchUpAdvanced&);
};

void BindBacklog(engine::Registry& registry);

}  // namespace sankofa::exchange
