#include "services/registration/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/ascii.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "services/platform/crypto/sign.h"
#include "services/platform/engine/engine.h"
#include "services/platform/postgres/store.h"
#include "services/platform/time/time.h"
#include "services/registration/service.h"
#include "tests/component/postgres/database.h"
#include "tests/unit/registration/fixture.h"

// Reads over the typed columns that commands fill, on a real PostgreSQL.
namespace sankofa::registration {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A query of the service, without an RPC around it.
class TestCall final : public rpc::QueryCall {
 public:
  TestCall(postgres::Pool& pool, const engine::Engine& engine, engine::StoreSession& session,
           const crypto::Vault& vault)
      : pool_(pool), engine_(engine), session_(session), vault_(vault) {}

  [[nodiscard]] const engine::Actor& actor() const override { return who; }
  [[nodiscard]] absl::Time now() const override { return Morning(); }
  [[nodiscard]] absl::Time deadline() const override { return absl::InfiniteFuture(); }
  void RecordRead(const std::string& partition_key) override { read.insert(partition_key); }
  [[nodiscard]] absl::StatusOr<postgres::Result> Sql(
      const std::string& sql, const std::vector<postgres::Param>& params) override {
    auto connection = pool_.Acquire(absl::InfiniteFuture());
    if (!connection.ok()) return connection.status();
    return (*connection)->Execute(sql, params);
  }
  [[nodiscard]] std::string Blind(std::string_view label, std::string_view text) const override {
    return vault_.Blind(label, text);
  }
  [[nodiscard]] absl::Status Call(const std::string& method, const google::protobuf::Message&,
                                  google::protobuf::Message&) override {
    return absl::UnimplementedError(method);
  }

  engine::Actor who;
  std::set<std::string> read;           // partition keys on the trail
  std::set<std::string> read_personal;  // ids read with personal fields
  std::string purpose;

 protected:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<google::protobuf::Message>> LoadState(
      const engine::StreamKey& key, const std::string* why) override {
    read.insert(key.id);
    if (why != nullptr) {
      read_personal.insert(key.id);
      purpose = *why;
    }
    return engine_.Read(session_, key, why != nullptr);
  }

 private:
  postgres::Pool& pool_;
  const engine::Engine& engine_;
  engine::StoreSession& session_;
  const crypto::Vault& vault_;
};

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() {
    BindCommands(registry_, [this](std::string_view label, std::string_view text) {
      return vault_->Blind(label, text);
    });
    BindQueries(queries_);
    session_ = *store_.Open(absl::InfiniteFuture());
    call_.emplace(pool_, engine_, *session_, *vault_);
    call_->who = {
        .subject = "user", .organisation = "agency", .roles = {"case_officer"}, .system = ""};
  }

  template <class Request>
  absl::StatusOr<std::string> Try(
      Request request, absl::Time now = Morning(),
      std::shared_ptr<const google::protobuf::Message> facts = nullptr) {
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = call_->who;
    call.now = now;
    call.facts = std::move(facts);
    auto outcome = engine_.Execute(*session_, std::vector{call}).front();
    if (!outcome.ok()) return outcome.status();
    const auto& answer = **outcome;
    return answer.GetReflection()->GetString(answer, answer.GetDescriptor()->FindFieldByName("id"));
  }
  template <class Request>
  std::string Must(const Request& request, absl::Time now = Morning()) {
    auto id = Try(request, now);
    EXPECT_TRUE(id.ok()) << id.status();
    return id.ok() ? *id : std::string();
  }

  std::string Register(const v1::PersonDetails& details) {
    v1::RegisterPersonRequest request;
    *request.mutable_details() = details;
    return Must(request);
  }
  std::string Open(const std::string& person, const std::string& programme = "ofii-cm-2017",
                   absl::Time now = Morning()) {
    v1::RegisterCaseRequest request;
    request.set_person_id(person);
    *request.mutable_header() = Header();
    request.mutable_header()->set_programme(programme);
    return Must(request, now);
  }

