#include "services/funding/grant/grant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "services/funding/budget/ledger.h"
#include "services/funding/grant/known.h"
#include "tests/unit/funding/scenario.h"

namespace sankofa::funding {
namespace {

using test::By;
using test::GoodFacts;
using test::Id;
using test::Morning;
using test::Office;
using test::Reason;
using test::ReserveRequest;

// --- All states × all commands ---

constexpr int kInstalmentStates = v1::InstalmentState_ARRAYSIZE;

// A grant of one instalment, in any combination of the two states, reachable or not.
v1::Grant GrantIn(v1::GrantState state, v1::InstalmentState instalment_state) {
  v1::Grant grant;
  grant.set_id(Id("grant"));
  grant.set_case_id(Id("case"));
  grant.set_person_id(Id("person"));
  grant.set_project_id(Id("project"));
  grant.set_project_version(1);
  grant.set_programme("ofii-cm-2017");
  grant.set_rule_set_version(1);
  grant.set_level(3);
  grant.set_budget_line("cm-2017");
  grant.set_kind(v1::PROJECT_KIND_BUSINESS_CREATION);
  grant.set_state(state);
  *grant.mutable_amount() = money::Of("EUR", 1'000'00);
  grant.set_payment_currency("EUR");
  grant.set_filed_date("2017-04-01");
  v1::Instalment& instalment = *grant.add_instalments();
  instalment.set_number(1);
  *instalment.mutable_amount() = grant.amount();
  instalment.set_state(instalment_state);
  instalment.set_requested_by("requester");
  instalment.set_approved_by("approver");
  instalment.set_order_id("order");
  *instalment.mutable_payment_amount() = grant.amount();
  instalment.set_proof_submitted_by("requester");
  const bool paid = instalment_state == v1::INSTALMENT_STATE_PAID ||
                    instalment_state == v1::INSTALMENT_STATE_PROOF_SUBMITTED ||
                    instalment_state == v1::INSTALMENT_STATE_PROVEN;
  *grant.mutable_paid() = money::Of("EUR", paid ? 1'000'00 : 0);
  *grant.mutable_refund_due() = grant.paid();
  *grant.mutable_refunded() = money::Zero("EUR");
  *grant.mutable_refunded_payment() = money::Zero("EUR");
  return grant;
}

struct Command {
  const char* name;
  std::function<absl::Status(const v1::Grant&)> decide;
  // Asked in every state of the grant that is not here.
  std::set<int> grant_states;
  const char* wrong_grant_state;
  // Asked in every state of the instalment that is not here.
  std::set<int> instalment_states;
  const char* wrong_instalment_state;
};

// The decision on a request about instalment 1, made by `subject`.
template <class Request>
std::function<absl::Status(const v1::Grant&)> Deciding(std::string subject, Request request = {}) {
  return [subject, request](const v1::Grant& grant) mutable {
    static Office office;
    static const bool approved = (office.Approve(1, money::Of("EUR", 5'000'00)), true);
    static_cast<void>(approved);
    request.set_grant_id(grant.id());
    if constexpr (requires { request.set_instalment(1); }) request.set_instalment(1);
    engine::Context context = By(subject);
    context.facts = GoodFacts();
    auto& world = office.world();
    context.related[engine::KeyOf<v1::Programme>("ofii-cm-2017")] =
        &world.Get<v1::Programme>("ofii-cm-2017");
    context.related[engine::KeyOf<v1::ApprovedProject>(Id("project"))] =
        &world.Get<v1::ApprovedProject>(Id("project"));
    return GrantDecider::Decide(std::as_const(grant), std::as_const(request), context).status();
  };
}

v1::RecordPaymentRequest Payment(std::int64_t cents = 1'000'00, const char* id = "p-1") {
  v1::RecordPaymentRequest request;
  request.set_order_id("order");
  request.set_provider("bank");
  request.set_payment_id(id);
  *request.mutable_amount() = money::Of("EUR", cents);
  *request.mutable_paid_time() = time::ToTimestamp(Morning());
  return request;
}

v1::FailPaymentRequest Failure() {
  v1::FailPaymentRequest request;
  request.set_order_id("order");
  request.set_failure_code("AC04");
  return request;
}

v1::SubmitProofRequest Proof() {
  v1::SubmitProofRequest request;
  request.set_proof_reference("invoice");
  request.set_proof_sha256(std::string(64, '0'));
  return request;
}

v1::RecordRefundRequest Refund(std::int64_t cents, const char* id = "r-1",
                               const char* currency = "EUR") {
  v1::RecordRefundRequest request;
  request.set_provider("bank");
  request.set_payment_id(id);
  *request.mutable_amount() = money::Of(currency, cents);
  *request.mutable_paid_time() = time::ToTimestamp(Morning());
  return request;
}

// The rules of the state machine, a line a command.
std::vector<Command> Commands() {
  using G = v1::GrantState;
  using I = v1::InstalmentState;
  const std::set<int> reserved = {G::GRANT_STATE_RESERVED};
  const std::set<int> is_signed = {G::GRANT_STATE_SIGNED};
  const std::set<int> cancelled = {G::GRANT_STATE_CANCELLED};
  const std::set<int> live = {G::GRANT_STATE_RESERVED, G::GRANT_STATE_SIGNED};
  std::set<int> any;
  std::set<int> not_released;
  for (int state = 1; state < kInstalmentStates; ++state) {
    any.insert(state);
    if (state != I::INSTALMENT_STATE_RELEASED) not_released.insert(state);
  }
  const std::set<int> paid = {I::INSTALMENT_STATE_PAID, I::INSTALMENT_STATE_PROOF_SUBMITTED,
                              I::INSTALMENT_STATE_PROVEN};
  return {
      {"sign", Deciding<v1::SignGrantRequest>("manager"), reserved, "GRANT_NOT_RESERVED", any, ""},
      {"request",
       Deciding<v1::RequestInstalmentRequest>("requester"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_PLANNED},
       "INSTALMENT_NOT_PLANNED"},
      {"approve",
       Deciding<v1::ApproveInstalmentRequest>("approver"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_REQUESTED},
       "INSTALMENT_NOT_REQUESTED"},
      {"return",
       Deciding<v1::ReturnInstalmentRequest>("approver"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_REQUESTED, I::INSTALMENT_STATE_APPROVED, I::INSTALMENT_STATE_FAILED},
       "INSTALMENT_NOT_RETURNABLE"},
      {"release",
       Deciding<v1::ReleaseInstalmentRequest>("releaser"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_APPROVED, I::INSTALMENT_STATE_FAILED},
       "INSTALMENT_NOT_APPROVED"},
      {"pay",
       Deciding("bookkeeper", Payment()),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_RELEASED},
       "INSTALMENT_NOT_RELEASED"},
      {"fail",
       Deciding("bookkeeper", Failure()),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_RELEASED},
       "INSTALMENT_NOT_RELEASED"},
      {"submit proof",
       Deciding("requester", Proof()),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_PAID},
       "INSTALMENT_NOT_PAID"},
      {"accept proof",
       Deciding<v1::AcceptProofRequest>("approver"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_PROOF_SUBMITTED},
       "PROOF_NOT_SUBMITTED"},
      {"reject proof",
       Deciding<v1::RejectProofRequest>("approver"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_PROOF_SUBMITTED},
       "PROOF_NOT_SUBMITTED"},
      {"complete",
       Deciding<v1::CompleteGrantRequest>("manager"),
       is_signed,
       "GRANT_NOT_SIGNED",
       {I::INSTALMENT_STATE_PROVEN},
       "NOT_ALL_PROVEN"},
      {"cancel", Deciding<v1::CancelGrantRequest>("manager"), live, "GRANT_ENDED", not_released,
       "PAYMENT_IN_FLIGHT"},
      {"refund", Deciding("bookkeeper", Refund(1)), cancelled, "GRANT_NOT_CANCELLED", paid,
       "REFUND_TOO_HIGH"},
  };
}

