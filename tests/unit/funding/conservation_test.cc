#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "services/funding/budget/ledger.h"
#include "services/funding/grant/grant.h"
#include "tests/unit/funding/scenario.h"

// G8: no sequence of commands makes or loses money, pays twice, pays above the line, pays before the proof before, or
// pays by fewer than three people. Commands are drawn at random, half of them such that they may succeed; after each,
// all that must hold is checked against a ledger kept beside from the events alone.
namespace sankofa::funding {
namespace {

using test::GoodFacts;
using test::Id;
using test::Office;
using test::ReserveRequest;

constexpr int kPeople = 4;
const char* const kStaff[] = {"ama", "kofi", "esi", "yao"};
const char* const kLines[] = {"cm-2017", "cm-small"};

// A step is three numbers; what they mean is decided when it is taken.
using Step = std::tuple<std::uint16_t, std::uint16_t, std::uint16_t>;

class Books {
 public:
  Books() {
    office_.OpenLine("cm-small", 9'000'00);
    Post();
    // The first line was opened before these books were: what it holds is posted by hand.
    balances_[{"line_available", "cm-2017", "EUR"}] -= 80'000'00;
    balances_[{"donor_commitment", "ofii-minrex", "EUR"}] += 80'000'00;
    auto& programme = office_.world().Get<v1::Programme>("ofii-cm-2017");
    programme.mutable_rule_sets(0)->set_once_per_person(false);
    for (int person = 1; person <= kPeople; ++person) {
      office_.Approve(person, money::Of("EUR", 6'000'00));
    }
  }

  void Take(const Step& step) {
    const auto [kind, who, what] = step;
    subject_ = kStaff[who % 4];
    absl::Status status = absl::OkStatus();
    if (grants_.empty() || kind % 8 == 0) {
      status = Reserve(what);
    } else {
      const std::string& id = grants_[what % grants_.size()];
      status = kind % 2 == 0 ? Any(id, kind, what) : Next(id, what);
    }
    if (status.ok()) Post();
  }

  // How far the walks get: RapidCheck prints the shares.
  void Classify() {
    int cancelled = 0;
    int completed = 0;
    std::int64_t refunded = 0;
    for (const auto* grant : office_.world().All<v1::Grant>()) {
      cancelled += grant->state() == v1::GRANT_STATE_CANCELLED ? 1 : 0;
      completed += grant->state() == v1::GRANT_STATE_COMPLETED ? 1 : 0;
      refunded += grant->refunded().minor_units();
    }
    RC_CLASSIFY(paid_.size() >= 2, "two payments or more");
    RC_CLASSIFY(cancelled > 0, "cancelled");
    RC_CLASSIFY(completed > 0, "completed");
    RC_CLASSIFY(refunded > 0, "refunded");
    RC_CLASSIFY(outside_.size() >= 2, "two currencies");
  }

  void Check() {
    CheckLines();
    CheckGrants();
    CheckLedger();
  }

 private:
  using Account = std::tuple<std::string, std::string, std::string>;

  absl::Status Reserve(std::uint16_t what) {
    const int person = 1 + what % kPeople;
    auto request = ReserveRequest(1 + std::int64_t{what} * 11, person);
    request.set_budget_line(kLines[what % 2]);
    request.set_payment_currency(what % 3 == 0 ? "XAF" : what % 3 == 1 ? "EUR" : "XOF");
    const absl::Status status = office_.Reserve(request, GoodFacts(person));
    if (status.ok()) grants_.push_back(office_.grant_id());
    return status;
  }

  const v1::Grant& Grant(const std::string& id) { return office_.world().Get<v1::Grant>(id); }

  // The command that brings the grant a step further, by whoever was drawn.
  absl::Status Next(const std::string& id, std::uint16_t what) {
    const v1::Grant& grant = Grant(id);
    if (grant.state() == v1::GRANT_STATE_RESERVED) {
      return office_.On<v1::SignGrantRequest>(id, 0, subject_);
    }
    for (const v1::Instalment& instalment : grant.instalments()) {
      if (instalment.state() != v1::INSTALMENT_STATE_PROVEN) return Forward(id, instalment, what);
    }
    return office_.On<v1::CompleteGrantRequest>(id, 0, subject_);
  }

  absl::Status Forward(const std::string& id, const v1::Instalment& instalment,
                       std::uint16_t what) {
    const int number = instalment.number();
    switch (instalment.state()) {
      case v1::INSTALMENT_STATE_PLANNED:
        return office_.On<v1::RequestInstalmentRequest>(id, number, subject_);
      case v1::INSTALMENT_STATE_REQUESTED:
        return office_.On<v1::ApproveInstalmentRequest>(id, number, subject_);
      case v1::INSTALMENT_STATE_APPROVED:
      case v1::INSTALMENT_STATE_FAILED: return Release(id, number);
      case v1::INSTALMENT_STATE_RELEASED:
        return office_.Pay(id, number, absl::StrCat("id-", what % 50));
      case v1::INSTALMENT_STATE_PAID: return office_.SubmitProof(id, number, subject_);
      case v1::INSTALMENT_STATE_PROOF_SUBMITTED:
        return office_.On<v1::AcceptProofRequest>(id, number, subject_);
      default: return Refund(id, what);
    }
  }