  template <class Response, class Request>
  absl::StatusOr<Response> Ask(const Request& request) {
    call_->read.clear();
    call_->read_personal.clear();
    auto answer = queries_.handlers().at(Request::descriptor()->full_name()).unary(*call_, request);
    if (!answer.ok()) return answer.status();
    return static_cast<const Response&>(**answer);
  }

  std::vector<std::string> Found(const v1::SearchPersonsRequest& request) {
    std::vector<std::string> ids;
    const auto page = Ask<v1::SearchPersonsResponse>(request);
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) {
      for (const auto& person : page->persons()) ids.push_back(person.id());
    }
    return ids;
  }
  std::vector<std::string> FoundByName(const std::string& name) {
    v1::SearchPersonsRequest request;
    request.set_purpose(v1::READ_PURPOSE_IDENTIFICATION);
    request.set_name(name);
    return Found(request);
  }
  std::vector<std::string> Listed(const v1::ListCasesRequest& request) {
    std::vector<std::string> ids;
    const auto page = Ask<v1::ListCasesResponse>(request);
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) {
      for (const auto& one : page->cases()) ids.push_back(one.case_id());
    }
    return ids;
  }

  // Tells of a partner that runs a node.
  void Meet(const std::string& partner) {
    v1::NotePartnerRequest request;
    request.set_partner_id(partner);
    request.set_runs_node(true);
    request.set_active(true);
    Must(request);
  }
  // A case of FR arrives here, submitted, with these details disclosed. The person made for it.
  std::string Receive(const std::string& case_id, const v1::PersonDetails& details) {
    auto facts = std::make_shared<exchange::v1::ReceivedDisclosure>();
    auto& disclosure = *facts->add_disclosures();
    disclosure.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
    *disclosure.mutable_person()->mutable_details() = details;
    v1::ReceiveCaseRequest request;
    request.set_case_id(case_id);
    request.set_sender("fr");
    request.add_purposes(v1::CONSENT_PURPOSE_REINTEGRATION);
    auto& told = *request.mutable_registered();
    told.set_case_id(case_id);
    told.set_origin_country("CM");
    told.set_host_country("FR");
    told.set_programme("ofii-cm-2017");
    told.set_partner("cm");
    *told.mutable_registered_time() = time::ToTimestamp(Morning());
    auto person = Try(request, Morning(), facts);
    EXPECT_TRUE(person.ok()) << person.status();
    v1::ReceiveCaseFactRequest submitted;
    submitted.set_case_id(case_id);
    submitted.set_sender("fr");
    submitted.mutable_submitted()->set_case_id(case_id);
    submitted.mutable_submitted()->set_submission(1);
    Must(submitted);
    return person.ok() ? *person : std::string();
  }

  // A case opened here that FR has accepted.
  std::string OwnAccepted() {
    v1::RegisterCaseRequest open;
    open.set_person_id(Register(Adult()));
    *open.mutable_header() = Header();
    open.mutable_header()->set_partner("fr");
    const std::string case_id = Must(open);
    auto consent = Consent(case_id);
    consent.set_partner("fr");
    Must(consent);
    Must(ForCase<v1::SubmitCaseRequest>(case_id));
    v1::ReceiveCaseFactRequest accepted;
    accepted.set_case_id(case_id);
    accepted.set_sender("fr");
    accepted.mutable_accepted()->set_case_id(case_id);
    accepted.mutable_accepted()->set_submission(1);
    Must(accepted);
    return case_id;
  }

  postgres::testing::Database database_{Definition().migrations};
  engine::Registry registry_;
  rpc::Queries queries_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  postgres::Pool pool_{database_.options(), 4};
  postgres::PostgresStore store_{pool_, {.schema = database_.service()}};
  engine::Engine engine_{{.node = "cm",
                          .country = "CM",
                          .service = "registration",
                          .signer = *crypto::Signer::FromSeed(std::string(32, 's'))},
                         registry_,
                         *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  std::optional<TestCall> call_;
};