TEST(Grant, EveryCommandInEveryState) {
  int pairs = 0;
  for (const Command& command : Commands()) {
    for (int state = 1; state < v1::GrantState_ARRAYSIZE; ++state) {
      for (int instalment = 1; instalment < kInstalmentStates; ++instalment) {
        const v1::Grant grant = GrantIn(static_cast<v1::GrantState>(state),
                                        static_cast<v1::InstalmentState>(instalment));
        const char* expected = !command.grant_states.contains(state) ? command.wrong_grant_state
                               : !command.instalment_states.contains(instalment)
                                   ? command.wrong_instalment_state
                                   : "OK";
        EXPECT_EQ(Reason(command.decide(grant)), expected)
            << command.name << " in " << v1::GrantState_Name(state) << " with "
            << v1::InstalmentState_Name(instalment);
        ++pairs;
      }
    }
  }
  EXPECT_EQ(pairs, 13 * 4 * 9);
}

TEST(Grant, NeedsAPersonForWhatAPersonAnswersFor) {
  const auto in = [](v1::InstalmentState state) { return GrantIn(v1::GRANT_STATE_SIGNED, state); };
  EXPECT_EQ(Reason(Deciding<v1::RequestInstalmentRequest>("")(in(v1::INSTALMENT_STATE_PLANNED))),
            "PERSON_REQUIRED");
  EXPECT_EQ(Reason(Deciding<v1::ApproveInstalmentRequest>("")(in(v1::INSTALMENT_STATE_REQUESTED))),
            "PERSON_REQUIRED");
  EXPECT_EQ(Reason(Deciding<v1::ReleaseInstalmentRequest>("")(in(v1::INSTALMENT_STATE_APPROVED))),
            "PERSON_REQUIRED");
  EXPECT_EQ(Reason(Deciding<v1::ReturnInstalmentRequest>("")(in(v1::INSTALMENT_STATE_APPROVED))),
            "PERSON_REQUIRED");
  EXPECT_EQ(Reason(Deciding("", Proof())(in(v1::INSTALMENT_STATE_PAID))), "PERSON_REQUIRED");
  EXPECT_EQ(Reason(Deciding<v1::AcceptProofRequest>("")(in(v1::INSTALMENT_STATE_PROOF_SUBMITTED))),
            "PERSON_REQUIRED");
  // The provider's own system may report.
  EXPECT_EQ(Reason(Deciding("", Payment())(in(v1::INSTALMENT_STATE_RELEASED))), "OK");
  EXPECT_EQ(Reason(Deciding("", Failure())(in(v1::INSTALMENT_STATE_RELEASED))), "OK");
}

