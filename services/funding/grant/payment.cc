#include <algorithm>

#include "sankofa/funding/v1/approved_project.pb.h"
#include "sankofa/funding/v1/budget_line.pb.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "sankofa/funding/v1/payment_id.pb.h"
#include "sankofa/funding/v1/person_funding.pb.h"
#include "services/funding/budget/ledger.h"
#include "services/funding/grant/conversion.h"
#include "services/funding/grant/grant.h"
#include "services/funding/grant/known.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

// What providers report, and the end of a grant.
namespace sankofa::funding {

using common::v1::Money;
using engine::Context;
using engine::Decision;
using engine::Emit;
using status::Refuse;
using status::RefuseField;

namespace {

bool IsPaymentId(const std::string& text) {
  constexpr std::string_view kMarks = "-_./:";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// Whether a payment id may be used for `payment`: OK and unused, or used before for exactly this (`repeat`), or refused.
struct Claim {
  absl::Status status;
  bool repeat = false;
};

Claim ClaimOf(const Context& context, const std::string& raw_id,
              const v1::PaymentIdTaken& payment) {
  if (!IsPaymentId(raw_id)) {
    return {RefuseField(v1::REASON_PAYMENT_ID_MALFORMED, "payment_id"), false};
  }
  const auto& taken = context.Related<v1::PaymentId>(payment.id());
  if (taken.id().empty()) return {absl::OkStatus(), false};
  const bool same = taken.grant_id() == payment.grant_id() &&
                    taken.instalment() == payment.instalment() &&
                    taken.order_id() == payment.order_id() &&
                    money::SameCurrency(taken.amount(), payment.amount()) &&
                    taken.amount().minor_units() == payment.amount().minor_units();
  if (same) return {absl::OkStatus(), true};
  return {RefuseField(v1::REASON_PAYMENT_ID_USED, "payment_id"), false};
}

// The payment id as it would be taken by this request.
template <class Request>
v1::PaymentIdTaken TakenBy(const v1::Grant& grant, const Request& request) {
  v1::PaymentIdTaken taken;
  taken.set_id(PaymentIdKey(request.provider(), request.payment_id()));
  taken.set_case_id(grant.case_id());
  taken.set_grant_id(grant.id());
  *taken.mutable_amount() = request.amount();
  return taken;
}

// The instalment of which `order_id` is the payment order under way.
absl::StatusOr<const v1::Instalment*> UnderWay(const v1::Grant& grant, int number,
                                               const std::string& order_id) {
  if (grant.state() != v1::GRANT_STATE_SIGNED) return Refuse(v1::REASON_GRANT_NOT_SIGNED);
  const v1::Instalment* instalment = FindInstalment(grant, number);
  if (instalment == nullptr) return RefuseField(v1::REASON_INSTALMENT_UNKNOWN, "instalment");
  if (instalment->state() != v1::INSTALMENT_STATE_RELEASED) {
    return Refuse(v1::REASON_INSTALMENT_NOT_RELEASED);
  }
  if (instalment->order_id() != order_id) {
    return RefuseField(v1::REASON_ORDER_NOT_CURRENT, "order_id");
  }
  return instalment;
}

// Takes `amount` from one holder's account in the grant's currency and `paid` to another's in the payment currency,
// over exchange_difference where the two are different.
void PostAcross(ledger::BatchBuilder& batch, const v1::Grant& grant, v1::Account debited,
                std::string_view debited_holder, const Money& debit, v1::Account credited,
                std::string_view credited_holder, const Money& credit) {
  batch.Debit(debited, debited_holder, debit);
  if (!money::SameCurrency(debit, credit)) {
    batch.Credit(v1::ACCOUNT_EXCHANGE_DIFFERENCE, grant.id(), debit);
    batch.Debit(v1::ACCOUNT_EXCHANGE_DIFFERENCE, grant.id(), credit);
  }
  batch.Credit(credited, credited_holder, credit);
}

// Who has recorded: the person, or the system where there is none.
const std::string& RecordedBy(const Context& context) {
  return context.actor.subject.empty() ? context.actor.system : context.actor.subject;
}

v1::PersonGrantEnded Ended(const v1::Grant& grant, v1::GrantState state, const Money& amount) {
  v1::PersonGrantEnded ended;
  ended.set_person_id(grant.person_id());
  ended.set_grant_id(grant.id());
  ended.set_state(state);
  *ended.mutable_amount() = amount;
  return ended;
}

}  // namespace

Decision GrantDecider::Decide(const State& grant, const v1::RecordPaymentRequest& request,
                              const Context& context) {
  v1::PaymentIdTaken taken = TakenBy(grant, request);
  taken.set_instalment(request.instalment());
  taken.set_order_id(request.order_id());
  const Claim claim = ClaimOf(context, request.payment_id(), taken);
  if (!claim.status.ok()) return claim.status;
  if (claim.repeat) return engine::Events();

  const auto instalment = UnderWay(grant, request.instalment(), request.order_id());
  if (!instalment.ok()) return instalment.status();
  const Money& ordered = (*instalment)->payment_amount();
  if (!money::SameCurrency(request.amount(), ordered) ||
      request.amount().minor_units() != ordered.minor_units()) {
    return RefuseField(v1::REASON_PAYMENT_AMOUNT_MISMATCH, "amount", money::Format(ordered));
  }
  if (time::FromTimestamp(request.paid_time()) <
      time::FromTimestamp((*instalment)->released_time())) {
    return RefuseField(v1::REASON_PAYMENT_TIME, "paid_time");
  }
  const Money& amount = (*instalment)->amount();
  auto event = AboutInstalment<v1::InstalmentPaid>(grant, **instalment);
  *event.mutable_payment_amount() = request.amount();
  event.set_order_id(request.order_id());
  event.set_provider(request.provider());
  event.set_payment_id(request.payment_id());
  *event.mutable_paid_time() = request.paid_time();
  ledger::BatchBuilder batch(context, "pay");
  PostAcross(batch, grant, v1::ACCOUNT_PAYABLE, grant.id(), amount, v1::ACCOUNT_BANK,
             request.provider(), request.amount());
  batch.Move(v1::ACCOUNT_LINE_RESERVED, v1::ACCOUNT_LINE_SPENT, grant.budget_line(), amount);
  *event.mutable_batch() = batch.Close();

  v1::BudgetSpent spent;
  spent.set_grant_id(grant.id());
  spent.set_instalment(request.instalment());
  *spent.mutable_amount() = amount;
  const std::string key = taken.id();
  return Emit(std::move(event))
      .AddTo<v1::BudgetLine>(grant.budget_line(), std::move(spent))
      .AddTo<v1::PaymentId>(key, std::move(taken));
}

Decision GrantDecider::Decide(const State& grant, const v1::FailPaymentRequest& request,
                              const Context& context) {
  const auto instalment = UnderWay(grant, request.instalment(), request.order_id());
  if (!instalment.ok()) return instalment.status();
  auto event = AboutInstalment<v1::InstalmentFailed>(grant, **instalment);
  event.set_order_id(request.order_id());
  event.set_failure_code(request.failure_code());
  event.set_recorded_by(RecordedBy(context));
  *event.mutable_failed_time() = time::ToTimestamp(context.now);
  event.set_note(request.note());
  *event.mutable_batch() =
      ledger::BatchBuilder(context, "fail")
          .Move(v1::ACCOUNT_PAYABLE, v1::ACCOUNT_GRANT, grant.id(), (*instalment)->amount())
          .Close();
  return Emit(std::move(event));
}

Decision GrantDecider::Decide(const State& grant, const v1::RecordRefundRequest& request,
                              const Context& context) {
  v1::PaymentIdTaken taken = TakenBy(grant, request);
  const Claim claim = ClaimOf(context, request.payment_id(), taken);
  if (!claim.status.ok()) return claim.status;
  if (claim.repeat) return engine::Events();

  if (grant.state() != v1::GRANT_STATE_CANCELLED) return Refuse(v1::REASON_GRANT_NOT_CANCELLED);
  const Money& received = request.amount();
  if (received.minor_units() <= 0) return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "amount");
  if (received.currency() != grant.payment_currency()) {
    return RefuseField(v1::REASON_CURRENCY_MISMATCH, "amount.currency", grant.payment_currency());
  }
  const auto most = money::Convert(grant.refund_due(), grant.payment_currency());
  if (!most.ok()) return most.status();
  const auto total = money::Add(grant.refunded_payment(), received);
  if (!total.ok()) return total.status();
  if (total->minor_units() > most->target.minor_units()) {
    return RefuseField(v1::REASON_REFUND_TOO_HIGH, "amount", money::Format(most->target));
  }
  const auto conversion = money::Convert(*total, grant.amount().currency());
  if (!conversion.ok()) return conversion.status();
  // Counted from the total, so that many small refunds lose nothing to rounding; and all of it in the payment currency
  // settles all of it in the grant's.
  const bool settles = total->minor_units() == most->target.minor_units();
  const std::int64_t settled =
      std::min(conversion->target.minor_units(), grant.refund_due().minor_units());
  const Money amount = money::Must(
      money::Subtract(settles ? grant.refund_due() : money::Of(grant.amount().currency(), settled),
                      grant.refunded()));

