#include "services/registration/care/referral.h"

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/partner_node.pb.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/border/incoming.h"
#include "services/registration/case/case.h"
#include "services/registration/organisation.h"

namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::FromTimestamp;
using time::ToTimestamp;

constexpr absl::Duration kDueWithin = absl::Hours(366 * 24);

// A partner's node is asked as a whole: whoever works with it may answer there, and nobody at the sender's.
absl::Status CheckReceiver(const v1::Referral& referral, const engine::Context& context) {
  const bool here =
      referral.partner_node().empty() && OrganisationOf(context) == referral.to_organisation();
  const bool receives = !referral.source_node().empty() || here;
  return receives ? absl::OkStatus() : Refuse(v1::REASON_NOT_RECEIVER);
}

absl::Status CheckSender(const v1::Referral& referral, const engine::Context& context) {
  const bool sends =
      referral.source_node().empty() && OrganisationOf(context) == referral.from_organisation();
  return sends ? absl::OkStatus() : Refuse(v1::REASON_NOT_SENDER);
}

bool Ended(const v1::Referral& referral) {
  return referral.state() != v1::REFERRAL_STATE_IN_PROGRESS &&
         referral.state() != v1::REFERRAL_STATE_ACCEPTED;
}

// Waits for an answer, and the time for it is not over.
absl::Status CheckAnswerable(const v1::Referral& referral, const engine::Context& context) {
  if (auto wrong = CheckReceiver(referral, context); !wrong.ok()) return wrong;
  if (Ended(referral)) return Refuse(v1::REASON_REFERRAL_ENDED);
  if (referral.state() != v1::REFERRAL_STATE_IN_PROGRESS) {
    return Refuse(v1::REASON_REFERRAL_ANSWERED);
  }
  if (context.now >= FromTimestamp(referral.answer_due_time())) {
    return Refuse(v1::REASON_ANSWER_TOO_LATE);
  }
  return absl::OkStatus();
}

// The other side's node is told, where there is one.
template <class Event>
Event For(const v1::Referral& referral) {
  Event event;
  event.set_referral_id(referral.id());
  event.set_case_id(referral.case_id());
  event.set_addressee(referral.source_node().empty() ? referral.partner_node()
                                                     : referral.source_node());
  return event;
}

// Repeats what the other side's node said.
template <class Event>
Event Repeat(const v1::Referral& referral) {
  Event event;
  event.set_referral_id(referral.id());
  event.set_case_id(referral.case_id());
  event.set_source_node(referral.source_node().empty() ? referral.partner_node()
                                                       : referral.source_node());
  return event;
}

}  // namespace

// The receiver learns of a need, so a consent (or an override) must cover it. A child's own consent can't be on file:
// GiveConsent refuses it; so the person's age is not looked at again.
engine::Decision ReferralDecider::Decide(const State& /*referral*/,
                                         const v1::SendReferralRequest& request,
                                         const engine::Context& context) {
  const auto& of = context.Related<v1::Case>(request.case_id());
  if (of.id().empty()) return RefuseField(v1::REASON_CASE_NOT_FOUND, "case_id");
  if (auto wrong = CheckOpen(of); !wrong.ok()) return wrong;
  if (request.to_organisation() == OrganisationOf(context)) {
    return RefuseField(v1::REASON_SAME_ORGANISATION, "to_organisation");
  }
  const absl::Time due = FromTimestamp(request.answer_due_time());
  if (due <= context.now || due > context.now + kDueWithin) {
    return RefuseField(v1::REASON_DUE_TIME, "answer_due_time");
  }
  if (Covering(of, v1::Person(), request.to_organisation(), v1::CONSENT_PURPOSE_REFERRAL,
               time::DayOf(context.now))
          .empty()) {
    return Refuse(v1::REASON_NO_VALID_CONSENT);
  }
  v1::ReferralSent event;
  event.set_referral_id(context.NewId());
  event.set_case_id(of.id());
  event.set_from_organisation(OrganisationOf(context));
  event.set_to_organisation(request.to_organisation());
  event.set_need(request.need());
  event.set_reason(request.reason());
  *event.mutable_answer_due_time() = request.answer_due_time();
  *event.mutable_sent_time() = ToTimestamp(context.now);
  const auto& partner = context.Related<v1::PartnerNode>(request.to_organisation());
  if (partner.runs_node()) {
    if (!partner.active()) return RefuseField(v1::REASON_PARTNER_NOT_A_NODE, "to_organisation");
    event.set_addressee(partner.id());
  }
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralSent& event) {
  referral.set_id(event.referral_id());
  referral.set_case_id(event.case_id());
  referral.set_state(v1::REFERRAL_STATE_IN_PROGRESS);
  referral.set_from_organisation(event.from_organisation());
  referral.set_to_organisation(event.to_organisation());
  referral.set_need(event.need());
  referral.set_reason(event.reason());
  *referral.mutable_answer_due_time() = event.answer_due_time();
  *referral.mutable_sent_time() = event.sent_time();
  referral.set_partner_node(event.addressee());
  referral.set_source_node(event.source_node());
}

