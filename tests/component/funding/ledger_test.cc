#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "services/funding/measure.h"
#include "services/funding/queries.h"
#include "services/funding/service.h"
#include "services/platform/engine/engine.h"
#include "services/platform/postgres/store.h"
#include "services/platform/telemetry/metrics.h"
#include "tests/component/postgres/database.h"
#include "tests/unit/funding/scenario.h"

// Funding on a real PostgreSQL: what commands write is what lists, statement and trial balance read.
namespace sankofa::funding {
namespace {

using test::GoodFacts;
using test::Id;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A query of the service, without an RPC around it.
class TestCall final : public rpc::QueryCall {
 public:
  TestCall(postgres::Pool& pool, const engine::Engine& engine, engine::StoreSession& session)
      : pool_(pool), engine_(engine), session_(session) {}
  [[nodiscard]] const engine::Actor& actor() const override { return actor_; }
  [[nodiscard]] absl::Time now() const override { return absl::UnixEpoch(); }
  [[nodiscard]] absl::Time deadline() const override { return absl::InfiniteFuture(); }
  void RecordRead(const std::string& partition_key) override { read.insert(partition_key); }
  [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) override {
    auto connection = pool_.Acquire(absl::InfiniteFuture());
    if (!connection.ok()) return connection.status();
    return (*connection)->Execute(sql, params);
  }
  [[nodiscard]] std::string Blind(std::string_view /*label*/,
                                  std::string_view text) const override {
    return std::string(text);
  }
  [[nodiscard]] absl::Status Call(const std::string& method,
                                  const google::protobuf::Message& /*request*/,
                                  google::protobuf::Message& /*response*/) override {
    return absl::UnimplementedError(method);
  }

  std::set<std::string> read;

 protected:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key, const std::string* purpose) override {
    return engine_.Read(session_, key, purpose != nullptr);
  }

