#include "services/funding/grant/grant.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/funding/budget/ledger.h"
#include "services/platform/money/money.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::funding {
namespace {

using common::v1::Money;
using google::protobuf::Timestamp;

v1::Instalment& InstalmentOf(v1::Grant& grant, int number) {
  status::Check(number >= 1 && number <= grant.instalments_size(),
                "an event on an instalment that the grant does not have");
  return *grant.mutable_instalments(number - 1);
}

// Keeps a remark; nothing where there is none to keep.
void AddNote(v1::Grant& grant, const char* on, int instalment, const Timestamp& time,
             const std::string& author, const std::string& text) {
  if (text.empty()) return;
  v1::GrantNote& note = *grant.add_notes();
  note.set_on(on);
  note.set_instalment(instalment);
  *note.mutable_written_time() = time;
  note.set_author(author);
  note.set_text(text);
}

std::optional<std::string> TimeColumn(bool present, const Timestamp& timestamp) {
  if (!present) return std::nullopt;
  return absl::FormatTime(absl::RFC3339_full, time::FromTimestamp(timestamp), absl::UTCTimeZone());
}

}  // namespace

const v1::Instalment* FindInstalment(const v1::Grant& grant, int number) {
  return number >= 1 && number <= grant.instalments_size() ? &grant.instalments(number - 1)
                                                           : nullptr;
}

void GrantDecider::Apply(State& grant, const v1::GrantReserved& event) {
  grant.set_id(event.grant_id());
  grant.set_case_id(event.case_id());
  grant.set_person_id(event.person_id());
  grant.set_project_id(event.project_id());
  grant.set_project_version(event.project_version());
  grant.set_programme(event.programme());
  grant.set_rule_set_version(event.rule_set_version());
  grant.set_level(event.level());
  grant.set_budget_line(event.budget_line());
  grant.set_kind(event.kind());
  grant.set_sector(event.sector());
  grant.set_state(v1::GRANT_STATE_RESERVED);
  *grant.mutable_amount() = event.amount();
  grant.set_payment_currency(event.payment_currency());
  grant.set_means(event.means());
  if (event.has_total_cost()) *grant.mutable_total_cost() = event.total_cost();
  *grant.mutable_instalments() = event.instalments();
  const Money zero = money::Zero(event.amount().currency());
  *grant.mutable_paid() = zero;
  *grant.mutable_refund_due() = zero;
  *grant.mutable_refunded() = zero;
  *grant.mutable_refunded_payment() = money::Zero(event.payment_currency());
  grant.set_filed_date(event.filed_date());
  *grant.mutable_reserved_time() = event.reserved_time();
  *grant.mutable_follow_up_months() = event.follow_up_months();

  Money sum = zero;
  for (v1::Instalment& instalment : *grant.mutable_instalments()) {
    instalment.set_state(v1::INSTALMENT_STATE_PLANNED);
    sum = money::Must(money::Add(sum, instalment.amount()));
  }
  status::Check(sum.minor_units() == grant.amount().minor_units(),
                "the instalments of a grant do not add up");
}

void GrantDecider::Apply(State& grant, const v1::GrantSigned& event) {
  grant.set_state(v1::GRANT_STATE_SIGNED);
  *grant.mutable_signed_time() = event.signed_time();
}

void GrantDecider::Apply(State& grant, const v1::InstalmentRequested& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_REQUESTED);
  instalment.set_requested_by(event.requested_by());
  *instalment.mutable_requested_time() = event.requested_time();
}

void GrantDecider::Apply(State& grant, const v1::InstalmentApproved& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_APPROVED);
  instalment.set_approved_by(event.approved_by());
  *instalment.mutable_approved_time() = event.approved_time();
}

void GrantDecider::Apply(State& grant, const v1::InstalmentReturned& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  // Who asked and who approved counts from the next request on; the journal keeps the rest.
  instalment.clear_requested_by();
  instalment.clear_requested_time();
  instalment.clear_approved_by();
  instalment.clear_approved_time();
  instalment.set_state(v1::INSTALMENT_STATE_PLANNED);
  AddNote(grant, "return", event.instalment(), event.returned_time(), event.returned_by(),
          event.note());
}

void GrantDecider::Apply(State& grant, const v1::InstalmentReleased& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_RELEASED);
  instalment.set_released_by(event.released_by());
  *instalment.mutable_released_time() = event.released_time();
  instalment.set_order_id(event.order_id());
  instalment.set_releases(instalment.releases() + 1);
  *instalment.mutable_payment_amount() = event.payment_amount();
  if (event.has_conversion()) *instalment.mutable_conversion() = event.conversion();
}

