#include "services/platform/engine/engine.h"

#include <gmock/gmock.h>

#include "sankofa/common/v1/options.pb.h"
#include "services/platform/engine/memory_store.h"
#include "services/platform/rpc/check/shape.h"
#include "services/registration/case/case.h"
#include "services/registration/person/person.h"
#include "services/registration/person/view.h"
#include "services/registration/queries.h"
#include "services/registration/service.h"
#include "tests/unit/registration/fixture.h"

// The service as the platform runs it, over a store in memory: what it keeps, and what is left after erasure.
namespace sankofa::registration {
namespace {

using ::testing::IsEmpty;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    BindCommands(registry_, [this](std::string_view label, std::string_view text) {
      return vault_->Blind(label, text);
    });
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  template <class Request>
  static engine::CommandCall Call(Request request) {
    if (request.request_id().empty()) request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {.subject = "user-1", .organisation = "agency", .roles = {}, .system = "portal"};
    call.now = Morning();
    return call;
  }

  template <class Answer, class Request>
  Answer Must(const Request& request) {
    const std::vector<engine::CommandCall> calls = {Call(request)};
    const auto outcome = engine_.Execute(*session_, calls).front();
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? static_cast<const Answer&>(**outcome) : Answer();
  }

  static v1::RegisterPersonRequest Registration() {
    v1::RegisterPersonRequest request;
    *request.mutable_details() = Adult("Zéphyrine", "KOUAM-TEST");
    AddDocument(*request.mutable_details(), "PASS-998877");
    request.add_vulnerabilities(v1::VULNERABILITY_SINGLE_PARENT);
    return request;
  }

  static v1::RegisterCaseRequest Opening(const std::string& person_id) {
    v1::RegisterCaseRequest request;
    request.set_person_id(person_id);
    *request.mutable_header() = Header();
    return request;
  }

  template <class State>
  State Read(const std::string& id, bool personal = true) {
    auto read = engine_.Read(*session_, engine::KeyOf<State>(id), personal);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? static_cast<State&>(**read) : State();
  }