 private:
  engine::Actor actor_;
  postgres::Pool& pool_;
  const engine::Engine& engine_;
  engine::StoreSession& session_;
};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    BindCommands(registry_);
    BindQueries(queries_);
    session_ = *store_.Open(absl::InfiniteFuture());
    OpenOffice();
  }

  template <class Request>
  absl::Status TrySend(Request request, const std::string& subject = "manager", int person = 1) {
    request.set_request_id(engine::DerivedId(absl::StrCat("request-", ++requests_)));
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor.subject = subject;
    call.now = now_ += absl::Seconds(1);
    call.facts = GoodFacts(person);
    auto outcome = engine_.Execute(*session_, std::vector{call}).front();
    if (outcome.ok()) answer_ = *outcome;
    return outcome.status();
  }
  template <class Request>
  void Send(Request request, const std::string& subject = "manager", int person = 1) {
    const absl::Status status = TrySend(std::move(request), subject, person);
    ASSERT_TRUE(status.ok()) << status;
  }

  void OpenOffice() {
    v1::RecordAgreementRequest agreement;
    agreement.set_agreement("ofii-minrex");
    agreement.set_funder("ofii");
    agreement.add_host_countries("FR");
    agreement.add_origin_countries("CM");
    agreement.add_origin_countries("TG");
    *agreement.mutable_committed() = money::Of("EUR", 100'000'00);
    agreement.set_valid_from("2015-01-01");
    agreement.set_valid_until("2019-12-31");
    Send(agreement);
    OpenLine("cm-2017");
    v1::LoadProgrammeRequest programme;
    programme.set_programme("ofii-cm-2017");
    programme.set_yaml(test::ReadFile("tests/data/programmes/ofii-cm-2017.yaml"));
    Send(programme);
  }
  void OpenLine(const std::string& code) {
    v1::OpenBudgetLineRequest line;
    line.set_budget_line(code);
    line.set_agreement("ofii-minrex");
    *line.mutable_amount() = money::Of("EUR", 20'000'00);
    line.add_programmes("ofii-cm-2017");
    Send(line);
  }

  // A reserved grant of person `number`, to be paid in francs.
  std::string Reserve(int number, std::int64_t cents) {
    v1::NoteCaseRequest file;
    file.set_case_id(Id("case", number));
    file.set_person_id(Id("person", number));
    file.set_programme("ofii-cm-2017");
    file.set_host_country("FR");
    file.set_origin_country("CM");
    Send(file);
    v1::NoteApprovalRequest approval;
    approval.set_project_id(Id("project", number));
    approval.set_case_id(Id("case", number));
    approval.set_version(1);
    *approval.mutable_approved() = money::Of("EUR", cents);
    approval.set_kind(v1::PROJECT_KIND_BUSINESS_CREATION);
    approval.set_programme("ofii-cm-2017");
    Send(approval);
    auto request = test::ReserveRequest(cents, number);
    request.set_payment_currency("XAF");
    Send(request, "manager", number);
    return static_cast<const v1::Grant&>(*answer_).id();
  }
  template <class Request>
  Request On(const std::string& grant_id, int instalment = 1) {
    Request request;
    request.set_grant_id(grant_id);
    if constexpr (requires { request.set_instalment(1); }) request.set_instalment(instalment);
    return request;
  }
  // The first instalment of a reserved grant, until it is paid.
  void Pay(const std::string& grant_id, int number) {
    Send(On<v1::SignGrantRequest>(grant_id));
    Send(On<v1::RequestInstalmentRequest>(grant_id), "requester");
    Send(On<v1::ApproveInstalmentRequest>(grant_id), "approver");
    Send(On<v1::ReleaseInstalmentRequest>(grant_id), "releaser", number);
    const v1::Instalment due = static_cast<const v1::Grant&>(*answer_).instalments(0);
    auto payment = On<v1::RecordPaymentRequest>(grant_id);
    payment.set_order_id(due.order_id());
    payment.set_provider("bank");
    payment.set_payment_id(absl::StrCat("p-", number));
    *payment.mutable_amount() = due.payment_amount();
    *payment.mutable_paid_time() = time::ToTimestamp(now_);
    Send(payment, "bookkeeper");
  }

  template <class Response, class Request>
  absl::StatusOr<Response> Ask(const Request& request) {
    TestCall call(pool_, engine_, *session_);
    auto answer = queries_.handlers().at(Request::descriptor()->full_name()).unary(call, request);
    read_ = call.read;
    if (!answer.ok()) return answer.status();
    return static_cast<const Response&>(**answer);
  }
  v1::GetTrialBalanceResponse TrialBalance() {
    auto balance = Ask<v1::GetTrialBalanceResponse>(v1::GetTrialBalanceRequest());
    EXPECT_TRUE(balance.ok()) << balance.status();
    return balance.ok() ? *balance : v1::GetTrialBalanceResponse();
  }
  std::vector<std::string> GrantIds(const v1::ListGrantsRequest& request) {
    std::vector<std::string> ids;
    const auto page = Ask<v1::ListGrantsResponse>(request);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return ids;
    for (const auto& grant : page->grants()) ids.push_back(grant.id());
    return ids;
  }

  postgres::testing::Database database_{Definition().migrations};
  engine::Registry registry_;
  rpc::Queries queries_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  postgres::Pool pool_{database_.options(), 4};
  postgres::PostgresStore store_{pool_, {.schema = database_.service()}};
  engine::Engine engine_{{.node = "cm", .country = "CM", .service = "funding"}, registry_, *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  absl::Time now_ = test::Morning();
  std::shared_ptr<const google::protobuf::Message> answer_;
  int requests_ = 0;
  std::set<std::string> read_;
};

TEST_F(LedgerTest, BalancesInEveryCurrencyAndAgreesWithTheLines) {
  Pay(Reserve(1, 6'000'00), 1);
  Reserve(2, 3'000'00);
  v1::GetTrialBalanceResponse balance = TrialBalance();
  EXPECT_TRUE(balance.balanced());
  ASSERT_EQ(balance.currencies_size(), 2);
  EXPECT_EQ(balance.currencies(0).currency(), "EUR");
  EXPECT_EQ(balance.currencies(1).currency(), "XAF");
  EXPECT_EQ(balance.currencies(1).debit_minor_units(), 2'755'019);  // 4,200 EUR
  for (const auto& currency : balance.currencies()) {
    EXPECT_EQ(currency.difference_minor_units(), 0);
  }
  std::map<std::pair<std::string, int>, std::int64_t> accounts;
  for (const auto& account : balance.accounts()) {
    accounts[{account.currency(), account.account()}] = account.balance_minor_units();
  }
  using Euro = std::pair<std::string, int>;
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_DONOR_COMMITMENT)), 20'000'00);
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_LINE_AVAILABLE)), -11'000'00);
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_LINE_RESERVED)), -4'800'00);
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_LINE_SPENT)), -4'200'00);
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_GRANT)), 4'200'00);
  EXPECT_EQ(accounts.at(Euro("EUR", v1::ACCOUNT_PAYABLE)), 0);
  EXPECT_EQ(accounts.at(Euro("XAF", v1::ACCOUNT_BANK)), -2'755'019);

  v1::GetTrialBalanceRequest francs;
  francs.set_currency("XAF");
  EXPECT_EQ(Ask<v1::GetTrialBalanceResponse>(francs)->currencies_size(), 1);
}