TEST_F(QueriesTest, PersonsAreFoundByWordsOfTheirNamesAndByDocument) {
  auto details = Adult("Élodie Marthe", "NGO-TEST");
  AddDocument(details, "No 12-A");
  const std::string elodie = Register(details);
  const std::string other = Register(Adult("Elodie", "OTHER-TEST"));

  EXPECT_THAT(FoundByName("elodie"), UnorderedElementsAre(elodie, other));
  EXPECT_EQ(call_->read_personal, (std::set<std::string>{elodie, other}));
  EXPECT_EQ(call_->purpose, "READ_PURPOSE_IDENTIFICATION");
  EXPECT_THAT(FoundByName("TEST, élodie marthe"), ElementsAre(elodie));
  EXPECT_THAT(FoundByName("elodie elodie"), UnorderedElementsAre(elodie, other));
  EXPECT_THAT(FoundByName("elod"), IsEmpty());
  EXPECT_THAT(FoundByName("' or 1=1 --"), IsEmpty());

  v1::SearchPersonsRequest request;
  request.set_purpose(v1::READ_PURPOSE_IDENTIFICATION);
  request.mutable_document()->set_country("CM");
  request.mutable_document()->set_type(v1::DOCUMENT_TYPE_PASSPORT);
  request.mutable_document()->set_number("no12a");
  EXPECT_THAT(Found(request), ElementsAre(elodie));
  request.set_name("other");
  EXPECT_THAT(Found(request), IsEmpty());
  request.Clear();
  request.set_name(" - ");
  EXPECT_EQ(Reason(Ask<v1::SearchPersonsResponse>(request).status()), "SEARCH_EMPTY");
}

TEST_F(QueriesTest, APersonInAListShowsWhatTellsThemApartOnly) {
  Register(Adult());
  v1::SearchPersonsRequest request;
  request.set_name("ngo");
  const auto page = Ask<v1::SearchPersonsResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->persons_size(), 1);
  EXPECT_EQ(page->persons(0).details().birth_date(), "1985-03-12");
  EXPECT_EQ(page->persons(0).details().phones_size(), 0);
}

TEST_F(QueriesTest, SearchPagesAreWholeAndTheirTokensHoldNoName) {
  std::set<std::string> registered;
  for (int i = 0; i < 5; ++i)
    registered.insert(
        Register(Adult("Marie", "TEST-" + std::string(1, static_cast<char>('a' + i)))));
  v1::SearchPersonsRequest request;
  request.set_name("Marie");
  request.set_page_size(2);
  std::set<std::string> seen;
  std::string token;
  do {
    request.set_page_token(token);
    const auto page = Ask<v1::SearchPersonsResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& person : page->persons()) EXPECT_TRUE(seen.insert(person.id()).second);
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_EQ(seen, registered);

  request.set_page_token("");
  const std::string first = Ask<v1::SearchPersonsResponse>(request)->next_page_token();
  request.set_page_token(first);
  request.set_name("Paul");
  EXPECT_EQ(Reason(Ask<v1::SearchPersonsResponse>(request).status()), "INVALID_PAGE_TOKEN");
  request.set_page_token("garbage!");
  EXPECT_EQ(Reason(Ask<v1::SearchPersonsResponse>(request).status()), "INVALID_PAGE_TOKEN");
}

TEST_F(QueriesTest, AnErasedPersonIsNotFound) {
  const std::string id = Register(Adult());
  v1::ErasePersonRequest erase;
  erase.set_person_id(id);
  erase.set_basis(v1::ERASURE_BASIS_REQUEST);
  Must(erase);
  EXPECT_THAT(FoundByName("ngo"), IsEmpty());
  EXPECT_EQ(database_.Number("select count(*) from person_key"), 0);
  v1::GetPersonRequest get;
  get.set_person_id(id);
  get.set_purpose(v1::READ_PURPOSE_INCIDENT);
  const auto person = Ask<v1::Person>(get);
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->state(), v1::PERSON_STATE_ERASED);
  EXPECT_FALSE(person->has_details());
}