  v1::RefundRecorded event;
  event.set_grant_id(grant.id());
  event.set_case_id(grant.case_id());
  *event.mutable_amount() = amount;
  *event.mutable_payment_amount() = received;
  if (grant.payment_currency() != grant.amount().currency()) {
    *event.mutable_conversion() = RecordOf(*conversion);
  }
  event.set_provider(request.provider());
  event.set_payment_id(request.payment_id());
  *event.mutable_paid_time() = request.paid_time();
  ledger::BatchBuilder batch(context, "refund");
  PostAcross(batch, grant, v1::ACCOUNT_BANK, request.provider(), received, v1::ACCOUNT_GRANT,
             grant.id(), amount);
  batch.Move(v1::ACCOUNT_LINE_SPENT, v1::ACCOUNT_LINE_AVAILABLE, grant.budget_line(), amount);
  *event.mutable_batch() = batch.Close();

  v1::BudgetRefunded refunded;
  refunded.set_grant_id(grant.id());
  *refunded.mutable_amount() = amount;
  const std::string key = taken.id();
  return Emit(std::move(event))
      .AddTo<v1::BudgetLine>(grant.budget_line(), std::move(refunded))
      .AddTo<v1::PaymentId>(key, std::move(taken));
}

Decision GrantDecider::Decide(const State& grant, const v1::CompleteGrantRequest& /*request*/,
                              const Context& context) {
  if (grant.state() != v1::GRANT_STATE_SIGNED) return Refuse(v1::REASON_GRANT_NOT_SIGNED);
  const auto& instalments = grant.instalments();
  if (!std::all_of(instalments.begin(), instalments.end(), [](const v1::Instalment& instalment) {
        return instalment.state() == v1::INSTALMENT_STATE_PROVEN;
      })) {
    return Refuse(v1::REASON_NOT_ALL_PROVEN);
  }
  v1::GrantCompleted event;
  event.set_grant_id(grant.id());
  event.set_case_id(grant.case_id());
  *event.mutable_amount() = grant.paid();
  *event.mutable_completed_time() = time::ToTimestamp(context.now);
  return Emit(std::move(event))
      .AddTo<v1::PersonFunding>(grant.person_id(),
                                Ended(grant, v1::GRANT_STATE_COMPLETED, grant.amount()));
}

Decision GrantDecider::Decide(const State& grant, const v1::CancelGrantRequest& request,
                              const Context& context) {
  if (grant.state() != v1::GRANT_STATE_RESERVED && grant.state() != v1::GRANT_STATE_SIGNED) {
    return Refuse(v1::REASON_GRANT_ENDED);
  }
  for (const v1::Instalment& instalment : grant.instalments()) {
    if (instalment.state() == v1::INSTALMENT_STATE_RELEASED) {
      return Refuse(v1::REASON_PAYMENT_IN_FLIGHT);
    }
  }
  const Money refund =
      request.has_refund() ? request.refund() : money::Zero(grant.amount().currency());
  if (!money::SameCurrency(refund, grant.amount())) {
    return RefuseField(v1::REASON_CURRENCY_MISMATCH, "refund.currency", grant.amount().currency());
  }
  if (refund.minor_units() < 0) return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "refund");
  if (refund.minor_units() > grant.paid().minor_units()) {
    return RefuseField(v1::REASON_REFUND_TOO_HIGH, "refund", money::Format(grant.paid()));
  }
  const Money voided = money::Must(money::Subtract(grant.amount(), grant.paid()));
  const auto& project = context.Related<v1::ApprovedProject>(grant.project_id());
  const auto given_back = money::Convert(voided, project.approved().currency());
  if (!given_back.ok()) return given_back.status();