TEST(Grant, TakesThreePeople) {
  const auto in = [](v1::InstalmentState state) { return GrantIn(v1::GRANT_STATE_SIGNED, state); };
  EXPECT_EQ(Reason(Deciding<v1::ApproveInstalmentRequest>("requester")(
                in(v1::INSTALMENT_STATE_REQUESTED))),
            "SAME_PERSON");
  for (const char* subject : {"requester", "approver"}) {
    for (const auto state : {v1::INSTALMENT_STATE_APPROVED, v1::INSTALMENT_STATE_FAILED}) {
      EXPECT_EQ(Reason(Deciding<v1::ReleaseInstalmentRequest>(subject)(in(state))), "SAME_PERSON");
    }
  }
  EXPECT_EQ(Reason(Deciding<v1::AcceptProofRequest>("requester")(
                in(v1::INSTALMENT_STATE_PROOF_SUBMITTED))),
            "SAME_PERSON");
}

TEST(Grant, KnowsItsInstalments) {
  const v1::Grant grant = GrantIn(v1::GRANT_STATE_SIGNED, v1::INSTALMENT_STATE_PLANNED);
  for (const int number : {0, 2, -1, 1'000'000, std::numeric_limits<int>::min()}) {
    v1::RequestInstalmentRequest request;
    request.set_instalment(number);
    EXPECT_EQ(Reason(GrantDecider::Decide(grant, request, By("requester")).status()),
              "INSTALMENT_UNKNOWN");
    v1::RecordPaymentRequest payment = Payment();
    payment.set_instalment(number);
    EXPECT_EQ(Reason(GrantDecider::Decide(grant, payment, By("bookkeeper")).status()),
              "INSTALMENT_UNKNOWN");
  }
}