TEST_F(QueriesTest, CasesAreListedNewestFirstAndFiltered) {
  const std::string old = Open(Register(Adult("A", "TEST")), "eurp", Days(-30));
  const std::string middle = Open(Register(Adult("B", "TEST")), "ofii-cm-2017", Days(-1));
  const std::string recent = Open(Register(Adult("C", "TEST")));
  v1::ListCasesRequest request;
  EXPECT_THAT(Listed(request), ElementsAre(recent, middle, old));
  EXPECT_EQ(call_->read, (std::set<std::string>{recent, middle, old}));

  request.set_programme("eurp");
  EXPECT_THAT(Listed(request), ElementsAre(old));
  request.Clear();
  request.set_registered_from("2017-06-29");
  request.set_registered_until("2017-06-29");
  EXPECT_THAT(Listed(request), ElementsAre(middle));
  request.set_registered_until("2017-06-28");
  EXPECT_EQ(Reason(Ask<v1::ListCasesResponse>(request).status()), "DATE_RANGE");

  request.Clear();
  v1::CloseCaseRequest close;
  close.set_case_id(middle);
  close.set_reason(v1::CLOSE_REASON_WITHDRAWN);
  Must(close);
  request.add_states(v1::CASE_STATE_CLOSED);
  EXPECT_THAT(Listed(request), ElementsAre(middle));
  request.add_states(v1::CASE_STATE_REGISTERED);
  EXPECT_THAT(Listed(request), ElementsAre(recent, middle, old));

  v1::GetCaseRequest get;
  get.set_case_id(recent);
  const std::string reference = Ask<v1::Case>(get)->reference();
  request.Clear();
  for (const std::string& given : {reference, absl::AsciiStrToLower(reference)}) {
    request.set_reference(given);
    EXPECT_THAT(Listed(request), ElementsAre(recent));
  }
  request.set_reference("CM-2017");
  EXPECT_EQ(Listed(request).size(), 3U);
  for (const char* none : {"%", "TG-", "CM_2017", "é"}) {
    request.set_reference(none);
    EXPECT_THAT(Listed(request), IsEmpty()) << none;
  }
}

TEST_F(QueriesTest, PagesOfCasesAreStableWhileOthersAreRegistered) {
  std::vector<std::string> opened;
  for (int i = 0; i < 5; ++i) {
    opened.push_back(Open(Register(Adult("P" + std::to_string(i), "TEST")), "p",
                          Morning() + absl::Seconds(i / 2)));
  }
  v1::ListCasesRequest request;
  request.set_page_size(2);
  auto page = Ask<v1::ListCasesResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  std::vector<std::string> listed;
  for (const auto& one : page->cases()) listed.push_back(one.case_id());
  Open(Register(Adult("New", "TEST")), "p", Days(1));
  while (!page->next_page_token().empty()) {
    request.set_page_token(page->next_page_token());
    page = Ask<v1::ListCasesResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& one : page->cases()) listed.push_back(one.case_id());
  }
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(opened));
  request.set_programme("p");
  EXPECT_EQ(Reason(Ask<v1::ListCasesResponse>(request).status()), "INVALID_PAGE_TOKEN")
      << "a token of another query";
  request.set_page_token("AAAA");
  EXPECT_EQ(Reason(Ask<v1::ListCasesResponse>(request).status()), "INVALID_PAGE_TOKEN");
}

TEST_F(QueriesTest, EligibilitySeesASuspicionFromBothSidesAtOnce) {
  const std::string first = Register(Adult());
  const std::string first_case = Open(first);
  v1::CheckEligibilityRequest request;
  request.set_case_id(first_case);
  auto answer = Ask<v1::CheckEligibilityResponse>(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->duplicate_open());
  EXPECT_EQ(answer->version(), 1);
  EXPECT_EQ(answer->age_years(), 32);

  const std::string second = Register(Adult());
  answer = Ask<v1::CheckEligibilityResponse>(request);
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->duplicate_open()) << "the first person's own state does not know yet";
  v1::ResolveDuplicateRequest resolve;
  resolve.set_person_id(second);
  resolve.set_other_person_id(first);
  resolve.set_verdict(v1::DUPLICATE_VERDICT_SAME_PERSON);
  Must(resolve);
  EXPECT_FALSE(Ask<v1::CheckEligibilityResponse>(request)->duplicate_open());
}