void GrantDecider::Apply(State& grant, const v1::InstalmentPaid& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  status::Check(instalment.state() == v1::INSTALMENT_STATE_RELEASED,
                "an instalment is paid that was not released");
  instalment.set_state(v1::INSTALMENT_STATE_PAID);
  instalment.set_provider(event.provider());
  instalment.set_payment_id(event.payment_id());
  *instalment.mutable_paid_time() = event.paid_time();
  *grant.mutable_paid() = money::Must(money::Add(grant.paid(), event.amount()));
  status::Check(grant.paid().minor_units() <= grant.amount().minor_units(),
                "more is paid than was granted");
}

void GrantDecider::Apply(State& grant, const v1::InstalmentFailed& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_FAILED);
  instalment.set_failure_code(event.failure_code());
  AddNote(grant, "fail", event.instalment(), event.failed_time(), event.recorded_by(),
          event.note());
}

void GrantDecider::Apply(State& grant, const v1::ProofSubmitted& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_PROOF_SUBMITTED);
  instalment.set_proof_reference(event.proof_reference());
  instalment.set_proof_sha256(event.proof_sha256());
  instalment.set_proof_submitted_by(event.submitted_by());
  AddNote(grant, "proof", event.instalment(), event.submitted_time(), event.submitted_by(),
          event.note());
}

void GrantDecider::Apply(State& grant, const v1::ProofRejected& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_PAID);
  AddNote(grant, "reject_proof", event.instalment(), event.rejected_time(), event.rejected_by(),
          event.note());
}

void GrantDecider::Apply(State& grant, const v1::InstalmentProven& event) {
  v1::Instalment& instalment = InstalmentOf(grant, event.instalment());
  instalment.set_state(v1::INSTALMENT_STATE_PROVEN);
  instalment.set_proof_accepted_by(event.accepted_by());
}

void GrantDecider::Apply(State& grant, const v1::GrantCompleted& event) {
  grant.set_state(v1::GRANT_STATE_COMPLETED);
  *grant.mutable_ended_time() = event.completed_time();
}

void GrantDecider::Apply(State& grant, const v1::GrantCancelled& event) {
  grant.set_state(v1::GRANT_STATE_CANCELLED);
  *grant.mutable_ended_time() = event.cancelled_time();
  *grant.mutable_refund_due() = event.refund();
  for (v1::Instalment& instalment : *grant.mutable_instalments()) {
    if (!instalment.has_paid_time()) instalment.set_state(v1::INSTALMENT_STATE_VOIDED);
  }
  AddNote(grant, "cancel", 0, event.cancelled_time(), event.cancelled_by(), event.note());
}

void GrantDecider::Apply(State& grant, const v1::RefundRecorded& event) {
  *grant.mutable_refunded() = money::Must(money::Add(grant.refunded(), event.amount()));
  *grant.mutable_refunded_payment() =
      money::Must(money::Add(grant.refunded_payment(), event.payment_amount()));
  status::Check(grant.refunded().minor_units() <= grant.refund_due().minor_units(),
                "more is paid back than was due");
}

const engine::Table& GrantDecider::ProjectTable() {
  static const engine::Table table = {
      .name = "grant_list",
      .columns = {"case_id", "project_id", "programme", "level", "budget_line", "kind", "sector",
                  "state", "instalment_states", "currency", "amount", "paid", "refund_due",
                  "refunded", "payment_currency", "reserved_time", "signed_time", "ended_time"},
      .types = {"text", "text", "text", "int", "text", "int", "text", "int", "text", "text",
                "bigint", "bigint", "bigint", "bigint", "text", "timestamptz", "timestamptz",
                "timestamptz"},
  };
  return table;
}

std::vector<engine::Row> GrantDecider::Project(const State& grant) {
  const auto units = [](const Money& amount) { return absl::StrCat(amount.minor_units()); };
  // Numbers between spaces, so that one of them is found as text: " 1 7 ".
  std::string states = " ";
  for (const v1::Instalment& instalment : grant.instalments()) {
    absl::StrAppend(&states, static_cast<int>(instalment.state()), " ");
  }
  return {{.values = {grant.case_id(), grant.project_id(), grant.programme(),
                      absl::StrCat(grant.level()), grant.budget_line(),
                      absl::StrCat(static_cast<int>(grant.kind())), grant.sector(),
                      absl::StrCat(static_cast<int>(grant.state())), states,
                      grant.amount().currency(), units(grant.amount()), units(grant.paid()),
                      units(grant.refund_due()), units(grant.refunded()), grant.payment_currency(),
                      TimeColumn(grant.has_reserved_time(), grant.reserved_time()),
                      TimeColumn(grant.has_signed_time(), grant.signed_time()),
                      TimeColumn(grant.has_ended_time(), grant.ended_time())}}};
}

const engine::Table& GrantDecider::EventTable() { return ledger::PostingTable(); }

std::vector<engine::Row> GrantDecider::ProjectEvent(const State& /*grant*/,
                                                    const google::protobuf::Message& event) {
  return ledger::RowsOf(event);
}

}  // namespace sankofa::funding
