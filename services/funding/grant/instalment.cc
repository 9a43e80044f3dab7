#include <algorithm>

#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "sankofa/funding/v1/programme.pb.h"
#include "services/funding/budget/ledger.h"
#include "services/funding/grant/conversion.h"
#include "services/funding/grant/grant.h"
#include "services/funding/programme/rule_set.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

// Signature, the three people of a payment, and proofs.
namespace sankofa::funding {

using engine::Context;
using engine::Decision;
using engine::Emit;
using status::Refuse;
using status::RefuseField;

namespace {

absl::Status CheckSigned(const v1::Grant& grant) {
  return grant.state() == v1::GRANT_STATE_SIGNED ? absl::OkStatus()
                                                 : Refuse(v1::REASON_GRANT_NOT_SIGNED);
}

// What every command on an instalment asks first: a person, a signed grant and an instalment of that number.
template <class Request>
absl::StatusOr<const v1::Instalment*> InstalmentFor(const v1::Grant& grant, const Request& request,
                                                    const Context& context) {
  if (context.actor.subject.empty()) return Refuse(v1::REASON_PERSON_REQUIRED);
  if (auto is_signed = CheckSigned(grant); !is_signed.ok()) return is_signed;
  const v1::Instalment* instalment = FindInstalment(grant, request.instalment());
  if (instalment == nullptr) return RefuseField(v1::REASON_INSTALMENT_UNKNOWN, "instalment");
  return instalment;
}

// No money before the proof of the money before.
absl::Status CheckEarlierProven(const v1::Grant& grant, const v1::Instalment& instalment) {
  for (const v1::Instalment& earlier : grant.instalments()) {
    if (earlier.number() < instalment.number() && earlier.state() != v1::INSTALMENT_STATE_PROVEN) {
      return Refuse(v1::REASON_EARLIER_INSTALMENT_NOT_PROVEN);
    }
  }
  return absl::OkStatus();
}

// Person and project are today what the grant was reserved for, by the rules it was reserved by.
absl::Status CheckStillDue(const v1::Grant& grant, const v1::Programme& programme,
                           const v1::GrantFacts& facts) {
  if (facts.case_id() != grant.case_id() || facts.person_id() != grant.person_id() ||
      facts.project_id() != grant.project_id()) {
    return Refuse(v1::REASON_CASE_MISMATCH);
  }
  if (!facts.project_approved() || facts.project_version() != grant.project_version() ||
      facts.approved_version() != grant.project_version()) {
    return Refuse(v1::REASON_PROJECT_CHANGED);
  }
  const v1::RuleSet* rule_set = FindVersion(programme, grant.rule_set_version());
  const v1::Level* level = rule_set == nullptr ? nullptr : FindLevel(*rule_set, grant.level());
  if (level == nullptr) return status::Internal("a grant's rule set is gone");
  if (auto eligible = CheckEligible(*rule_set, *level, grant.kind(), grant.filed_date(), facts);
      !eligible.ok()) {
    return eligible;
  }
  const auto ceiling = CeilingOf(*level, facts.adults(), facts.children());
  if (!ceiling.ok()) return ceiling.status();
  const auto within = money::AtMost(grant.amount(), *ceiling);
  if (!within.ok()) return within.status();
  return *within ? absl::OkStatus() : Refuse(v1::REASON_ABOVE_CEILING);
}

// The EndToEndId of the order: 32 characters of the 35 that ISO 20022 allows.
std::string NewOrderId(const Context& context) {
  std::string id = context.NewId("order");
  std::erase(id, '-');
  return id;
}

bool IsSha256(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Decision GrantDecider::Decide(const State& grant, const v1::SignGrantRequest& /*request*/,
                              const Context& context) {
  if (grant.state() != v1::GRANT_STATE_RESERVED) return Refuse(v1::REASON_GRANT_NOT_RESERVED);
  v1::GrantSigned event;
  event.set_grant_id(grant.id());
  event.set_case_id(grant.case_id());
  event.set_project_id(grant.project_id());
  *event.mutable_amount() = grant.amount();
  event.set_programme(grant.programme());
  *event.mutable_follow_up_months() = grant.follow_up_months();
  *event.mutable_signed_time() = time::ToTimestamp(context.now);
  event.set_kind(grant.kind());
  event.set_sector(grant.sector());
  event.set_level(grant.level());
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::RequestInstalmentRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  if ((*instalment)->state() != v1::INSTALMENT_STATE_PLANNED) {
    return Refuse(v1::REASON_INSTALMENT_NOT_PLANNED);
  }
  auto event = AboutInstalment<v1::InstalmentRequested>(grant, **instalment);
  event.set_requested_by(context.actor.subject);
  *event.mutable_requested_time() = time::ToTimestamp(context.now);
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::ApproveInstalmentRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  if ((*instalment)->state() != v1::INSTALMENT_STATE_REQUESTED) {
    return Refuse(v1::REASON_INSTALMENT_NOT_REQUESTED);
  }
  if (context.actor.subject == (*instalment)->requested_by()) {
    return Refuse(v1::REASON_SAME_PERSON);
  }
  if (auto proven = CheckEarlierProven(grant, **instalment); !proven.ok()) return proven;
  auto event = AboutInstalment<v1::InstalmentApproved>(grant, **instalment);
  event.set_approved_by(context.actor.subject);
  *event.mutable_approved_time() = time::ToTimestamp(context.now);
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::ReturnInstalmentRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  const v1::InstalmentState state = (*instalment)->state();
  if (state != v1::INSTALMENT_STATE_REQUESTED && state != v1::INSTALMENT_STATE_APPROVED &&
      state != v1::INSTALMENT_STATE_FAILED) {
    return Refuse(v1::REASON_INSTALMENT_NOT_RETURNABLE);
  }
  auto event = AboutInstalment<v1::InstalmentReturned>(grant, **instalment);
  event.set_returned_by(context.actor.subject);
  *event.mutable_returned_time() = time::ToTimestamp(context.now);
  event.set_note(request.note());
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::ReleaseInstalmentRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  const v1::InstalmentState state = (*instalment)->state();
  if (state != v1::INSTALMENT_STATE_APPROVED && state != v1::INSTALMENT_STATE_FAILED) {
    return Refuse(v1::REASON_INSTALMENT_NOT_APPROVED);
  }
  if (context.actor.subject == (*instalment)->requested_by() ||
      context.actor.subject == (*instalment)->approved_by()) {
    return Refuse(v1::REASON_SAME_PERSON);
  }
  if (auto proven = CheckEarlierProven(grant, **instalment); !proven.ok()) return proven;
  const auto* facts = context.Facts<v1::GrantFacts>();
  if (facts == nullptr) return status::Internal("an instalment is released without facts");
  if (auto due = CheckStillDue(grant, context.Related<v1::Programme>(grant.programme()), *facts);
      !due.ok()) {
    return due;
  }
  const auto conversion = money::Convert((*instalment)->amount(), grant.payment_currency());
  if (!conversion.ok()) return conversion.status();

  auto event = AboutInstalment<v1::InstalmentReleased>(grant, **instalment);
  event.set_released_by(context.actor.subject);
  *event.mutable_released_time() = time::ToTimestamp(context.now);
  event.set_order_id(NewOrderId(context));
  *event.mutable_payment_amount() = conversion->target;
  if (grant.payment_currency() != grant.amount().currency()) {
    *event.mutable_conversion() = RecordOf(*conversion);
  }
  event.set_case_version(facts->case_version());
  event.set_project_stream_version(facts->project_stream_version());
  *event.mutable_batch() =
      ledger::BatchBuilder(context, "release")
          .Move(v1::ACCOUNT_GRANT, v1::ACCOUNT_PAYABLE, grant.id(), (*instalment)->amount())
          .Close();
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::SubmitProofRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  if ((*instalment)->state() != v1::INSTALMENT_STATE_PAID) {
    return Refuse(v1::REASON_INSTALMENT_NOT_PAID);
  }
  if (!IsSha256(request.proof_sha256())) {
    return RefuseField(v1::REASON_PROOF_MALFORMED, "proof_sha256");
  }
  auto event = AboutInstalment<v1::ProofSubmitted>(grant, **instalment);
  event.set_proof_reference(request.proof_reference());
  event.set_proof_sha256(request.proof_sha256());
  event.set_submitted_by(context.actor.subject);
  *event.mutable_submitted_time() = time::ToTimestamp(context.now);
  event.set_note(request.note());
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::AcceptProofRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  if ((*instalment)->state() != v1::INSTALMENT_STATE_PROOF_SUBMITTED) {
    return Refuse(v1::REASON_PROOF_NOT_SUBMITTED);
  }
  if (context.actor.subject == (*instalment)->proof_submitted_by()) {
    return Refuse(v1::REASON_SAME_PERSON);
  }
  auto event = AboutInstalment<v1::InstalmentProven>(grant, **instalment);
  event.set_accepted_by(context.actor.subject);
  *event.mutable_accepted_time() = time::ToTimestamp(context.now);
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::RejectProofRequest& request,
                              const Context& context) {
  const auto instalment = InstalmentFor(grant, request, context);
  if (!instalment.ok()) return instalment.status();
  if ((*instalment)->state() != v1::INSTALMENT_STATE_PROOF_SUBMITTED) {
    return Refuse(v1::REASON_PROOF_NOT_SUBMITTED);
  }
  auto event = AboutInstalment<v1::ProofRejected>(grant, **instalment);
  event.set_rejected_by(context.actor.subject);
  *event.mutable_rejected_time() = time::ToTimestamp(context.now);
  event.set_note(request.note());
  return Emit(std::move(event));
}

}  // namespace sankofa::funding