TEST_F(QueriesTest, DisclosureReadsNothingPersonalWithoutConsent) {
  const std::string person = Register(Adult());
  const std::string case_id = Open(person);
  v1::GetDisclosureRequest request;
  request.set_case_id(case_id);
  request.set_partner("ofii");
  request.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  EXPECT_EQ(Reason(Ask<v1::Disclosure>(request).status()), "NO_VALID_CONSENT");
  EXPECT_THAT(call_->read_personal, IsEmpty());
  Must(Consent(case_id));
  const auto disclosure = Ask<v1::Disclosure>(request);
  ASSERT_TRUE(disclosure.ok()) << disclosure.status();
  EXPECT_THAT(disclosure->person().details().phones(), ElementsAre("+237690000001"));
  EXPECT_THAT(disclosure->person().details().given_names(), IsEmpty());
  EXPECT_EQ(call_->read_personal, (std::set<std::string>{person, case_id}));
  EXPECT_EQ(call_->purpose, "disclosure to ofii: CONSENT_PURPOSE_REINTEGRATION");

  v1::ErasePersonRequest erase;
  erase.set_person_id(person);
  erase.set_basis(v1::ERASURE_BASIS_ORDER);
  erase.set_reason("order");
  Must(erase);
  EXPECT_EQ(Reason(Ask<v1::Disclosure>(request).status()), "CASE_ERASED");
  v1::CheckEligibilityRequest check;
  check.set_case_id(case_id);
  EXPECT_TRUE(Ask<v1::CheckEligibilityResponse>(check)->erased());
}

TEST_F(QueriesTest, ReferralsAreShownToThoseConcerned) {
  const std::string case_id = Open(Register(Adult()));
  auto consent = Consent(case_id);
  consent.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  consent.set_partner("clinic");
  Must(consent);
  v1::SendReferralRequest send;
  send.set_case_id(case_id);
  send.set_to_organisation("clinic");
  send.set_need(v1::NEED_HEALTH);
  send.set_reason("needs a check-up");
  *send.mutable_answer_due_time() = time::ToTimestamp(Days(3));
  const std::string id = Must(send);

  v1::ListReferralsRequest sent;
  v1::ListReferralsRequest received;
  received.set_received(true);
  EXPECT_EQ(Ask<v1::ListReferralsResponse>(sent)->referrals_size(), 1);
  EXPECT_EQ(Ask<v1::ListReferralsResponse>(received)->referrals_size(), 0);
  v1::GetReferralRequest get;
  get.set_referral_id(id);
  get.set_purpose(v1::READ_PURPOSE_CASE_WORK);
  EXPECT_EQ(Ask<v1::Referral>(get)->reason(), "needs a check-up");

  call_->who.organisation = "clinic";
  EXPECT_EQ(Ask<v1::ListReferralsResponse>(received)->referrals(0).referral_id(), id);
  received.set_state(v1::REFERRAL_STATE_DONE);
  EXPECT_EQ(Ask<v1::ListReferralsResponse>(received)->referrals_size(), 0);
  EXPECT_EQ(Ask<v1::Referral>(get)->need(), v1::NEED_HEALTH);

  call_->who.organisation = "bank";
  EXPECT_EQ(Reason(Ask<v1::Referral>(get).status()), "NOT_ALLOWED");
  EXPECT_THAT(call_->read_personal, IsEmpty());
}

// --- Across borders ---

