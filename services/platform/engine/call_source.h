#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/engine/engine.h"
#include "services/platform/engine/reactions.h"

// Where the commands of an event come from. Mostly they follow from the event alone: see ReactionCalls. A source may
// also gather first what the commands need from elsewhere.
namespace sankofa::engine {

// The commands of one event, with their request ids; or the refusal for which the event is put aside. UNAVAILABLE: all
// events come again later.
using Calls = absl::StatusOr<std::vector<CommandCall>>;

class CallSource {
 public:
  virtual ~CallSource() = default;

  // True where CallsOf reads what may change, or waits for others. Then it is asked only for events that are next in
  // their streams, and asked again where a command is refused as ABORTED: what it was made from has changed. A refusal
  // that stays ABORTED must therefore not be.
  [[nodiscard]] virtual bool gathers() const = 0;

  // For each event, in order, its commands. An event's commands may suppose that those of the events before it take
  // effect.
  [[nodiscard]] virtual std::vector<Calls> CallsOf(std::span<const IncomingEvent> events) = 0;
};

// Pure reactions: the commands follow from the event.
class ReactionCalls final : public CallSource {
 public:
  explicit ReactionCalls(const Reactions& reactions) : reactions_(reactions) {}
  [[nodiscard]] bool gathers() const override { return false; }
  [[nodiscard]] std::vector<Calls> CallsOf(std::span<const IncomingEvent> events) override;

 private:
  const Reactions& reactions_;
};

// The commands that `reactions` ask for. UNKNOWN_EVENT_TYPE or MALFORMED_EVENT where there can be none; empty where the
// event has no reaction.
[[nodiscard]] Calls CallsOf(const Reactions& reactions, const IncomingEvent& event);

// A command that an event leads to, at the event's time and in its trace. `label` tells the commands of one event
// apart: event and label make the request id, so that a repeat takes effect once.
[[nodiscard]] CommandCall CallFor(const IncomingEvent& event,
                                  std::shared_ptr<google::protobuf::Message> request,
                                  std::string_view label);

// The command of a deadline that has come. The aggregate's version makes the request id, so it takes effect once.
[[nodiscard]] CommandCall CallForDue(const Registry& registry, const DueCommand& due,
                                     absl::Time now);

}  // namespace sankofa::engine
