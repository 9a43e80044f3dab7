#include "services/validation/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sankofa/common/v1/options.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/engine/engine.h"
#include "services/platform/engine/memory_store.h"
#include "services/validation/queries.h"
#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

namespace reg = registration::v1;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCase = "case-1";
constexpr const char* kFreeText = "Akosua veut reprendre l'atelier de son oncle.";

engine::Registry& Bound(engine::Registry& registry) {
  Definition().commands(registry, test::FakeBlind);
  return registry;
}

TEST(Service, EveryMethodIsBoundAndHasItsAccess) {
  engine::Registry registry;
  Bound(registry);
  const auto* rpc = Definition().rpc;
  ASSERT_NE(rpc, nullptr);
  rpc::Queries queries;
  BindQueries(queries);
  for (int i = 0; i < rpc->method_count(); ++i) {
    const auto* method = rpc->method(i);
    const std::string& request = method->input_type()->full_name();
    EXPECT_NE(registry.FindCommand(request) != nullptr, queries.handlers().contains(request))
        << method->full_name();
    const auto& access = method->options().GetExtension(common::v1::access);
    EXPECT_GT(access.roles_size() + access.systems_size(), 0) << method->full_name();
  }
}

TEST(Service, WhatIsPersonalCanBeSealed) {
  engine::Registry registry;
  EXPECT_TRUE(Bound(registry).Check().ok()) << registry.Check();
}

TEST(Service, EveryReasonSaysWhatToDoInBothLanguages) {
  const auto* reasons = v1::Reason_descriptor();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const auto& refusal = reasons->value(i)->options().GetExtension(common::v1::refusal);
    EXPECT_FALSE(refusal.en().empty()) << reasons->value(i)->name();
    EXPECT_FALSE(refusal.fr().empty()) << reasons->value(i)->name();
    EXPECT_NE(refusal.code(), google::rpc::OK) << reasons->value(i)->name();
  }
}

// The service over a store in memory, with the engine that it runs on.
class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    Bound(registry_);
    Definition().reactions(reactions_);
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  // The next event of the case's stream, as registration publishes it.
  template <class Event>
  engine::ReactionResult Hear(Event event) {
    event.set_case_id(kCase);
    engine::IncomingEvent incoming;
    incoming.meta.source = "registration";
    incoming.meta.stream = {"Case", kCase};
    incoming.meta.sequence = ++sequence_;
    incoming.meta.partition_key = kCase;
    incoming.meta.time = Morning();
    incoming.event_type = Event::descriptor()->full_name();
    incoming.payload = event.SerializeAsString();
    auto result = engine_.React(*session_, reactions_, std::vector{incoming});
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->applied, 1) << incoming.event_type;
    return *result;
  }

  template <class Request>
  engine::Outcome Send(Request request, const std::string& subject = "author") {
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {.subject = subject, .organisation = "agency", .roles = {}, .system = "portal"};
    call.now = Morning();
    return engine_.Execute(*session_, std::vector{call}).front();
  }
  std::string Draft() {
    auto request = Desk::DraftOf(kCase);
    request.set_description(kFreeText);
    const engine::Outcome outcome = Send(request);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? static_cast<const v1::LifeProject&>(**outcome).id() : std::string();
  }

  template <class State>
  State Get(const std::string& id, bool personal = false) {
    auto read = engine_.Read(*session_, engine::KeyOf<State>(id), personal);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? static_cast<State&>(**read) : State();
  }
  v1::CaseStanding Standing() { return Get<v1::CaseFile>(kCase).standing(); }

  void HearUntilAssessed() {
    reg::CaseRegistered registered;
    registered.set_reference("CM-2017-0001");
    registered.set_programme("ofii-cameroon-2017");
    registered.set_host_country("FR");
    registered.set_origin_country("CM");
    registered.set_responsible_organisation("minrex");
    Hear(registered);
    Hear(reg::CaseSubmitted());
    Hear(reg::CaseAccepted());
    Hear(reg::CaseArrived());
    Hear(reg::CaseAssessed());
  }

  std::string EverythingStored() {
    std::string all;
    for (const auto& row : store_.journal()) all += row.payload + row.partition_key;
    for (const auto& [_, stream] : store_.streams()) all += stream.state;
    for (const auto& [_, answer] : store_.answers()) all += answer.bytes + answer.fingerprint;
    return all;
  }

  engine::Registry registry_;
  engine::Reactions reactions_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::MemoryStore store_;
  engine::Engine engine_{{.node = "cm",
                          .country = "CM",
                          .service = "validation",
                          .signer = std::shared_ptr<const crypto::Signer>(
                              *crypto::Signer::FromSeed(std::string(32, 's')))},
                         registry_,
                         *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  std::int64_t sequence_ = 0;
};