TEST_F(QueriesTest, APartnersCaseIsFoundLikeAnyOther) {
  auto details = Adult();
  AddDocument(details, "CM-12");
  const std::string own = Register(details);
  const std::string case_id = test::NextRequestId();
  v1::PersonDetails part;
  *part.add_documents() = details.documents(0);
  part.set_family_names("Test-Abroad");
  const std::string person = Receive(case_id, part);
  EXPECT_THAT(FoundByName("abroad"), ElementsAre(person));
  v1::ListCasesRequest list;
  EXPECT_THAT(Listed(list), ElementsAre(case_id));
  v1::CheckEligibilityRequest check;
  check.set_case_id(case_id);
  const auto eligibility = Ask<v1::CheckEligibilityResponse>(check);
  ASSERT_TRUE(eligibility.ok()) << eligibility.status();
  EXPECT_TRUE(eligibility->duplicate_open()) << "the document is known here";
  EXPECT_TRUE(eligibility->consent_valid());
  // What came from FR goes back to FR, with nothing personal, and to nobody else.
  v1::GetDisclosureRequest disclosure;
  disclosure.set_case_id(case_id);
  disclosure.set_partner("fr");
  disclosure.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  const auto disclosed = Ask<v1::Disclosure>(disclosure);
  ASSERT_TRUE(disclosed.ok()) << disclosed.status();
  EXPECT_THAT(disclosed->scopes(), IsEmpty());
  EXPECT_FALSE(disclosed->person().has_details());
  disclosure.set_partner("eu");
  EXPECT_EQ(Reason(Ask<v1::Disclosure>(disclosure).status()), "NO_VALID_CONSENT");

  // FR asks to erase: it can't be found or read any more; the own record stays.
  v1::ErasePartnerDataRequest erase;
  erase.set_case_id(case_id);
  erase.set_sender("fr");
  erase.set_erasure_id("erasure");
  Must(erase);
  EXPECT_THAT(FoundByName("abroad"), IsEmpty());
  v1::GetPersonRequest get;
  get.set_person_id(person);
  get.set_purpose(v1::READ_PURPOSE_CASE_WORK);
  EXPECT_FALSE(Ask<v1::Person>(get)->has_details());
  get.set_person_id(own);
  EXPECT_TRUE(Ask<v1::Person>(get)->has_details());
  const auto keys = call_->Sql(
      "select count(*) from subject_key where subject_id = any($1::text[]) and wrapped is null",
      {postgres::ArrayLiteral(std::vector<std::string>{person, case_id})});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->integer(0, 0), 2) << "both keys are destroyed";
}

TEST_F(QueriesTest, WhatWasErasedBeforeItCameLeavesNoRow) {
  v1::ErasePartnerDataRequest erase;
  erase.set_case_id(test::NextRequestId());
  erase.set_sender("fr");
  erase.set_erasure_id("erasure");
  ASSERT_TRUE(Try(erase).ok());
  EXPECT_THAT(Listed(v1::ListCasesRequest()), IsEmpty());
  v1::GetCaseRequest get;
  get.set_case_id(erase.case_id());
  EXPECT_TRUE(Ask<v1::Case>(get)->erased());
}

TEST_F(QueriesTest, HandOversAreListedByCaseAndState) {
  Meet("fr");
  const std::string theirs = test::NextRequestId();
  Receive(theirs, Adult());
  v1::AcceptCaseRequest accept;
  accept.set_case_id(theirs);
  Must(accept);
  v1::OfferHandOverRequest offer;
  offer.set_case_id(theirs);
  offer.set_to_partner("fr");
  *offer.mutable_answer_due_time() = time::ToTimestamp(Days(7));
  EXPECT_EQ(Reason(Try(offer).status()), "NOT_RESPONSIBLE") << "FR answers for it";

  std::vector<std::string> cases;
  std::vector<std::string> hand_overs;
  for (int i = 0; i < 3; ++i) {
    cases.push_back(OwnAccepted());
    offer.set_case_id(cases.back());
    hand_overs.push_back(Must(offer, Morning() + absl::Seconds(i)));
  }
  v1::ListHandOversRequest list;
  list.set_page_size(2);
  auto page = Ask<v1::ListHandOversResponse>(list);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->hand_overs_size(), 2);
  EXPECT_EQ(page->hand_overs(0).hand_over_id(), hand_overs[2]);
  EXPECT_EQ(page->hand_overs(0).to_node(), "fr");
  list.set_page_token(page->next_page_token());
  page = Ask<v1::ListHandOversResponse>(list);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->hand_overs_size(), 1);
  EXPECT_EQ(page->hand_overs(0).hand_over_id(), hand_overs[0]);
  EXPECT_THAT(page->next_page_token(), IsEmpty());

  v1::ListHandOversRequest of_case;
  of_case.set_case_id(cases[1]);
  EXPECT_EQ(Ask<v1::ListHandOversResponse>(of_case)->hand_overs(0).hand_over_id(), hand_overs[1]);
  of_case.set_state(v1::HAND_OVER_STATE_LAPSED);
  EXPECT_EQ(Ask<v1::ListHandOversResponse>(of_case)->hand_overs_size(), 0);
  v1::GetHandOverRequest get;
  get.set_hand_over_id(hand_overs[1]);
  const auto shown = Ask<v1::HandOver>(get);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->case_id(), cases[1]);
  EXPECT_FALSE(shown->releaser().signature().empty());
  EXPECT_TRUE(call_->read.contains(cases[1]));
}

