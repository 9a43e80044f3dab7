#include "services/registration/care/referral.h"

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/case/case.h"
#include "services/registration/organisation.h"

namespace sankofa::registration {
namespace {

using status::Refuse;
using status::RefuseField;
using time::FromTimestamp;
using time::ToTimestamp;

constexpr absl::Duration kDueWithin = absl::Hours(366 * 24);

absl::Status CheckReceiver(const v1::Referral& referral, const engine::Context& context) {
  return OrganisationOf(context) == referral.to_organisation() ? absl::OkStatus()
                                                               : Refuse(v1::REASON_NOT_RECEIVER);
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

template <class Event>
Event For(const v1::Referral& referral) {
  Event event;
  event.set_referral_id(referral.id());
  event.set_case_id(referral.case_id());
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
  if (OrganisationOf(context) != referral.from_organisation()) {
    return Refuse(v1::REASON_NOT_SENDER);
  }
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
  if (referral.state() != v1::REFERRAL_STATE_IN_PROGRESS) return std::nullopt;
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