TEST(Grant, WantsTheHashOfTheProof) {
  const v1::Grant grant = GrantIn(v1::GRANT_STATE_SIGNED, v1::INSTALMENT_STATE_PAID);
  for (const std::string& hash : {std::string("abc"), std::string(64, 'A'), std::string(64, 'g'),
                                  std::string(63, '0'), std::string(64, '\0')}) {
    auto proof = Proof();
    proof.set_proof_sha256(hash);
    EXPECT_EQ(Reason(Deciding("requester", proof)(grant)), "PROOF_MALFORMED") << hash;
  }
}

// --- A whole grant, through the service's own bindings ---

class Life : public ::testing::Test {
 protected:
  void Reserve(std::int64_t cents, const std::string& payment_currency = "EUR") {
    office_.Approve(1, money::Of("EUR", 7'000'00));
    auto request = ReserveRequest(cents);
    request.set_payment_currency(payment_currency);
    Office::Must(office_.Reserve(request, GoodFacts()));
    id_ = office_.grant_id();
  }
  void ReserveAndSign(std::int64_t cents, const std::string& payment_currency = "EUR") {
    Reserve(cents, payment_currency);
    Office::Must(office_.On<v1::SignGrantRequest>(id_, 1, "manager"));
  }
  void RequestAndApprove(int instalment) {
    Office::Must(office_.On<v1::RequestInstalmentRequest>(id_, instalment, "requester"));
    Office::Must(office_.On<v1::ApproveInstalmentRequest>(id_, instalment, "approver"));
  }
  void ReleaseIt(int instalment) {
    Office::Must(office_.Release(id_, instalment, "releaser", GoodFacts()));
  }
  std::string ReleaseRefused(const std::function<void(v1::GrantFacts&)>& change) {
    auto facts = GoodFacts();
    change(*facts);
    return Reason(office_.Release(id_, 1, "releaser", facts));
  }
  const v1::Grant& grant() { return office_.world().Get<v1::Grant>(id_); }
  const v1::BudgetLine& line() { return office_.world().Get<v1::BudgetLine>("cm-2017"); }

  Office office_;
  std::string id_;
};

TEST_F(Life, FromReservationToCompletion) {
  ReserveAndSign(6'000'00);
  const auto* signed_event = office_.world().Last<v1::GrantSigned>();
  ASSERT_NE(signed_event, nullptr);
  EXPECT_EQ(signed_event->case_id(), Id("case"));
  EXPECT_EQ(signed_event->kind(), v1::PROJECT_KIND_BUSINESS_CREATION);
  EXPECT_EQ(signed_event->follow_up_months_size(), 4);
  office_.PayAndProve(id_, 1, 1);
  EXPECT_EQ(line().spent().minor_units(), 4'200'00);
  EXPECT_EQ(line().reserved().minor_units(), 1'800'00);
  EXPECT_EQ(Reason(office_.On<v1::CompleteGrantRequest>(id_, 1, "manager")), "NOT_ALL_PROVEN");
  office_.PayAndProve(id_, 2, 1);
  ASSERT_EQ(Reason(office_.On<v1::CompleteGrantRequest>(id_, 1, "manager")), "OK");
  EXPECT_EQ(grant().state(), v1::GRANT_STATE_COMPLETED);
  EXPECT_EQ(grant().paid().minor_units(), 6'000'00);
  EXPECT_EQ(line().spent().minor_units(), 6'000'00);
  EXPECT_EQ(line().reserved().minor_units(), 0);
  EXPECT_EQ(office_.world().Get<v1::PersonFunding>(Id("person")).grants(0).state(),
            v1::GRANT_STATE_COMPLETED);
}

