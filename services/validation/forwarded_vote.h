#pragma once

#include "sankofa/validation/v1/forwarded_vote.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/engine/decider.h"

// A vote of a seat that sits at one node in a sitting of another: SENT → COUNTED or REFUSED, once.
//
// Where it is cast, nothing is decided but that it may be sent. The sitting's node decides with the sitting locked
// (session_sitting.cc) and keeps the vote under the same id, so that a repeat changes nothing and finds its answer.
namespace sankofa::validation {

struct ForwardedVoteDecider {
  using State = v1::ForwardedVote;
  using EventTypes = engine::EventTypes<v1::VoteForwarded, v1::VoteAnswered>;

  // Touches the PartnerNode.
  static engine::Decision Decide(const State& vote, const v1::ForwardVoteRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& vote, const v1::ReceiveVoteAnswerRequest& request,
                                 const engine::Context& context);

  static void Apply(State& vote, const v1::VoteForwarded& event);
  static void Apply(State& vote, const v1::VoteAnswered& event);
};

}  // namespace sankofa::validation