TEST_F(LedgerTest, SaysWhatIsBroken) {
  Pay(Reserve(1, 6'000'00), 1);
  // As nothing in this service would: by hand, into the table.
  auto connection = database_.Connect();
  const auto imbalance = [](const char* currency) {
    return telemetry::GetGauge("sankofa_ledger_imbalance_minor", "", {{"currency", currency}});
  };
  ASSERT_TRUE(Measure(*connection).ok());
  EXPECT_EQ(imbalance("EUR").value(), 0);
  ASSERT_TRUE(connection
                  ->Execute("insert into posting (owner_id, batch_id, kind, posted_time, account,"
                            " holder, currency, amount) values"
                            " ('x', 'forged', 'x', now(), 'line_spent', 'cm-2017', 'EUR', 1)",
                            {})
                  .ok());
  const auto balance = TrialBalance();
  EXPECT_FALSE(balance.balanced());
  EXPECT_THAT(balance.unbalanced_batches(), ElementsAre("forged"));
  EXPECT_THAT(balance.differing_budget_lines(), ElementsAre("cm-2017"));
  // One that gives back as much elsewhere hides nothing.
  ASSERT_TRUE(connection
                  ->Execute("insert into posting (owner_id, batch_id, kind, posted_time, account,"
                            " holder, currency, amount) values"
                            " ('x', 'hidden', 'x', now(), 'bank', 'cm-2017', 'EUR', -1)",
                            {})
                  .ok());
  ASSERT_TRUE(Measure(*connection).ok());
  EXPECT_EQ(imbalance("EUR").value(), 2);
  EXPECT_EQ(imbalance("XAF").value(), 0);
}

TEST_F(LedgerTest, IsOnlyAddedTo) {
  auto connection = database_.Connect();
  EXPECT_FALSE(connection->Execute("update posting set amount = amount + 1", {}).ok());
  EXPECT_FALSE(connection->Execute("delete from posting", {}).ok());
  EXPECT_FALSE(connection->Execute("truncate posting", {}).ok());
  EXPECT_EQ(database_.Number("select count(*) from posting"), 2);
}

TEST_F(LedgerTest, StatementRunsOverItsPages) {
  Pay(Reserve(1, 6'000'00), 1);
  const std::string second = Reserve(2, 3'000'00);
  auto cancel = On<v1::CancelGrantRequest>(second);
  cancel.set_note("moved abroad");
  Send(cancel);
  OpenLine("cm-2018");
  v1::TransferBudgetRequest transfer;
  transfer.set_budget_line("cm-2017");
  transfer.set_to_budget_line("cm-2018");
  *transfer.mutable_amount() = money::Of("EUR", 1'000'00);
  Send(transfer);

  v1::GetStatementRequest request;
  request.set_budget_line("cm-2017");
  request.set_page_size(2);
  std::vector<std::string> kinds;
  std::vector<std::int64_t> available;
  int pages = 0;
  do {
    const auto page = Ask<v1::GetStatementResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& entry : page->entries()) {
      kinds.push_back(entry.kind());
      available.push_back(entry.available_after().minor_units());
      EXPECT_EQ(entry.available_after().currency(), "EUR");
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && ++pages < 10);
  EXPECT_THAT(kinds, ElementsAre("open", "reserve", "pay", "reserve", "void", "transfer"));
  EXPECT_THAT(available,
              ElementsAre(20'000'00, 14'000'00, 14'000'00, 11'000'00, 14'000'00, 13'000'00));
  request.set_budget_line("cm-2018");
  request.set_page_token("");
  EXPECT_EQ(Ask<v1::GetStatementResponse>(request)->entries_size(), 2);
  request.set_budget_line("nothing");
  EXPECT_EQ(Ask<v1::GetStatementResponse>(request).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LedgerTest, ListsGrantsNewestFirstAndByWhatWaits) {
  std::vector<std::string> grants;
  for (int number = 1; number <= 5; ++number) grants.push_back(Reserve(number, 1'000'00));
  Send(On<v1::SignGrantRequest>(grants[1]));
  Send(On<v1::RequestInstalmentRequest>(grants[1]), "requester");

  v1::ListGrantsRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  int pages = 0;
  do {
    const auto page = Ask<v1::ListGrantsResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& grant : page->grants()) listed.push_back(grant.id());
    EXPECT_EQ(static_cast<int>(read_.size()), page->grants_size());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && ++pages < 10);
  std::reverse(listed.begin(), listed.end());
  EXPECT_EQ(listed, grants);

  request = {};
  request.set_instalment_state(v1::INSTALMENT_STATE_REQUESTED);
  EXPECT_THAT(GrantIds(request), ElementsAre(grants[1]));
  request = {};
  request.set_state(v1::GRANT_STATE_SIGNED);
  EXPECT_THAT(GrantIds(request), ElementsAre(grants[1]));
  request = {};
  request.set_case_id(Id("case", 3));
  EXPECT_THAT(GrantIds(request), ElementsAre(grants[2]));
  request.set_budget_line("other");
  EXPECT_THAT(GrantIds(request), IsEmpty());
  request = {};
  request.set_programme("ofii-cm-2017");
  request.set_project_id(Id("project", 4));
  EXPECT_THAT(GrantIds(request), ElementsAre(grants[3]));

  const auto page = Ask<v1::ListGrantsResponse>(request);
  const v1::Grant& grant = page->grants(0);
  EXPECT_EQ(grant.amount().minor_units(), 1'000'00);
  EXPECT_EQ(grant.payment_currency(), "XAF");
  EXPECT_EQ(grant.kind(), v1::PROJECT_KIND_BUSINESS_CREATION);
  EXPECT_GT(grant.reserved_time().seconds(), 0);
  EXPECT_FALSE(grant.has_signed_time());
}

