#pragma once

#include <optional>
#include <string>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/received.pb.h"
#include "services/exchange/messages.h"
#include "services/platform/engine/decider.h"

namespace sankofa::exchange {

// A message that was refused, kept once however often it comes; the sender is told once.
struct EvidenceDecider {
  using State = v1::Evidence;
  using EventTypes = engine::EventTypes<v1::MessageRefused, v1::RefusedAgain>;

  static engine::Decision Decide(const State& evidence, const v1::RefuseMessageRequest& request,
                                 const engine::Context& context);
  static void Apply(State& evidence, const v1::MessageRefused& event);
  static void Apply(State& evidence, const v1::RefusedAgain& event);

  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& evidence);
};

// How much of a refused message is kept. Its hash is over the whole.
inline constexpr std::size_t kEvidenceBytesMax = 64 << 10;

// The negative receipt that goes to the sender, in a chain of its own ("Refusals/<sender>"): a subject that a forged
// message claims is nothing to build a chain on. Nothing for a message that claims to be such a receipt itself, or two
// nodes that refuse each other would write to each other for ever.
[[nodiscard]] std::optional<Outgoing> ReceiptFor(const v1::MessageRefused& event);

}  // namespace sankofa::exchange
