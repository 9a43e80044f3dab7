#include "services/registration/border/hand_over.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/partner_node.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/sides.h"
#include "services/registration/case/case.h"

namespace sankofa::registration {
namespace {

using engine::Context;
using engine::Decision;
using engine::Events;
using status::Refuse;
using status::RefuseField;
using time::FromTimestamp;
using time::ToTimestamp;

constexpr absl::Duration kDueWithin = absl::Hours(366 * 24);

template <class Event>
Event For(const v1::HandOver& hand_over) {
  Event event;
  event.set_hand_over_id(hand_over.id());
  event.set_case_id(hand_over.case_id());
  return event;
}

bool Releases(const v1::HandOver& hand_over) { return hand_over.source_node().empty(); }

bool IsLate(const v1::HandOver& hand_over, const Context& context) {
  return context.now >= FromTimestamp(hand_over.answer_due_time());
}

absl::StatusOr<v1::HandOverSignature> Sign(const std::string& statement, const Context& context) {
  if (!context.sign) return Refuse(v1::REASON_NODE_CANNOT_SIGN);
  const engine::Signature made = context.sign(kHandOverLabel, statement);
  v1::HandOverSignature signature;
  signature.set_node(context.node);
  signature.set_public_key(made.public_key);
  signature.set_signature(made.bytes);
  *signature.mutable_signed_time() = ToTimestamp(context.now);
  return signature;
}

// By `node`, with a key that exchange has told to be the partner's.
bool IsSignedBy(const std::string& node, const v1::HandOverSignature& signature,
                const std::string& statement, const Context& context) {
  const auto& keys = context.Related<v1::PartnerNode>(node).keys();
  const bool known = std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
    return key.verification_key() == signature.public_key();
  });
  return known && signature.node() == node &&
         crypto::Verifies(signature.public_key(), kHandOverLabel, statement, signature.signature());
}

// The statement says what the message around it says.
bool Fits(const v1::HandOverOffered& offered) {
  v1::HandOverStatement statement;
  if (!statement.ParseFromString(offered.statement())) return false;
  return statement.hand_over_id() == offered.hand_over_id() &&
         statement.case_id() == offered.case_id() && statement.from_node() == offered.from_node() &&
         statement.to_node() == offered.to_node() && offered.has_answer_due_time() &&
         FromTimestamp(statement.answer_due_time()) == FromTimestamp(offered.answer_due_time());
}

// Nothing comes of it; the case is free for another offer.
Decision Lapse(const v1::HandOver& hand_over, const Context& context) {
  auto lapsed = For<v1::HandOverLapsed>(hand_over);
  lapsed.set_to_node(hand_over.to_node());
  *lapsed.mutable_lapsed_time() = ToTimestamp(context.now);
  Events events = engine::Emit(std::move(lapsed));
  if (hand_over.state() == v1::HAND_OVER_STATE_OFFERED) {
    events.AddTo<v1::Case>(hand_over.case_id(), For<v1::HandOverEnded>(hand_over));
  }
  return events;
}

v1::CaseResponsibilityChanged Responsibility(const v1::HandOver& hand_over,
                                             const Context& context) {
  auto changed = For<v1::CaseResponsibilityChanged>(hand_over);
  changed.set_responsible_organisation(hand_over.to_node());
  if (Releases(hand_over)) changed.set_responsible_node(hand_over.to_node());
  changed.set_source_node(hand_over.source_node());
  *changed.mutable_changed_time() = ToTimestamp(context.now);
  return changed;
}

// Waits for this node's officer, and the time is not over.
absl::Status CheckAnswerable(const v1::HandOver& hand_over, const Context& context) {
  if (Releases(hand_over)) return Refuse(v1::REASON_HAND_OVER_OURS);
  if (hand_over.state() == v1::HAND_OVER_STATE_ACCEPTED) {
    return Refuse(v1::REASON_HAND_OVER_ANSWERED);
  }
  if (hand_over.state() != v1::HAND_OVER_STATE_OFFERED) {
    return Refuse(v1::REASON_HAND_OVER_ENDED);
  }
  return IsLate(hand_over, context) ? Refuse(v1::REASON_ANSWER_TOO_LATE) : absl::OkStatus();
}

}  // namespace