  std::string EverythingStored() {
    std::string all;
    for (const auto& row : store_.journal()) {
      all += row.payload + row.partition_key + row.stream.id + row.actor;
    }
    for (const auto& [_, stream] : store_.streams()) all += stream.state;
    for (const auto& [_, answer] : store_.answers()) all += answer.bytes;
    return all;
  }

  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Registry registry_;
  engine::MemoryStore store_;
  engine::Engine engine_{
      {.node = "cm", .country = "CM", .service = "registration"}, registry_, *vault_};
  std::unique_ptr<engine::StoreSession> session_;
};

constexpr const char* kPersonal[] = {"phyrine",       "KOUAM",       "1985-03-12",
                                     "+237690000001", "PASS-998877", "pass998877",
                                     "Jeanne",        "tailor",      "secret words"};

TEST_F(EngineTest, AggregatesCanBeSealed) {
  EXPECT_TRUE(registry_.Check().ok()) << registry_.Check();
}

TEST_F(EngineTest, EveryMethodIsBoundOnceAndOpenToSomebody) {
  rpc::Queries queries;
  BindQueries(queries);
  const auto* rpc = Definition().rpc;
  ASSERT_NE(rpc, nullptr);
  for (int i = 0; i < rpc->method_count(); ++i) {
    const auto* method = rpc->method(i);
    const std::string& request = method->input_type()->full_name();
    const bool command = registry_.FindCommand(request) != nullptr;
    EXPECT_NE(command, queries.handlers().contains(request)) << method->name();
    const auto& access = method->options().GetExtension(common::v1::access);
    EXPECT_GT(access.roles_size() + access.systems_size(), 0) << method->name();
    EXPECT_THAT(rpc::RuleFaults(*method->input_type()), IsEmpty()) << method->name();
    if (!command) continue;
    const auto* answer = registry_.FindCommand(request)->aggregate->prototype->GetDescriptor();
    EXPECT_EQ(answer, method->output_type()) << method->name();
  }
}

TEST_F(EngineTest, KeepsNothingPersonalInClear) {
  const auto person = Must<v1::Person>(Registration());
  EXPECT_FALSE(person.has_details()) << "an answer shows personal fields";
  const auto of = Must<v1::Case>(Opening(person.id()));
  Must<v1::Case>(Consent(of.id()));
  Must<v1::Case>(ForCase<v1::SubmitCaseRequest>(of.id()));
  Must<v1::Case>(ForCase<v1::AcceptCaseRequest>(of.id()));
  auto arrival = ForCase<v1::ConfirmArrivalRequest>(of.id());
  arrival.set_arrival_date("2017-06-20");
  Must<v1::Case>(arrival);
  auto assess = Assessment(of.id());
  assess.set_orientation_note("secret words");
  Must<v1::Case>(assess);
  auto close = ForCase<v1::CloseCaseRequest>(of.id());
  close.set_reason(v1::CLOSE_REASON_LOST_TO_FOLLOW_UP);
  close.set_note("secret words");
  Must<v1::Case>(close);

  const std::string all = EverythingStored();
  for (const char* personal : kPersonal) {
    EXPECT_EQ(all.find(personal), std::string::npos) << personal;
  }
  EXPECT_EQ(Read<v1::Person>(person.id()).details().given_names(), "Zéphyrine");
  EXPECT_EQ(Read<v1::Case>(of.id()).notes_size(), 2);
  EXPECT_EQ(Read<v1::Case>(of.id(), /*personal=*/false).notes_size(), 0);
  for (const auto& row : store_.journal()) {
    const bool claim = row.stream.type == "DocumentClaim" || row.stream.type == "IdentityClaim";
    EXPECT_EQ(row.publish, !claim) << row.stream.type;
  }
}

TEST_F(EngineTest, ErasureDestroysTheKeysOfPersonAndCase) {
  const auto person = Must<v1::Person>(Registration());
  const auto of = Must<v1::Case>(Opening(person.id()));
  auto override_consent = ForCase<v1::OverrideConsentRequest>(of.id());
  override_consent.set_purpose(v1::CONSENT_PURPOSE_REINTEGRATION);
  override_consent.set_partner("ofii");
  override_consent.set_reason("secret words");
  override_consent.set_until_date("2017-12-31");
  Must<v1::Case>(override_consent);
  auto erase = ForPerson<v1::ErasePersonRequest>(person.id());
  erase.set_basis(v1::ERASURE_BASIS_REQUEST);
  Must<v1::Person>(erase);

  EXPECT_TRUE(store_.subject_keys().at(person.id()).wrapped.empty());
  EXPECT_TRUE(store_.subject_keys().at(of.id()).wrapped.empty());
  const auto erased = Read<v1::Person>(person.id());
  EXPECT_EQ(erased.state(), v1::PERSON_STATE_ERASED);
  EXPECT_FALSE(erased.has_details());
  EXPECT_FALSE(erased.has_sealed());
  const auto erased_case = Read<v1::Case>(of.id());
  EXPECT_TRUE(erased_case.erased());
  EXPECT_EQ(erased_case.notes_size(), 0);
  // Nothing more is written about them.
  auto reopen = ForCase<v1::ReopenCaseRequest>(of.id());
  reopen.set_reason("again");
  const std::vector<engine::CommandCall> calls = {Call(reopen)};
  EXPECT_EQ(Reason(engine_.Execute(*session_, calls).front().status()), "CASE_ERASED");
}

TEST_F(EngineTest, TwoRegistrationsOfOneBatchSeeEachOther) {
  const std::vector<engine::CommandCall> calls = {Call(Registration()), Call(Registration())};
  const auto outcomes = engine_.Execute(*session_, calls);
  ASSERT_TRUE(outcomes[0].ok() && outcomes[1].ok());
  const auto& second = static_cast<const v1::Person&>(**outcomes[1]);
  EXPECT_TRUE(second.duplicate_open());
  // The deadline that tells the first is due at once.
  const auto due = session_->Due(Morning(), 10);
  ASSERT_TRUE(due.ok());
  ASSERT_EQ(due->size(), 1U);
  v1::TellDuplicatesRequest tell;
  ASSERT_TRUE(tell.ParseFromString(due->front().command));
  Must<v1::Person>(tell);
  const auto& first = static_cast<const v1::Person&>(**outcomes[0]);
  EXPECT_TRUE(Read<v1::Person>(first.id()).duplicate_open());
}

TEST_F(EngineTest, OfTwoOpeningsInOneBatchOneIsRefused) {
  const auto person = Must<v1::Person>(Registration());
  const std::vector<engine::CommandCall> calls = {Call(Opening(person.id())),
                                                  Call(Opening(person.id()))};
  const auto outcomes = engine_.Execute(*session_, calls);
  EXPECT_EQ(Reason(outcomes[0].status()), "OK");
  EXPECT_EQ(Reason(outcomes[1].status()), "SECOND_OPEN_CASE");
}

TEST_F(EngineTest, AnUpdateFindsClaimsThatOnlyItsStateNames) {
  const auto person = Must<v1::Person>(Registration());
  auto update = ForPerson<v1::UpdatePersonRequest>(person.id());
  *update.mutable_details() = Adult("Another", "NAME-TEST");
  Must<v1::Person>(update);
  // The old names and document are free again.
  EXPECT_FALSE(Must<v1::Person>(Registration()).duplicate_open());
}

TEST(View, ShowsWhatTheRoleNeeds) {
  v1::Person person;
  *person.mutable_details() = Adult();
  AddDocument(*person.mutable_details(), "A1");
  person.add_vulnerabilities(v1::VULNERABILITY_DISABILITY);
  person.add_payout_accounts();
  person.mutable_search_keys()->add_name_tokens("token");
  struct Line {
    std::vector<std::string> roles;
    bool documents, phones, vulnerabilities, accounts;
  };
  for (const Line& line :
       std::vector<Line>{{{"case_officer"}, true, true, true, true},
                         {{"data_protection_officer"}, true, true, true, true},
                         {{"host_officer"}, true, true, true, false},
                         {{"follow_up_officer"}, false, true, false, false},
                         {{"payment_releaser"}, false, false, false, true},
                         {{"payment_releaser", "follow_up_officer"}, false, true, false, true},
                         {{}, false, false, false, false}}) {
    engine::Actor actor;
    actor.roles = line.roles;
    const auto view = ViewFor(actor, person);
    EXPECT_EQ(view.details().family_names(), "NGO-TEST");
    EXPECT_EQ(view.details().documents_size() > 0, line.documents);
    EXPECT_EQ(view.details().phones_size() > 0, line.phones);
    EXPECT_EQ(view.vulnerabilities_size() > 0, line.vulnerabilities);
    EXPECT_EQ(view.payout_accounts_size() > 0, line.accounts);
    EXPECT_FALSE(view.has_search_keys());
  }
  const auto listed = ViewInList(person);
  EXPECT_EQ(listed.details().birth_date(), "1985-03-12");
  EXPECT_EQ(listed.details().documents_size() + listed.details().phones_size(), 0);
  EXPECT_EQ(listed.vulnerabilities_size() + listed.payout_accounts_size(), 0);
  EXPECT_FALSE(listed.has_search_keys());
}

}  // namespace
}  // namespace sankofa::registration
