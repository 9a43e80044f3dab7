#include "services/funding/budget/budget_line.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sankofa/funding/v1/agreement.pb.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/funding/budget/ledger.h"
#include "services/platform/money/money.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::funding {

using common::v1::Money;
using engine::Context;
using engine::Decision;
using status::Refuse;
using status::RefuseField;

namespace {

// Takes `amount` from one purse of a line and puts it into another.
void Shift(Money& from, Money& to, const Money& amount) {
  from = money::Must(money::Subtract(from, amount));
  to = money::Must(money::Add(to, amount));
}

void CheckConserved(const v1::BudgetLine& line) {
  const Money parts[] = {line.available(), line.reserved(), line.spent()};
  for (const Money& part : parts) {
    status::Check(part.minor_units() >= 0, "a purse of a budget line is below zero");
  }
  const Money sum = money::Must(money::Sum(line.currency(), parts));
  status::Check(sum.minor_units() == line.allotted().minor_units(),
                "a budget line does not add up");
}

}  // namespace

Decision BudgetLineDecider::Decide(const State& /*line*/, const v1::OpenBudgetLineRequest& request,
                                   const Context& context) {
  const auto& agreement = context.Related<v1::Agreement>(request.agreement());
  if (agreement.id().empty()) return RefuseField(v1::REASON_AGREEMENT_UNKNOWN, "agreement");
  if (request.amount().minor_units() <= 0) {
    return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "amount");
  }
  if (!money::SameCurrency(request.amount(), agreement.committed())) {
    return RefuseField(v1::REASON_CURRENCY_MISMATCH, "amount.currency",
                       agreement.committed().currency());
  }
  const auto allocated = money::Add(agreement.allocated(), request.amount());
  if (!allocated.ok()) return allocated.status();
  if (allocated->minor_units() > agreement.committed().minor_units()) {
    return RefuseField(v1::REASON_AGREEMENT_EXHAUSTED, "amount");
  }
  v1::BudgetLineOpened event;
  event.set_budget_line(request.budget_line());
  event.set_agreement(request.agreement());
  event.set_title(request.title());
  *event.mutable_amount() = request.amount();
  *event.mutable_programmes() = request.programmes();
  *event.mutable_host_countries() = agreement.host_countries();
  *event.mutable_origin_countries() = agreement.origin_countries();
  event.set_valid_from(agreement.valid_from());
  event.set_valid_until(agreement.valid_until());
  *event.mutable_batch() =
      ledger::BatchBuilder(context, "open")
          .Debit(v1::ACCOUNT_DONOR_COMMITMENT, request.agreement(), request.amount())
          .Credit(v1::ACCOUNT_LINE_AVAILABLE, request.budget_line(), request.amount())
          .Close();
  v1::AgreementAllotted allotted;
  allotted.set_budget_line(request.budget_line());
  *allotted.mutable_amount() = request.amount();
  return engine::Emit(std::move(event))
      .AddTo<v1::Agreement>(request.agreement(), std::move(allotted));
}

Decision BudgetLineDecider::Decide(const State& line, const v1::TransferBudgetRequest& request,
                                   const Context& context) {
  const auto& to = context.Related<v1::BudgetLine>(request.to_budget_line());
  if (to.id().empty()) return RefuseField(v1::REASON_BUDGET_LINE_UNKNOWN, "to_budget_line");
  if (to.id() == line.id() || to.agreement() != line.agreement()) {
    return RefuseField(v1::REASON_TRANSFER_NOT_POSSIBLE, "to_budget_line");
  }
  if (request.amount().minor_units() <= 0) {
    return RefuseField(v1::REASON_AMOUNT_NOT_POSITIVE, "amount");
  }
  if (request.amount().currency() != line.currency()) {
    return RefuseField(v1::REASON_CURRENCY_MISMATCH, "amount.currency", line.currency());
  }
  if (request.amount().minor_units() > line.available().minor_units()) {
    return RefuseField(v1::REASON_BUDGET_EXHAUSTED, "amount");
  }
  v1::BudgetTransferredOut out;
  out.set_to_budget_line(to.id());
  *out.mutable_amount() = request.amount();
  *out.mutable_batch() = ledger::BatchBuilder(context, "transfer")
                             .Debit(v1::ACCOUNT_LINE_AVAILABLE, line.id(), request.amount())
                             .Credit(v1::ACCOUNT_LINE_AVAILABLE, to.id(), request.amount())
                             .Close();
  v1::BudgetTransferredIn in;
  in.set_from_budget_line(line.id());
  *in.mutable_amount() = request.amount();
  return engine::Emit(std::move(out)).AddTo<v1::BudgetLine>(to.id(), std::move(in));
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetLineOpened& event) {
  line.set_id(event.budget_line());
  line.set_agreement(event.agreement());
  line.set_title(event.title());
  line.set_currency(event.amount().currency());
  *line.mutable_allotted() = event.amount();
  *line.mutable_available() = event.amount();
  *line.mutable_reserved() = money::Zero(line.currency());
  *line.mutable_spent() = money::Zero(line.currency());
  *line.mutable_programmes() = event.programmes();
  *line.mutable_host_countries() = event.host_countries();
  *line.mutable_origin_countries() = event.origin_countries();
  line.set_valid_from(event.valid_from());
  line.set_valid_until(event.valid_until());
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetTransferredOut& event) {
  *line.mutable_available() = money::Must(money::Subtract(line.available(), event.amount()));
  *line.mutable_allotted() = money::Must(money::Subtract(line.allotted(), event.amount()));
  CheckConserved(line);
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetTransferredIn& event) {
  *line.mutable_available() = money::Must(money::Add(line.available(), event.amount()));
  *line.mutable_allotted() = money::Must(money::Add(line.allotted(), event.amount()));
  CheckConserved(line);
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetReserved& event) {
  Shift(*line.mutable_available(), *line.mutable_reserved(), event.amount());
  CheckConserved(line);
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetVoided& event) {
  Shift(*line.mutable_reserved(), *line.mutable_available(), event.amount());
  CheckConserved(line);
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetSpent& event) {
  Shift(*line.mutable_reserved(), *line.mutable_spent(), event.amount());
  CheckConserved(line);
}

void BudgetLineDecider::Apply(State& line, const v1::BudgetRefunded& event) {
  Shift(*line.mutable_spent(), *line.mutable_available(), event.amount());
  CheckConserved(line);
}

const engine::Table& BudgetLineDecider::ProjectTable() {
  static const engine::Table table = {
      .name = "budget_line",
      .columns = {"agreement", "title", "currency", "allotted", "available", "reserved", "spent",
                  "programmes", "valid_from", "valid_until"},
      .types = {"text", "text", "text", "bigint", "bigint", "bigint", "bigint", "text", "date",
                "date"},
  };
  return table;
}

std::vector<engine::Row> BudgetLineDecider::Project(const State& line) {
  const auto units = [](const Money& amount) { return absl::StrCat(amount.minor_units()); };
  return {
      {.values = {line.agreement(), line.title(), line.currency(), units(line.allotted()),
                  units(line.available()), units(line.reserved()), units(line.spent()),
                  absl::StrJoin(line.programmes(), " "), line.valid_from(), line.valid_until()}}};
}

const engine::Table& BudgetLineDecider::EventTable() { return ledger::PostingTable(); }

std::vector<engine::Row> BudgetLineDecider::ProjectEvent(const State& /*line*/,
                                                         const google::protobuf::Message& event) {
  return ledger::RowsOf(event);
}

}  // namespace sankofa::funding