Decision HandOverDecider::Decide(const State& /*hand_over*/,
                                 const v1::OfferHandOverRequest& request, const Context& context) {
  const auto& of = context.Related<v1::Case>(request.case_id());
  if (of.id().empty()) return RefuseField(v1::REASON_CASE_NOT_FOUND, "case_id");
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (!of.responsible_node().empty()) return Refuse(v1::REASON_NOT_RESPONSIBLE);
  if (of.state() < v1::CASE_STATE_ACCEPTED) return Refuse(v1::REASON_CASE_NOT_ACCEPTED);
  if (!of.hand_over_id().empty()) {
    return Refuse(v1::REASON_HAND_OVER_OPEN,
                  {.fields = {}, .metadata = {{"hand_over_id", of.hand_over_id()}}});
  }
  if (request.to_partner() != PartnerOf(of)) {
    return RefuseField(v1::REASON_PARTNER_NOT_CONCERNED, "to_partner");
  }
  const auto& partner = context.Related<v1::PartnerNode>(request.to_partner());
  if (!partner.runs_node() || !partner.active()) {
    return RefuseField(v1::REASON_PARTNER_NOT_A_NODE, "to_partner");
  }
  const absl::Time due = FromTimestamp(request.answer_due_time());
  if (due <= context.now || due > context.now + kDueWithin) {
    return RefuseField(v1::REASON_DUE_TIME, "answer_due_time");
  }
  v1::HandOverStatement statement;
  statement.set_hand_over_id(context.NewId());
  statement.set_case_id(of.id());
  statement.set_from_node(context.node);
  statement.set_to_node(request.to_partner());
  *statement.mutable_offered_time() = ToTimestamp(context.now);
  *statement.mutable_answer_due_time() = request.answer_due_time();
  v1::HandOverOffered event;
  event.set_statement(statement.SerializeAsString());
  auto signature = Sign(event.statement(), context);
  if (!signature.ok()) return signature.status();
  event.set_hand_over_id(statement.hand_over_id());
  event.set_case_id(of.id());
  event.set_from_node(context.node);
  event.set_to_node(request.to_partner());
  *event.mutable_releaser() = *std::move(signature);
  *event.mutable_answer_due_time() = request.answer_due_time();
  *event.mutable_offered_time() = ToTimestamp(context.now);
  v1::HandOverBegun begun;
  begun.set_case_id(of.id());
  begun.set_hand_over_id(event.hand_over_id());
  return engine::Emit(std::move(event)).AddTo<v1::Case>(of.id(), std::move(begun));
}

void HandOverDecider::Apply(State& hand_over, const v1::HandOverOffered& event) {
  hand_over.set_id(event.hand_over_id());
  hand_over.set_case_id(event.case_id());
  hand_over.set_state(v1::HAND_OVER_STATE_OFFERED);
  hand_over.set_from_node(event.from_node());
  hand_over.set_to_node(event.to_node());
  hand_over.set_statement(event.statement());
  *hand_over.mutable_releaser() = event.releaser();
  *hand_over.mutable_answer_due_time() = event.answer_due_time();
  *hand_over.mutable_offered_time() = event.offered_time();
  hand_over.set_source_node(event.source_node());
}