  // Any command, whether it makes sense or not.
  absl::Status Any(const std::string& id, std::uint16_t kind, std::uint16_t what) {
    const int number = 1 + what % 3;
    switch (kind / 2 % 15) {
      case 0: return office_.On<v1::SignGrantRequest>(id, 0, subject_);
      case 1: return office_.On<v1::RequestInstalmentRequest>(id, number, subject_);
      case 2: return office_.On<v1::ApproveInstalmentRequest>(id, number, subject_);
      case 3: return office_.On<v1::ReturnInstalmentRequest>(id, number, subject_);
      case 4: return Release(id, number);
      case 5: return Pay(id, what);
      case 6: return Fail(id, what);
      case 7: return office_.SubmitProof(id, number, subject_);
      case 8: return office_.On<v1::AcceptProofRequest>(id, number, subject_);
      case 9: return office_.On<v1::RejectProofRequest>(id, number, subject_);
      case 10: return office_.On<v1::CompleteGrantRequest>(id, 0, subject_);
      case 11: return Cancel(id, what);
      case 12: return Refund(id, what);
      case 13: return Transfer(what);
      default: return Pay(id, what % 7);
    }
  }

  absl::Status Release(const std::string& id, int number) {
    for (int person = 1; person <= kPeople; ++person) {
      if (Grant(id).person_id() == Id("person", person)) {
        return office_.Release(id, number, subject_, GoodFacts(person));
      }
    }
    return absl::InternalError("a grant of nobody");
  }

  // A payment that may be right, of another amount, or a repeat.
  absl::Status Pay(const std::string& id, std::uint16_t what) {
    const v1::Grant& grant = Grant(id);
    const int number = 1 + what % 2;
    const v1::Instalment& instalment = grant.instalments(number - 1);
    v1::RecordPaymentRequest request;
    request.set_order_id(instalment.order_id());
    request.set_provider(what % 5 == 0 ? "momo" : "bank");
    request.set_payment_id(absl::StrCat("id-", what % 50));
    *request.mutable_amount() = instalment.payment_amount();
    if (what % 11 == 0) request.mutable_amount()->set_minor_units(what);
    *request.mutable_paid_time() = time::ToTimestamp(test::Morning());
    return office_.On(id, number, subject_, request);
  }

  absl::Status Fail(const std::string& id, std::uint16_t what) {
    const int number = 1 + what % 2;
    v1::FailPaymentRequest request;
    request.set_order_id(Grant(id).instalments(number - 1).order_id());
    request.set_failure_code("AC04");
    return office_.On(id, number, subject_, request);
  }

  absl::Status Cancel(const std::string& id, std::uint16_t what) {
    v1::CancelGrantRequest request;
    const std::int64_t paid = Grant(id).paid().minor_units();
    *request.mutable_refund() = money::Of("EUR", paid == 0 ? 0 : what % (paid + 2));
    return office_.On(id, 0, subject_, request);
  }

  absl::Status Refund(const std::string& id, std::uint16_t what) {
    v1::RecordRefundRequest request;
    request.set_provider("bank");
    request.set_payment_id(absl::StrCat("id-", what % 50));
    *request.mutable_amount() = money::Of(Grant(id).payment_currency(), what);
    *request.mutable_paid_time() = time::ToTimestamp(test::Morning());
    return office_.On(id, 0, subject_, request);
  }

  absl::Status Transfer(std::uint16_t what) {
    v1::TransferBudgetRequest request;
    request.set_budget_line(kLines[what % 2]);
    request.set_to_budget_line(kLines[what / 2 % 2]);
    *request.mutable_amount() = money::Of("EUR", what);
    return office_.world().Send(request, test::By(subject_));
  }

  // Reads the ledger's rows off the events, as PostgreSQL gets them, and counts money that moved outside.
  void Post() {
    for (const engine::Emitted& emitted : office_.world().last()) {
      for (const engine::Row& row : ledger::RowsOf(*emitted.event)) {
        const auto& values = row.values;
        balances_[{*values[3], *values[4], *values[5]}] += std::stoll(*values[6]);
      }
      if (const auto* paid = dynamic_cast<const v1::InstalmentPaid*>(emitted.event.get())) {
        RC_ASSERT(ids_.insert(paid->provider() + ":" + paid->payment_id()).second);
        RC_ASSERT(paid_.insert({paid->grant_id(), paid->instalment()}).second);
        outside_[paid->payment_amount().currency()] += paid->payment_amount().minor_units();
      }
      if (const auto* back = dynamic_cast<const v1::RefundRecorded*>(emitted.event.get())) {
        RC_ASSERT(ids_.insert(back->provider() + ":" + back->payment_id()).second);
        outside_[back->payment_amount().currency()] -= back->payment_amount().minor_units();
      }
    }
  }