TEST_F(ServiceTest, FollowsTheCase) {
  HearUntilAssessed();
  const auto file = Get<v1::CaseFile>(kCase);
  EXPECT_EQ(file.standing(), v1::CASE_STANDING_ASSESSED);
  EXPECT_EQ(file.reference(), "CM-2017-0001");
  EXPECT_EQ(file.programme(), "ofii-cameroon-2017");
  EXPECT_EQ(file.responsible_organisation(), "minrex");
  Hear(reg::CaseReintegrationStarted());
  EXPECT_EQ(Standing(), v1::CASE_STANDING_REINTEGRATING);
  Hear(reg::CaseAssessed());
  EXPECT_EQ(Standing(), v1::CASE_STANDING_REINTEGRATING);
  Hear(reg::CaseClosed());
  EXPECT_EQ(Standing(), v1::CASE_STANDING_CLOSED);
  reg::CaseReopened reopened;
  reopened.set_state(reg::CASE_STATE_ASSESSED);
  Hear(reopened);
  EXPECT_EQ(Standing(), v1::CASE_STANDING_ASSESSED);
  Hear(reg::CaseRefused());
  EXPECT_EQ(Standing(), v1::CASE_STANDING_CLOSED);
}

TEST_F(ServiceTest, TheHeaderMayChangeUntilTheSubmission) {
  reg::CaseRegistered registered;
  registered.set_reference("CM-2017-0001");
  registered.set_programme("ofii-cameroon-2017");
  Hear(registered);
  reg::CaseHeaderChanged changed;
  changed.mutable_header()->set_programme("eurp-voluntary");
  Hear(changed);
  EXPECT_EQ(Get<v1::CaseFile>(kCase).programme(), "eurp-voluntary");
  EXPECT_EQ(Get<v1::CaseFile>(kCase).reference(), "CM-2017-0001");
}

TEST_F(ServiceTest, AProjectWaitsForTheAssessment) {
  const engine::Outcome early = Send(Desk::DraftOf(kCase));
  EXPECT_EQ(status::ReasonOf(early.status()), "CASE_NOT_READY");
  HearUntilAssessed();
  EXPECT_FALSE(Draft().empty());
}

TEST_F(ServiceTest, TheFreeTextIsStoredSealed) {
  HearUntilAssessed();
  const std::string id = Draft();
  EXPECT_THAT(EverythingStored(), Not(HasSubstr("Akosua")));
  EXPECT_EQ(Get<v1::LifeProject>(id).description(), "");
  EXPECT_EQ(Get<v1::LifeProject>(id, true).description(), kFreeText);
}

TEST_F(ServiceTest, EventsOfAProjectAreKeyedByTheCaseAndTheFileIsNotPublished) {
  HearUntilAssessed();
  Draft();
  for (const engine::JournalRow& row : store_.journal()) {
    EXPECT_EQ(row.partition_key, kCase);
    EXPECT_EQ(row.publish, row.stream.type != "CaseFile") << row.event_type;
  }
}

TEST_F(ServiceTest, ErasureDestroysTheKeyAndWithdrawsTheProject) {
  HearUntilAssessed();
  const std::string id = Draft();
  const engine::Outcome submitted = Send(Desk::On<v1::SubmitProjectRequest>(id));
  ASSERT_TRUE(submitted.ok());
  Hear(reg::CaseErased());
  const auto project = Get<v1::LifeProject>(id, true);
  EXPECT_EQ(project.description(), "");
  EXPECT_EQ(project.state(), v1::PROJECT_STATE_WITHDRAWN);
  EXPECT_TRUE(store_.subject_keys().at(kCase).wrapped.empty());
  EXPECT_EQ(status::ReasonOf(Send(Desk::Revision(id)).status()), "ERASED");
  EXPECT_EQ(status::ReasonOf(Send(Desk::DraftOf(kCase)).status()), "ERASED");
  // What registration may still send of the case changes nothing.
  Hear(reg::CaseAssessed());
  EXPECT_TRUE(Get<v1::CaseFile>(kCase).erased());
}

TEST_F(ServiceTest, MinutesAreSignedByTheNode) {
  HearUntilAssessed();
  const std::string id = Draft();
  ASSERT_TRUE(Send(Desk::On<v1::SubmitProjectRequest>(id)).ok());
  auto study = Desk::On<v1::RecordFeasibilityRequest>(id);
  study.set_version(1);
  study.set_feasible(true);
  ASSERT_TRUE(Send(study, "operator").ok());
  ASSERT_TRUE(Send(FiveSeats()).ok());
  Desk desk;
  const engine::Outcome scheduled = Send(desk.SessionToday());
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  const std::string session = static_cast<const v1::Session&>(**scheduled).id();
  ASSERT_TRUE(Send(Desk::At<v1::AddToAgendaRequest>(session, id)).ok());
  ASSERT_TRUE(Send(Desk::Opening(session)).ok());
  ASSERT_TRUE(Send(Desk::At<v1::CloseSessionRequest>(session, ""), "embassy-holder").ok());
  const auto minutes = Get<v1::Session>(session).minutes();
  EXPECT_TRUE(crypto::Verifies(minutes.public_key(), "sankofa.minutes.v1", minutes.hash(),
                               minutes.signature()));
  EXPECT_EQ(Get<v1::LifeProject>(id).state(), v1::PROJECT_STATE_ADJOURNED);
}

}  // namespace
}  // namespace sankofa::validation