TEST_F(QueriesTest, AReferralIsDisclosedToThePartnerThatIsAsked) {
  Meet("fr");
  const std::string case_id = Open(Register(Adult()));
  auto consent = Consent(case_id);
  consent.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  consent.set_partner("fr");
  Must(consent);
  v1::SendReferralRequest send;
  send.set_case_id(case_id);
  send.set_to_organisation("fr");
  send.set_need(v1::NEED_HEALTH);
  send.set_reason("needs a check-up");
  *send.mutable_answer_due_time() = time::ToTimestamp(Days(3));
  const std::string id = Must(send);
  v1::GetDisclosureRequest request;
  request.set_case_id(case_id);
  request.set_partner("fr");
  request.set_purpose(v1::CONSENT_PURPOSE_REFERRAL);
  auto disclosure = Ask<v1::Disclosure>(request);
  ASSERT_TRUE(disclosure.ok()) << disclosure.status();
  EXPECT_EQ(disclosure->referrals_size(), 0) << "the consent does not name it";

  consent.add_scopes("referrals");
  Must(consent);
  disclosure = Ask<v1::Disclosure>(request);
  ASSERT_TRUE(disclosure.ok()) << disclosure.status();
  ASSERT_EQ(disclosure->referrals_size(), 1);
  EXPECT_EQ(disclosure->referrals(0).id(), id);
  EXPECT_EQ(disclosure->referrals(0).need(), v1::NEED_HEALTH);
  EXPECT_EQ(disclosure->referrals(0).reason(), "needs a check-up");
  EXPECT_TRUE(call_->read_personal.contains(id));

  v1::RevokeReferralRequest revoke;
  revoke.set_referral_id(id);
  revoke.set_reason("no longer");
  Must(revoke);
  EXPECT_EQ(Ask<v1::Disclosure>(request)->referrals_size(), 0) << "it is over";
}

TEST_F(QueriesTest, CentresAreListedWithTheirPlaces) {
  for (const char* code : {"yaounde", "douala", "lome"}) {
    v1::OpenCentreRequest open;
    open.set_centre(code);
    open.set_name(code);
    open.set_country(std::string(code) == "lome" ? "TG" : "CM");
    open.set_places(10);
    Must(open);
  }
  v1::ListCentresRequest request;
  request.set_country("CM");
  request.set_page_size(1);
  auto page = Ask<v1::ListCentresResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->centres(0).centre(), "douala");
  request.set_page_token(page->next_page_token());
  page = Ask<v1::ListCentresResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->centres(0).centre(), "yaounde");
  EXPECT_EQ(page->centres(0).places(), 10);
  EXPECT_EQ(page->next_page_token(), "");
}

TEST_F(QueriesTest, ManyRegistrationsInOneBatchAreWritten) {
  std::vector<engine::CommandCall> calls;
  for (int i = 0; i < 40; ++i) {
    v1::RegisterPersonRequest request;
    *request.mutable_details() = Adult("Same", "NAME-TEST");
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<v1::RegisterPersonRequest>(request);
    call.now = Morning();
    calls.push_back(call);
  }
  for (const auto& outcome : engine_.Execute(*session_, calls)) {
    EXPECT_TRUE(outcome.ok()) << outcome.status();
  }
  EXPECT_EQ(database_.Number("select count(*) from person_key where kind = 'suspicion'"),
            40 * 39 / 2);
}

}  // namespace
}  // namespace sankofa::registration