TEST_F(Life, NothingIsApprovedOrReleasedBeforeTheProofBefore) {
  ReserveAndSign(6'000'00);
  Office::Must(office_.On<v1::RequestInstalmentRequest>(id_, 2, "requester"));
  const auto approve = [&] {
    return Reason(office_.On<v1::ApproveInstalmentRequest>(id_, 2, "approver"));
  };
  EXPECT_EQ(approve(), "EARLIER_INSTALMENT_NOT_PROVEN");
  RequestAndApprove(1);
  ReleaseIt(1);
  EXPECT_EQ(approve(), "EARLIER_INSTALMENT_NOT_PROVEN");
  Office::Must(office_.Pay(id_, 1, "p-1"));
  EXPECT_EQ(approve(), "EARLIER_INSTALMENT_NOT_PROVEN");
  Office::Must(office_.SubmitProof(id_, 1, "requester"));
  EXPECT_EQ(approve(), "EARLIER_INSTALMENT_NOT_PROVEN");
  v1::RejectProofRequest reject;
  reject.set_note("not the right invoice");
  Office::Must(office_.On(id_, 1, "approver", reject));
  EXPECT_EQ(grant().instalments(0).state(), v1::INSTALMENT_STATE_PAID);
  EXPECT_EQ(approve(), "EARLIER_INSTALMENT_NOT_PROVEN");
  Office::Must(office_.SubmitProof(id_, 1, "requester"));
  Office::Must(office_.On<v1::AcceptProofRequest>(id_, 1, "approver"));
  EXPECT_EQ(approve(), "OK");
  EXPECT_EQ(grant().notes(0).text(), "not the right invoice");

  // Were it approved all the same, it would not be released.
  v1::Grant& broken = office_.world().Get<v1::Grant>(id_);
  broken.mutable_instalments(0)->set_state(v1::INSTALMENT_STATE_PAID);
  EXPECT_EQ(Reason(office_.Release(id_, 2, "releaser", GoodFacts())),
            "EARLIER_INSTALMENT_NOT_PROVEN");
}

TEST_F(Life, ReleaseLooksAtPersonAndProjectAgain) {
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_project_version(2); }), "PROJECT_CHANGED");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_approved_version(2); }), "PROJECT_CHANGED");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_project_approved(false); }), "PROJECT_CHANGED");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_project_id(""); }), "CASE_MISMATCH");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_case_id(""); }), "CASE_MISMATCH");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_person_id(Id("person", 2)); }), "CASE_MISMATCH");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_case_open(false); }), "CASE_NOT_OPEN");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_duplicate_open(true); }), "DUPLICATE_OPEN");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_erased(true); }), "PERSON_ERASED");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_return_type(v1::RETURN_TYPE_FORCED); }),
            "RETURN_TYPE_NOT_ELIGIBLE");
  EXPECT_EQ(Reason(office_.Release(id_, 1, "releaser", nullptr)), "INTERNAL");
  EXPECT_EQ(grant().instalments(0).state(), v1::INSTALMENT_STATE_APPROVED);
  EXPECT_EQ(ReleaseRefused([](auto& /*facts*/) {}), "OK");
  EXPECT_EQ(office_.world().Last<v1::InstalmentReleased>()->case_version(), 7);
  EXPECT_EQ(office_.world().Last<v1::InstalmentReleased>()->project_stream_version(), 9);
  EXPECT_LE(grant().instalments(0).order_id().size(), 35U);
}