  v1::GrantCancelled event;
  event.set_grant_id(grant.id());
  event.set_case_id(grant.case_id());
  *event.mutable_voided() = voided;
  *event.mutable_refund() = refund;
  event.set_cancelled_by(context.actor.subject);
  *event.mutable_cancelled_time() = time::ToTimestamp(context.now);
  event.set_note(request.note());
  *event.mutable_batch() =
      ledger::BatchBuilder(context, "void")
          .Move(v1::ACCOUNT_LINE_RESERVED, v1::ACCOUNT_LINE_AVAILABLE, grant.budget_line(), voided)
          .Close();
  v1::BudgetVoided on_line;
  on_line.set_grant_id(grant.id());
  *on_line.mutable_amount() = voided;
  v1::ApprovalGivenBack on_project;
  on_project.set_grant_id(grant.id());
  *on_project.mutable_amount() = given_back->target;
  return Emit(std::move(event))
      .AddTo<v1::BudgetLine>(grant.budget_line(), std::move(on_line))
      .AddTo<v1::ApprovedProject>(grant.project_id(), std::move(on_project))
      .AddTo<v1::PersonFunding>(grant.person_id(),
                                Ended(grant, v1::GRANT_STATE_CANCELLED, grant.paid()));
}

}  // namespace sankofa::funding