  std::int64_t Balance(const std::string& account, const std::string& holder) {
    return balances_[{account, holder, "EUR"}];
  }

  void CheckLines() {
    std::int64_t allotted = 0;
    for (const char* code : kLines) {
      const auto& line = office_.world().Get<v1::BudgetLine>(code);
      const std::int64_t available = line.available().minor_units();
      const std::int64_t reserved = line.reserved().minor_units();
      const std::int64_t spent = line.spent().minor_units();
      RC_ASSERT(std::min({available, reserved, spent}) >= 0);
      RC_ASSERT(available + reserved + spent == line.allotted().minor_units());
      RC_ASSERT(Balance("line_available", code) == -available);
      RC_ASSERT(Balance("line_reserved", code) == -reserved);
      RC_ASSERT(Balance("line_spent", code) == -spent);
      std::int64_t promised = 0;
      std::int64_t paid = 0;
      for (const auto* grant : office_.world().All<v1::Grant>()) {
        if (grant->budget_line() != code) continue;
        paid += grant->paid().minor_units() - grant->refunded().minor_units();
        if (grant->state() == v1::GRANT_STATE_CANCELLED) continue;
        promised += grant->amount().minor_units() - grant->paid().minor_units();
      }
      RC_ASSERT(promised == reserved);
      RC_ASSERT(paid == spent);
      allotted += line.allotted().minor_units();
    }
    RC_ASSERT(allotted == 89'000'00);
  }

  void CheckGrants() {
    std::map<std::string, std::int64_t> by_project;
    for (const auto* grant : office_.world().All<v1::Grant>()) {
      std::int64_t sum = 0;
      std::int64_t paid = 0;
      bool earlier_proven = true;
      for (const v1::Instalment& instalment : grant->instalments()) {
        sum += instalment.amount().minor_units();
        if (instalment.has_paid_time()) {
          paid += instalment.amount().minor_units();
          RC_ASSERT(earlier_proven);
          RC_ASSERT(std::set({instalment.requested_by(), instalment.approved_by(),
                              instalment.released_by()})
                        .size() == 3);
        }
        earlier_proven = instalment.state() == v1::INSTALMENT_STATE_PROVEN;
      }
      RC_ASSERT(sum == grant->amount().minor_units());
      RC_ASSERT(paid == grant->paid().minor_units());
      RC_ASSERT(grant->refunded().minor_units() >= 0);
      RC_ASSERT(grant->refunded().minor_units() <= grant->refund_due().minor_units());
      RC_ASSERT(grant->refund_due().minor_units() <= paid);
      by_project[grant->project_id()] += grant->state() == v1::GRANT_STATE_CANCELLED ? paid : sum;
    }
    for (const auto& [project_id, drawn] : by_project) {
      const auto& project = office_.world().Get<v1::ApprovedProject>(project_id);
      RC_ASSERT(project.granted().minor_units() == drawn);
      RC_ASSERT(drawn <= project.approved().minor_units());
    }
  }

  void CheckLedger() {
    std::map<std::string, std::int64_t> currencies;
    std::map<std::string, std::int64_t> bank;
    for (const auto& [key, balance] : balances_) {
      const auto& [account, holder, currency] = key;
      currencies[currency] += balance;
      if (account == "bank") bank[currency] -= balance;
      // Each account stays on its normal side.
      if (account == "donor_commitment" || account == "grant") RC_ASSERT(balance >= 0);
      if (account.starts_with("line_") || account == "payable") RC_ASSERT(balance <= 0);
    }
    for (const auto& [_, sum] : currencies) RC_ASSERT(sum == 0);
    for (const auto& [currency, amount] : outside_) RC_ASSERT(bank[currency] == amount);
  }

  Office office_;
  std::string subject_;
  std::vector<std::string> grants_;
  std::map<Account, std::int64_t> balances_;
  std::set<std::string> ids_;
  std::set<std::pair<std::string, int>> paid_;
  std::map<std::string, std::int64_t> outside_;
};

RC_GTEST_PROP(Conservation, NoSequenceOfCommandsMakesOrLosesMoney, ()) {
  // At full size from the first run on: short walks do not get far.
  const auto number = rc::gen::resize(100, rc::gen::inRange<std::uint16_t>(0, 65'535));
  const auto steps = *rc::gen::resize(
      400, rc::gen::container<std::vector<Step>>(rc::gen::tuple(number, number, number)));
  Books books;
  for (const Step& step : steps) {
    books.Take(step);
    books.Check();
  }
  books.Classify();
}

}  // namespace
}  // namespace sankofa::funding