TEST_F(Life, ReleaseKeepsToTheCeilingOfTodaysHousehold) {
  auto& programme = office_.world().Get<v1::Programme>("ofii-cm-2017");
  auto& level = *programme.mutable_rule_sets(0)->mutable_levels(2);
  level.clear_per_household();
  *level.mutable_per_adult() = money::Of("EUR", 3'000'00);
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_adults(1); }), "ABOVE_CEILING");
  EXPECT_EQ(ReleaseRefused([](auto& f) { f.set_adults(2); }), "OK");
}

TEST_F(Life, APaymentIdCountsOnce) {
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  ReleaseIt(1);
  Office::Must(office_.Pay(id_, 1, "p-1"));
  const v1::Grant once = grant();
  // The provider says it again: acknowledged, and nothing happens.
  EXPECT_EQ(Reason(office_.Pay(id_, 1, "p-1")), "OK");
  EXPECT_TRUE(office_.world().last().empty());
  EXPECT_EQ(grant().SerializeAsString(), once.SerializeAsString());
  // Another id for what is paid, and the id for another order or amount.
  EXPECT_EQ(Reason(office_.Pay(id_, 1, "p-2")), "INSTALMENT_NOT_RELEASED");
  auto other = Payment(4'200'00);
  other.set_order_id("another");
  EXPECT_EQ(Reason(office_.On(id_, 1, "bookkeeper", other)), "PAYMENT_ID_USED");
  other = Payment(4'200'01);
  other.set_order_id(grant().instalments(0).order_id());
  EXPECT_EQ(Reason(office_.On(id_, 1, "bookkeeper", other)), "PAYMENT_ID_USED");

  Office::Must(office_.SubmitProof(id_, 1, "requester"));
  Office::Must(office_.On<v1::AcceptProofRequest>(id_, 1, "approver"));
  RequestAndApprove(2);
  ReleaseIt(2);
  EXPECT_EQ(Reason(office_.Pay(id_, 2, "p-1")), "PAYMENT_ID_USED");
  // The repeat is acknowledged in any later state.
  auto repeat = Payment(4'200'00);
  repeat.set_order_id(grant().instalments(0).order_id());
  EXPECT_EQ(Reason(office_.On(id_, 1, "bookkeeper", repeat)), "OK");
  EXPECT_EQ(Reason(office_.Pay(id_, 2, "p-2")), "OK");
}

TEST_F(Life, APaymentIsTheOneThatWasOrdered) {
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  ReleaseIt(1);
  const auto pay = [&](auto change) {
    auto request = Payment(4'200'00);
    request.set_order_id(grant().instalments(0).order_id());
    change(request);
    return Reason(office_.On(id_, 1, "bookkeeper", request));
  };
  EXPECT_EQ(pay([](auto& r) { r.set_order_id("forged"); }), "ORDER_NOT_CURRENT");
  EXPECT_EQ(pay([](auto& r) { r.mutable_amount()->set_minor_units(4'200'01); }),
            "PAYMENT_AMOUNT_MISMATCH");
  EXPECT_EQ(pay([](auto& r) { r.mutable_amount()->set_currency("XAF"); }),
            "PAYMENT_AMOUNT_MISMATCH");
  EXPECT_EQ(pay([](auto& r) {
              *r.mutable_paid_time() = time::ToTimestamp(Morning() - absl::Seconds(1));
            }),
            "PAYMENT_TIME");
  for (const char* id : {"", " ", "p 1", "p\n1", "p;drop", "p\xc3\xa9", "p'1"}) {
    EXPECT_EQ(pay([&](auto& r) { r.set_payment_id(id); }), "PAYMENT_ID_MALFORMED") << id;
  }
  EXPECT_EQ(pay([](auto& /*request*/) {}), "OK");
}