TEST_F(LedgerTest, ListsAgreementsProgrammesAndLines) {
  OpenLine("cm-2018");
  const auto agreements = Ask<v1::ListAgreementsResponse>(v1::ListAgreementsRequest());
  ASSERT_TRUE(agreements.ok()) << agreements.status();
  ASSERT_EQ(agreements->agreements_size(), 1);
  EXPECT_EQ(agreements->agreements(0).allocated().minor_units(), 40'000'00);
  EXPECT_THAT(agreements->agreements(0).origin_countries(), ElementsAre("CM", "TG"));
  EXPECT_EQ(agreements->agreements(0).valid_until(), "2019-12-31");
  const auto programmes = Ask<v1::ListProgrammesResponse>(v1::ListProgrammesRequest());
  ASSERT_TRUE(programmes.ok()) << programmes.status();
  EXPECT_EQ(programmes->programmes(0).scheme(), "ofii");

  v1::ListBudgetLinesRequest request;
  request.set_page_size(1);
  const auto first = Ask<v1::ListBudgetLinesResponse>(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->budget_lines_size(), 1);
  EXPECT_EQ(first->budget_lines(0).id(), "cm-2017");
  EXPECT_EQ(first->budget_lines(0).available().minor_units(), 20'000'00);
  request.set_page_token(first->next_page_token());
  const auto second = Ask<v1::ListBudgetLinesResponse>(request);
  EXPECT_EQ(second->budget_lines(0).id(), "cm-2018");
  EXPECT_EQ(second->next_page_token(), "");
  request.set_agreement("another");
  EXPECT_EQ(status::ReasonOf(Ask<v1::ListBudgetLinesResponse>(request).status()),
            "INVALID_PAGE_TOKEN");
  for (const char* token : {"' or true --", "AAAA", "\xff"}) {
    request.set_page_token(token);
    EXPECT_EQ(status::ReasonOf(Ask<v1::ListBudgetLinesResponse>(request).status()),
              "INVALID_PAGE_TOKEN");
  }
}

TEST_F(LedgerTest, RemarksAreSealedAndGoneAfterErasure) {
  const std::string grant_id = Reserve(1, 6'000'00);
  auto cancel = On<v1::CancelGrantRequest>(grant_id);
  cancel.set_note("lives with her sister in Douala");
  Send(cancel);
  EXPECT_EQ(static_cast<const v1::Grant&>(*answer_).notes_size(), 0);
  EXPECT_EQ(database_.Number(
                "select count(*) from journal where position('Douala'::bytea in payload) > 0"),
            0);
  EXPECT_EQ(database_.Number(
                "select count(*) from aggregate where position('Douala'::bytea in state) > 0"),
            0);

  v1::GetGrantRequest request;
  request.set_grant_id(grant_id);
  EXPECT_EQ(Ask<v1::Grant>(request)->notes_size(), 0);
  request.set_purpose("audit");
  const auto grant = Ask<v1::Grant>(request);
  ASSERT_TRUE(grant.ok()) << grant.status();
  ASSERT_EQ(grant->notes_size(), 1);
  EXPECT_EQ(grant->notes(0).text(), "lives with her sister in Douala");

  v1::NoteCaseErasureRequest erasure;
  erasure.set_case_id(Id("case"));
  Send(erasure);
  const auto after = Ask<v1::Grant>(request);
  EXPECT_TRUE(!after.ok() || after->notes().empty());
  EXPECT_TRUE(TrialBalance().balanced());
}

}  // namespace
}  // namespace sankofa::funding
