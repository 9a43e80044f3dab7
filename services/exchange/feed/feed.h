#pragma once

#include <string>
#include <string_view>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "sankofa/exchange/v1/feed.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

// What was sent to one partner about one subject: a chain of signed messages. proto/README.md says byte by byte how one
// is made.
//
// The builder has gathered what a message is made from without a lock. What may have changed since is looked at again
// under it: the partner is active, the agreement holds, the box is for the next sequence. Where it has, the answer is
// LOOK_AGAIN, which has the builder gather once more. What was sent already is not sent again.
namespace sankofa::exchange {

inline constexpr std::string_view kFeedSignature = "sankofa.feed.v1";

struct FeedDecider {
  using State = v1::Feed;
  using EventTypes = engine::EventTypes<v1::FeedAppended>;

  static engine::Decision Decide(const State& feed, const v1::AppendToFeedRequest& request,
                                 const engine::Context& context);
  static void Apply(State& feed, const v1::FeedAppended& event);
};

// "<receiver>:<subject>".
[[nodiscard]] std::string FeedIdOf(const std::string& receiver, const std::string& subject);
// "Case/<id>".
[[nodiscard]] std::string CaseSubject(const std::string& case_id);
// The case that a subject is; empty where it is something else.
[[nodiscard]] std::string CaseIn(const std::string& subject);
// "<source>/<source stream>", by which a feed keeps what was sent.
[[nodiscard]] std::string SourceKeyOf(const std::string& source, const std::string& stream);

void BindFeed(engine::Registry& registry);

}  // namespace sankofa::exchange