TEST_F(Life, AFailedPaymentIsReleasedAgainUnderANewOrder) {
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  ReleaseIt(1);
  const std::string first = grant().instalments(0).order_id();
  auto failure = Failure();
  failure.set_order_id(first);
  failure.set_note("the account is closed");
  Office::Must(office_.On(id_, 1, "bookkeeper", failure));
  EXPECT_EQ(grant().instalments(0).state(), v1::INSTALMENT_STATE_FAILED);
  EXPECT_EQ(line().reserved().minor_units(), 6'000'00);
  EXPECT_EQ(Reason(office_.Pay(id_, 1, "p-1")), "INSTALMENT_NOT_RELEASED");
  ReleaseIt(1);
  EXPECT_NE(grant().instalments(0).order_id(), first);
  EXPECT_EQ(grant().instalments(0).releases(), 2);
  EXPECT_EQ(Reason(office_.On(id_, 1, "bookkeeper", failure)), "ORDER_NOT_CURRENT");
  EXPECT_EQ(Reason(office_.Pay(id_, 1, "p-1")), "OK");
}

TEST_F(Life, WhatIsSentBackTakesThreePeopleAgain) {
  ReserveAndSign(6'000'00);
  RequestAndApprove(1);
  v1::ReturnInstalmentRequest request;
  request.set_note("quote missing");
  Office::Must(office_.On(id_, 1, "releaser", request));
  EXPECT_EQ(grant().instalments(0).state(), v1::INSTALMENT_STATE_PLANNED);
  Office::Must(office_.On<v1::RequestInstalmentRequest>(id_, 1, "approver"));
  EXPECT_EQ(Reason(office_.On<v1::ApproveInstalmentRequest>(id_, 1, "approver")), "SAME_PERSON");
  Office::Must(office_.On<v1::ApproveInstalmentRequest>(id_, 1, "requester"));
  EXPECT_EQ(Reason(office_.Release(id_, 1, "approver", GoodFacts())), "SAME_PERSON");
  ReleaseIt(1);
}