Decision HandOverDecider::Decide(const State& hand_over, const v1::ReceiveHandOverRequest& request,
                                 const Context& context) {
  const auto& offered = request.offered();
  if (offered.from_node() != request.sender()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (offered.hand_over_id() != request.hand_over_id() || offered.to_node() != context.node ||
      !Fits(offered)) {
    return Refuse(v1::REASON_FACT_MALFORMED);
  }
  if (!hand_over.id().empty()) {
    const bool again =
        hand_over.source_node() == request.sender() && hand_over.statement() == offered.statement();
    if (again) return Events();
    return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  }
  const auto& of = context.Related<v1::Case>(offered.case_id());
  if (of.id().empty()) return Refuse(v1::REASON_CASE_NOT_FOUND);
  if (of.responsible_node() != request.sender()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  if (!IsSignedBy(request.sender(), offered.releaser(), offered.statement(), context)) {
    return Refuse(v1::REASON_HAND_OVER_STATEMENT);
  }
  v1::HandOverOffered event = offered;
  event.set_source_node(request.sender());
  return engine::Emit(std::move(event));
}

Decision HandOverDecider::Decide(const State& hand_over,
                                 const v1::AcceptHandOverRequest& /*request*/,
                                 const Context& context) {
  if (auto wrong = CheckAnswerable(hand_over, context); !wrong.ok()) return wrong;
  if (auto wrong = CheckOpen(context.Related<v1::Case>(hand_over.case_id())); !wrong.ok()) {
    return wrong;
  }
  auto signature = Sign(hand_over.statement(), context);
  if (!signature.ok()) return signature.status();
  auto event = For<v1::HandOverAccepted>(hand_over);
  event.set_from_node(hand_over.from_node());
  event.set_statement(hand_over.statement());
  *event.mutable_receiver() = *std::move(signature);
  *event.mutable_accepted_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

void HandOverDecider::Apply(State& hand_over, const v1::HandOverAccepted& event) {
  hand_over.set_state(v1::HAND_OVER_STATE_ACCEPTED);
  *hand_over.mutable_receiver() = event.receiver();
  *hand_over.mutable_answered_time() = event.accepted_time();
}

Decision HandOverDecider::Decide(const State& hand_over, const v1::DeclineHandOverRequest& request,
                                 const Context& context) {
  if (auto wrong = CheckAnswerable(hand_over, context); !wrong.ok()) return wrong;
  auto event = For<v1::HandOverDeclined>(hand_over);
  event.set_from_node(hand_over.from_node());
  event.set_reason(request.reason());
  *event.mutable_declined_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(event));
}

void HandOverDecider::Apply(State& hand_over, const v1::HandOverDeclined& event) {
  hand_over.set_state(v1::HAND_OVER_STATE_DECLINED);
  hand_over.set_decline_reason(event.reason());
  *hand_over.mutable_answered_time() = event.declined_time();
  *hand_over.mutable_ended_time() = event.declined_time();
}

// At the releaser: in time, everything changes in this commit; too late, or for a case that is over, it is told so again.
Decision HandOverDecider::Decide(const State& hand_over,
                                 const v1::ReceiveHandOverAnswerRequest& request,
                                 const Context& context) {
  if (!Releases(hand_over) || hand_over.to_node() != request.sender()) {
    return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  }
  if (request.has_declined()) {
    if (hand_over.state() != v1::HAND_OVER_STATE_OFFERED) return Events();
    v1::HandOverDeclined declined = request.declined();
    declined.set_hand_over_id(hand_over.id());
    declined.set_case_id(hand_over.case_id());
    declined.set_source_node(request.sender());
    return engine::Emit(std::move(declined))
        .AddTo<v1::Case>(hand_over.case_id(), For<v1::HandOverEnded>(hand_over));
  }
  if (!request.has_accepted()) return Refuse(v1::REASON_FACT_MALFORMED);
  const auto& accepted = request.accepted();
  if (accepted.statement() != hand_over.statement() ||
      !IsSignedBy(request.sender(), accepted.receiver(), hand_over.statement(), context)) {
    return Refuse(v1::REASON_HAND_OVER_STATEMENT);
  }
  if (hand_over.state() == v1::HAND_OVER_STATE_COMPLETED ||
      hand_over.state() == v1::HAND_OVER_STATE_DECLINED) {
    return Events();
  }
  const bool over = !CheckOpen(context.Related<v1::Case>(hand_over.case_id())).ok();
  if (hand_over.state() == v1::HAND_OVER_STATE_LAPSED || IsLate(hand_over, context) || over) {
    return Lapse(hand_over, context);
  }
  auto completed = For<v1::HandOverCompleted>(hand_over);
  completed.set_to_node(hand_over.to_node());
  completed.set_statement(hand_over.statement());
  *completed.mutable_releaser() = hand_over.releaser();
  *completed.mutable_receiver() = accepted.receiver();
  *completed.mutable_completed_time() = ToTimestamp(context.now);
  return engine::Emit(std::move(completed))
      .AddTo<v1::Case>(hand_over.case_id(), Responsibility(hand_over, context));
}

void HandOverDecider::Apply(State& hand_over, const v1::HandOverCompleted& event) {
  hand_over.set_state(v1::HAND_OVER_STATE_COMPLETED);
  *hand_over.mutable_releaser() = event.releaser();
  *hand_over.mutable_receiver() = event.receiver();
  if (!hand_over.has_answered_time()) {
    *hand_over.mutable_answered_time() = event.receiver().signed_time();
  }
  *hand_over.mutable_ended_time() = event.completed_time();
}

// At the receiver: the releaser's word is the last one.
Decision HandOverDecider::Decide(const State& hand_over, const v1::EndHandOverRequest& request,
                                 const Context& context) {
  if (hand_over.source_node() != request.sender()) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  const bool waits = hand_over.state() == v1::HAND_OVER_STATE_OFFERED ||
                     hand_over.state() == v1::HAND_OVER_STATE_ACCEPTED;
  if (request.has_lapsed()) {
    if (!waits) return Events();
    v1::HandOverLapsed lapsed = request.lapsed();
    lapsed.set_hand_over_id(hand_over.id());
    lapsed.set_case_id(hand_over.case_id());
    lapsed.set_source_node(request.sender());
    return engine::Emit(std::move(lapsed));
  }
  if (!request.has_completed()) return Refuse(v1::REASON_FACT_MALFORMED);
  const auto& completed = request.completed();
  if (hand_over.state() == v1::HAND_OVER_STATE_COMPLETED) return Events();
  // Only what this node has signed, and not taken back by a decline, can be completed.
  const bool ours = hand_over.state() == v1::HAND_OVER_STATE_ACCEPTED &&
                    completed.statement() == hand_over.statement() &&
                    completed.receiver().signature() == hand_over.receiver().signature();
  if (!ours ||
      !IsSignedBy(request.sender(), completed.releaser(), hand_over.statement(), context)) {
    return Refuse(v1::REASON_HAND_OVER_STATEMENT);
  }
  v1::HandOverCompleted event = completed;
  event.set_hand_over_id(hand_over.id());
  event.set_case_id(hand_over.case_id());
  event.set_source_node(request.sender());
  return engine::Emit(std::move(event))
      .AddTo<v1::Case>(hand_over.case_id(), Responsibility(hand_over, context));
}

Decision HandOverDecider::Decide(const State& hand_over,
                                 const v1::LapseHandOverRequest& /*request*/,
                                 const Context& context) {
  if (!Releases(hand_over) || hand_over.state() != v1::HAND_OVER_STATE_OFFERED) {
    return Refuse(v1::REASON_HAND_OVER_ENDED);
  }
  if (!IsLate(hand_over, context)) return Refuse(v1::REASON_NOT_DUE_YET);
  return Lapse(hand_over, context);
}

void HandOverDecider::Apply(State& hand_over, const v1::HandOverLapsed& event) {
  if (hand_over.state() == v1::HAND_OVER_STATE_LAPSED) return;
  hand_over.set_state(v1::HAND_OVER_STATE_LAPSED);
  *hand_over.mutable_ended_time() = event.lapsed_time();
}

// Only the releaser's clock counts: the receiver waits for its word.
std::optional<engine::Deadline> HandOverDecider::NextDeadline(const State& hand_over) {
  if (!Releases(hand_over) || hand_over.state() != v1::HAND_OVER_STATE_OFFERED) {
    return std::nullopt;
  }
  auto command = std::make_shared<v1::LapseHandOverRequest>();
  command->set_hand_over_id(hand_over.id());
  return engine::Deadline{FromTimestamp(hand_over.answer_due_time()), std::move(command)};
}

const engine::Table& HandOverDecider::ProjectTable() {
  static const engine::Table table{
      .name = "hand_over_list",
      .columns = {"case_id", "state", "from_node", "to_node", "offered_us", "due_us"},
      .types = {"text", "int", "text", "text", "bigint", "bigint"},
      .mode = engine::Table::Mode::kReplace};
  return table;
}

std::vector<engine::Row> HandOverDecider::Project(const State& hand_over) {
  const auto micros = [](const google::protobuf::Timestamp& time) {
    return absl::StrCat(absl::ToUnixMicros(FromTimestamp(time)));
  };
  return {{{hand_over.case_id(), absl::StrCat(static_cast<int>(hand_over.state())),
            hand_over.from_node(), hand_over.to_node(), micros(hand_over.offered_time()),
            micros(hand_over.answer_due_time())}}};
}

}  // namespace sankofa::registration