// What is needed and why comes disclosed, where the consent covers it; the referral stands without it too.
engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::ReceiveReferralRequest& request,
                                         const engine::Context& context) {
  const auto& sent = request.sent();
  if (sent.referral_id() != request.referral_id() || sent.case_id().empty() ||
      !sent.has_answer_due_time()) {
    return Refuse(v1::REASON_FACT_MALFORMED);
  }
  if (!referral.id().empty()) {
    if (referral.source_node() == request.sender()) return engine::Events();
    return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
  }
  v1::ReferralSent event;
  event.set_referral_id(sent.referral_id());
  event.set_case_id(sent.case_id());
  event.set_from_organisation(request.sender());
  event.set_to_organisation(context.node);
  for (const v1::Referral& disclosed : DisclosedReferrals(context.facts.get())) {
    if (disclosed.id() != sent.referral_id()) continue;
    event.set_need(disclosed.need());
    event.set_reason(disclosed.reason());
  }
  *event.mutable_answer_due_time() = sent.answer_due_time();
  *event.mutable_sent_time() = sent.sent_time();
  event.set_source_node(request.sender());
  return engine::Emit(std::move(event));
}

void ReferralDecider::Apply(State& referral, const v1::ReferralDetailsReceived& event) {
  referral.set_need(event.need());
  referral.set_reason(event.reason());
}

// Who receives answers, who sends takes back and lets lapse. What came too late, or after the end, changes nothing: each
// side hears the other's end.
engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::MoveReferralRequest& request,
                                         const engine::Context& context) {
  const bool by_receiver = referral.partner_node() == request.sender();
  const bool by_sender = referral.source_node() == request.sender();
  const bool waits = referral.state() == v1::REFERRAL_STATE_IN_PROGRESS;
  switch (request.state()) {
    case v1::REFERRAL_STATE_ACCEPTED:
    case v1::REFERRAL_STATE_REJECTED:
    case v1::REFERRAL_STATE_DONE:
      if (!by_receiver) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
      break;
    case v1::REFERRAL_STATE_REVOKED:
    case v1::REFERRAL_STATE_LAPSED:
      if (!by_sender) return Refuse(v1::REASON_NOT_OWNER_OF_FACT);
      break;
    default: return Refuse(v1::REASON_FACT_MALFORMED);
  }
  const bool late = by_receiver && context.now >= FromTimestamp(referral.answer_due_time());
  if (Ended(referral) || (waits && late)) return engine::Events();
  if (request.state() == v1::REFERRAL_STATE_ACCEPTED) {
    if (!waits) return engine::Events();
    auto event = Repeat<v1::ReferralAccepted>(referral);
    *event.mutable_accepted_time() = request.moved_time();
    return engine::Emit(std::move(event));
  }
  if (request.state() == v1::REFERRAL_STATE_REJECTED) {
    if (!waits) return engine::Events();
    auto event = Repeat<v1::ReferralRejected>(referral);
    *event.mutable_rejected_time() = request.moved_time();
    return engine::Emit(std::move(event));
  }
  if (request.state() == v1::REFERRAL_STATE_DONE) {
    if (waits) return engine::Events();
    auto event = Repeat<v1::ReferralDone>(referral);
    *event.mutable_done_time() = request.moved_time();
    return engine::Emit(std::move(event));
  }
  if (request.state() == v1::REFERRAL_STATE_REVOKED) {
    auto event = Repeat<v1::ReferralRevoked>(referral);
    *event.mutable_revoked_time() = request.moved_time();
    return engine::Emit(std::move(event));
  }
  // The sender's clock says that an answer came too late, or not at all.
  auto event = Repeat<v1::ReferralLapsed>(referral);
  *event.mutable_lapsed_time() = request.moved_time();
  return engine::Emit(std::move(event));
}

engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::AcceptReferralRequest& /*request*/,
                                         const engine::Context& context) {
  if (auto wrong = CheckAnswerable(referral, context); !wrong.ok()) return wrong;
  auto event = For<v1::ReferralAccepted>(referral);
  *event.mutable_accepted_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralAccepted& event) {
  referral.set_state(v1::REFERRAL_STATE_ACCEPTED);
  *referral.mutable_answered_time() = event.accepted_time();
}

engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::RejectReferralRequest& request,
                                         const engine::Context& context) {
  if (auto wrong = CheckAnswerable(referral, context); !wrong.ok()) return wrong;
  auto event = For<v1::ReferralRejected>(referral);
  event.set_reason(request.reason());
  *event.mutable_rejected_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralRejected& event) {
  referral.set_state(v1::REFERRAL_STATE_REJECTED);
  referral.set_answer(event.reason());
  *referral.mutable_answered_time() = event.rejected_time();
  *referral.mutable_ended_time() = event.rejected_time();
}

engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::CompleteReferralRequest& request,
                                         const engine::Context& context) {
  if (auto wrong = CheckReceiver(referral, context); !wrong.ok()) return wrong;
  if (Ended(referral)) return Refuse(v1::REASON_REFERRAL_ENDED);
  if (referral.state() != v1::REFERRAL_STATE_ACCEPTED) {
    return Refuse(v1::REASON_REFERRAL_NOT_ACCEPTED);
  }
  auto event = For<v1::ReferralDone>(referral);
  event.set_outcome(request.outcome());
  *event.mutable_done_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralDone& event) {
  referral.set_state(v1::REFERRAL_STATE_DONE);
  referral.set_answer(event.outcome());
  *referral.mutable_ended_time() = event.done_time();
}

engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::RevokeReferralRequest& request,
                                         const engine::Context& context) {
  if (auto wrong = CheckSender(referral, context); !wrong.ok()) return wrong;
  if (Ended(referral)) return Refuse(v1::REASON_REFERRAL_ENDED);
  auto event = For<v1::ReferralRevoked>(referral);
  event.set_reason(request.reason());
  *event.mutable_revoked_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralRevoked& event) {
  referral.set_state(v1::REFERRAL_STATE_REVOKED);
  referral.set_answer(event.reason());
  *referral.mutable_ended_time() = event.revoked_time();
}

engine::Decision ReferralDecider::Decide(const State& referral,
                                         const v1::LapseReferralRequest& /*request*/,
                                         const engine::Context& context) {
  if (Ended(referral)) return Refuse(v1::REASON_REFERRAL_ENDED);
  if (referral.state() != v1::REFERRAL_STATE_IN_PROGRESS) {
    return Refuse(v1::REASON_REFERRAL_ANSWERED);
  }
  if (context.now < FromTimestamp(referral.answer_due_time())) {
    return Refuse(v1::REASON_NOT_DUE_YET);
  }
  auto event = For<v1::ReferralLapsed>(referral);
  *event.mutable_lapsed_time() = ToTimestamp(context.now);
  return engine::Emit(event);
}

void ReferralDecider::Apply(State& referral, const v1::ReferralLapsed& event) {
  referral.set_state(v1::REFERRAL_STATE_LAPSED);
  *referral.mutable_ended_time() = event.lapsed_time();
}

std::optional<engine::Deadline> ReferralDecider::NextDeadline(const State& referral) {
  // Between nodes the sender's clock counts; the receiver hears of it.
  if (referral.state() != v1::REFERRAL_STATE_IN_PROGRESS || !referral.source_node().empty()) {
    return std::nullopt;
  }
  auto command = std::make_shared<v1::LapseReferralRequest>();
  command->set_referral_id(referral.id());
  return engine::Deadline{FromTimestamp(referral.answer_due_time()), std::move(command)};
}

const engine::Table& ReferralDecider::ProjectTable() {
  static const engine::Table table{
      .name = "referral_list",
      .columns = {"case_id", "state", "from_organisation", "to_organisation", "sent_us", "due_us"},
      .types = {"text", "int", "text", "text", "bigint", "bigint"},
      .mode = engine::Table::Mode::kReplace};
  return table;
}

std::vector<engine::Row> ReferralDecider::Project(const State& referral) {
  const auto micros = [](const google::protobuf::Timestamp& time) {
    return absl::StrCat(absl::ToUnixMicros(FromTimestamp(time)));
  };
  return {{{referral.case_id(), absl::StrCat(static_cast<int>(referral.state())),
            referral.from_organisation(), referral.to_organisation(), micros(referral.sent_time()),
            micros(referral.answer_due_time())}}};
}

}  // namespace sankofa::registration