TEST_F(Life, CancellationGivesBackWhatWasNotPaid) {
  ReserveAndSign(6'000'00);
  office_.PayAndProve(id_, 1, 1);
  RequestAndApprove(2);
  ReleaseIt(2);
  v1::CancelGrantRequest request;
  request.set_note("moved abroad");
  EXPECT_EQ(Reason(office_.On(id_, 1, "manager", request)), "PAYMENT_IN_FLIGHT");
  auto failure = Failure();
  failure.set_order_id(grant().instalments(1).order_id());
  Office::Must(office_.On(id_, 2, "bookkeeper", failure));

  const auto cancel = [&](const common::v1::Money& refund) {
    *request.mutable_refund() = refund;
    return Reason(office_.On(id_, 1, "manager", request));
  };
  EXPECT_EQ(cancel(money::Of("EUR", 4'200'01)), "REFUND_TOO_HIGH");
  EXPECT_EQ(cancel(money::Of("EUR", -1)), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(cancel(money::Of("XAF", 1)), "CURRENCY_MISMATCH");
  EXPECT_EQ(cancel(money::Of("EUR", 1'000'00)), "OK");
  EXPECT_EQ(grant().instalments(0).state(), v1::INSTALMENT_STATE_PROVEN);
  EXPECT_EQ(grant().instalments(1).state(), v1::INSTALMENT_STATE_VOIDED);
  EXPECT_EQ(line().reserved().minor_units(), 0);
  EXPECT_EQ(line().spent().minor_units(), 4'200'00);
  EXPECT_EQ(office_.world().Get<v1::ApprovedProject>(Id("project")).granted().minor_units(),
            4'200'00);
  EXPECT_EQ(office_.world().Get<v1::PersonFunding>(Id("person")).grants(0).amount().minor_units(),
            4'200'00);

  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(1'000'01))), "REFUND_TOO_HIGH");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(0))), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(-5))), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(5, "r-1", "XAF"))), "CURRENCY_MISMATCH");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(400'00, "pay-1-1"))), "PAYMENT_ID_USED");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(400'00))), "OK");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(400'00))), "OK");
  EXPECT_TRUE(office_.world().last().empty());
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(600'01, "r-2"))), "REFUND_TOO_HIGH");
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(600'00, "r-2"))), "OK");
  EXPECT_EQ(grant().refunded().minor_units(), 1'000'00);
  EXPECT_EQ(line().spent().minor_units(), 3'200'00);
  EXPECT_EQ(line().available().minor_units(), 80'000'00 - 3'200'00);
}

TEST_F(Life, ACancelledGrantOfWhichNothingWasPaidLeavesNoTrace) {
  Reserve(6'000'00);
  v1::CancelGrantRequest request;
  request.set_note("changed her mind");
  ASSERT_EQ(Reason(office_.On(id_, 1, "manager", request)), "OK");
  EXPECT_EQ(line().available().minor_units(), 80'000'00);
  EXPECT_EQ(Reason(office_.Reserve(ReserveRequest(6'000'00), GoodFacts())), "OK");
}

TEST_F(Life, PaysInFrancsWithRateAndRoundingOnTheRecord) {
  ReserveAndSign(6'000'05, "XAF");
  RequestAndApprove(1);
  ReleaseIt(1);
  const v1::Instalment& due = grant().instalments(0);
  // 70 % of 6,000.05 EUR = 4,200.04 EUR (3.5 cents rounded to the larger remainder) = 2,755,045.63828 francs.
  EXPECT_EQ(due.amount().minor_units(), 4'200'04);
  EXPECT_EQ(due.payment_amount().minor_units(), 2'755'046);
  EXPECT_EQ(due.payment_amount().currency(), "XAF");
  EXPECT_EQ(due.conversion().rate(), "655.957");
  EXPECT_EQ(due.conversion().source().minor_units(), 4'200'04);
  EXPECT_EQ(due.conversion().rounding_numerator(), 36'172);
  EXPECT_EQ(due.conversion().rounding_denominator(), 100'000);
  ASSERT_EQ(Reason(office_.Pay(id_, 1, "p-1")), "OK");
  const auto& batch = office_.world().Last<v1::InstalmentPaid>()->batch();
  EXPECT_TRUE(ledger::Balances(batch));
  EXPECT_EQ(batch.postings_size(), 6);
  EXPECT_EQ(line().spent().minor_units(), 4'200'04);
}

TEST_F(Life, SmallRefundsInFrancsLoseNothingToRounding) {
  ReserveAndSign(1'000'00, "XAF");
  RequestAndApprove(1);
  ReleaseIt(1);
  Office::Must(office_.Pay(id_, 1, "p-1"));
  v1::CancelGrantRequest request;
  request.set_note("refund");
  *request.mutable_refund() = money::Of("EUR", 1'00);  // 656 francs
  Office::Must(office_.On(id_, 1, "manager", request));
  for (int i = 0; i < 656; ++i) {
    ASSERT_EQ(
        Reason(office_.On(id_, 0, "bookkeeper", Refund(1, absl::StrCat("r-", i).c_str(), "XAF"))),
        "OK");
    ASSERT_TRUE(ledger::Balances(office_.world().Last<v1::RefundRecorded>()->batch()));
  }
  EXPECT_EQ(grant().refunded().minor_units(), 1'00);
  EXPECT_EQ(grant().refunded_payment().minor_units(), 656);
  EXPECT_EQ(Reason(office_.On(id_, 0, "bookkeeper", Refund(1, "r-last", "XAF"))),
            "REFUND_TOO_HIGH");
}

TEST_F(Life, ListsItsInstalmentStatesForTheQueueOfApprovers) {
  ReserveAndSign(6'000'00);
  Office::Must(office_.On<v1::RequestInstalmentRequest>(id_, 1, "requester"));
  const auto rows = GrantDecider::Project(grant());
  ASSERT_EQ(rows.size(), 1U);
  ASSERT_EQ(rows[0].values.size(), GrantDecider::ProjectTable().columns.size());
  ASSERT_EQ(rows[0].values.size(), GrantDecider::ProjectTable().types.size());
  EXPECT_EQ(*rows[0].values[8], " 2 1 ");
}

}  // namespace
}  // namespace sankofa::funding
