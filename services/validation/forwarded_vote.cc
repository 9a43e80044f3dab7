#include "services/validation/forwarded_vote.h"

#include <utility>

#include "sankofa/validation/v1/partner_node.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/validation/budget.h"

namespace sankofa::validation {

using status::Refuse;
using status::RefuseField;

engine::Decision ForwardedVoteDecider::Decide(const State& /*vote*/,
                                              const v1::ForwardVoteRequest& request,
                                              const engine::Context& context) {
  const auto& partner = context.Related<v1::PartnerNode>(request.to_node());
  if (!partner.runs_node() || !partner.active()) {
    return RefuseField(v1::REASON_PARTNER_NOT_A_NODE, "to_node");
  }
  if (request.has_proposed_amount()) {
    if (request.value() != v1::VOTE_VALUE_FOR) {
      return RefuseField(v1::REASON_AMOUNT_WITHOUT_APPROVAL, "proposed_amount");
    }
    if (auto ok = CheckAmount(request.proposed_amount(), "proposed_amount"); !ok.ok()) return ok;
  }
  v1::VoteForwarded event;
  event.set_vote_id(context.NewId());
  event.set_case_id(request.case_id());
  event.set_to_node(request.to_node());
  event.set_session_id(request.session_id());
  event.set_project_id(request.project_id());
  event.set_seat_code(request.seat_code());
  event.set_value(request.value());
  if (request.has_proposed_amount()) *event.mutable_proposed_amount() = request.proposed_amount();
  event.set_subject(context.actor.subject);
  *event.mutable_cast_time() = time::ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

// The first answer stands.
engine::Decision ForwardedVoteDecider::Decide(const State& vote,
                                              const v1::ReceiveVoteAnswerRequest& request,
                                              const engine::Context& /*context*/) {
  if (!vote.source_node().empty() || vote.to_node() != request.sender()) {
    return Refuse(v1::REASON_VOTE_NOT_OURS);
  }
  if (vote.state() != v1::FORWARDED_VOTE_STATE_SENT) return engine::Events();
  v1::VoteAnswered event = request.answer();
  event.set_vote_id(vote.id());
  event.set_case_id(vote.case_id());
  event.clear_addressee();
  event.set_source_node(request.sender());
  return engine::Emit(std::move(event));
}

void ForwardedVoteDecider::Apply(State& vote, const v1::VoteForwarded& event) {
  vote.set_id(event.vote_id());
  vote.set_case_id(event.case_id());
  vote.set_to_node(event.to_node());
  vote.set_session_id(event.session_id());
  vote.set_project_id(event.project_id());
  vote.set_seat_code(event.seat_code());
  vote.set_value(event.value());
  if (event.has_proposed_amount()) *vote.mutable_proposed_amount() = event.proposed_amount();
  vote.set_subject(event.subject());
  vote.set_state(v1::FORWARDED_VOTE_STATE_SENT);
  *vote.mutable_cast_time() = event.cast_time();
  vote.set_source_node(event.source_node());
}

void ForwardedVoteDecider::Apply(State& vote, const v1::VoteAnswered& event) {
  vote.set_state(event.counted() ? v1::FORWARDED_VOTE_STATE_COUNTED
                                 : v1::FORWARDED_VOTE_STATE_REFUSED);
  vote.set_reason(event.reason());
  *vote.mutable_answered_time() = event.answered_time();
}

}  // namespace sankofa::validation
