#include "services/monitoring/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sankofa/common/v1/options.pb.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/monitoring/queries.h"
#include "services/monitoring/survey/instrument_yaml.h"
#include "services/platform/engine/engine.h"
#include "services/platform/engine/memory_store.h"
#include "tests/unit/monitoring/events.h"

// The service as the platform runs it: over the engine, with a store in memory.
namespace sankofa::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kFreeText[] = "Akosua a vendu la machine de son oncle.";

TEST(Service, EveryMethodIsBoundAndHasItsAccess) {
  engine::Registry registry;
  Definition().commands(registry, test::FakeBlind);
  rpc::Queries queries;
  BindQueries(queries, {});
  const auto* rpc = Definition().rpc;
  ASSERT_NE(rpc, nullptr);
  for (int i = 0; i < rpc->method_count(); ++i) {
    const auto* method = rpc->method(i);
    const std::string& request = method->input_type()->full_name();
    EXPECT_NE(registry.FindCommand(request) != nullptr, queries.handlers().contains(request))
        << method->full_name();
    const auto& access = method->options().GetExtension(common::v1::access);
    EXPECT_GT(access.roles_size() + access.systems_size(), 0) << method->full_name();
  }
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

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    Definition().commands(registry_, test::FakeBlind);
    Definition().reactions(reactions_);
    session_ = *store_.Open(absl::InfiniteFuture());
  }

  // The next event of a stream, as its service publishes it.
  template <class Event>
  void Hear(const std::string& type, const std::string& id, const Event& event) {
    const engine::IncomingEvent incoming =
        Published(type, id, ++sequences_[type + id], event, Noon("2017-06-30"));
    const auto result = engine_.React(*session_, reactions_, std::vector{incoming});
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->applied, 1) << incoming.event_type;
  }
  void HearUntilSigned() {
    Hear("Case", kCase, Registered());
    Hear("Case", kCase, Arrived());
    Hear("LifeProject", "p1", Approved("p1"));
    Hear("Grant", kGrant, Signed(kGrant));
  }

  template <class Request>
  engine::Outcome Send(Request request, const std::string& day) {
    request.set_request_id(test::NextRequestId());
    engine::CommandCall call;
    call.request = std::make_shared<Request>(std::move(request));
    call.actor = {.subject = "officer", .organisation = "agency", .roles = {}, .system = "portal"};
    call.now = Noon(day);
    return engine_.Execute(*session_, std::vector{call}).front();
  }
  template <class Request>
  std::string ReasonOf(Request request, const std::string& day) {
    return test::Reason(Send(std::move(request), day).status());
  }
  template <class State>
  State Get(const std::string& id, bool personal = false) {
    const auto read = engine_.Read(*session_, engine::KeyOf<State>(id), personal);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? static_cast<State&>(**read) : State();
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
  engine::Engine engine_{
      {.node = "cm", .country = "CM", .service = "monitoring", .signer = nullptr},
      registry_,
      *vault_};
  std::unique_ptr<engine::StoreSession> session_;
  std::map<std::string, std::int64_t> sequences_;
};

TEST_F(ServiceTest, AGrantSignedPlansVisitsAndADeadlineMissesThem) {
  HearUntilSigned();
  EXPECT_THAT(Get<v1::FollowUp>(kGrant).visits(), SizeIs(2));
  // As the runtime does it: what is due is given until nothing is.
  int given = 0;
  for (auto due = *session_->Due(Noon("2018-06-30"), 10); !due.empty();
       due = *session_->Due(Noon("2018-06-30"), 10)) {
    ASSERT_LT(++given, 10) << "a deadline comes again for ever";
    if (due[0].command_type == v1::MissVisitRequest::descriptor()->full_name()) {
      v1::MissVisitRequest request;
      ASSERT_TRUE(request.ParseFromString(due[0].command));
      ASSERT_EQ(ReasonOf(request, "2018-06-30"), "OK");
    } else {
      v1::EscalateAlertRequest request;
      ASSERT_TRUE(request.ParseFromString(due[0].command));
      ASSERT_EQ(ReasonOf(request, "2018-06-30"), "OK");
    }
  }
  EXPECT_EQ(given, 2);  // the alerts are a week away
  const auto follow_up = Get<v1::FollowUp>(kGrant);
  for (const v1::Visit& visit : follow_up.visits()) {
    EXPECT_EQ(visit.state(), v1::VISIT_STATE_MISSED);
    const auto alert = Get<v1::Alert>(absl::StrCat("visit:", kGrant, ":", visit.number(), ":1"));
    EXPECT_EQ(alert.state(), v1::ALERT_STATE_RAISED);
    EXPECT_EQ(alert.owner_organisation(), "minrex");
  }
}

TEST_F(ServiceTest, WhatAVisitorWroteIsStoredSealedAndShownOnlyWhenAskedFor) {
  HearUntilSigned();
  v1::RecordVisitRequest visit = Visited(1, "2017-07-30");
  visit.set_observations(kFreeText);
  const engine::Outcome outcome = Send(visit, "2017-07-30");
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_THAT((*outcome)->SerializeAsString(), Not(HasSubstr("Akosua")));
  EXPECT_THAT(EverythingStored(), Not(HasSubstr("Akosua")));
  EXPECT_THAT(Get<v1::FollowUp>(kGrant).notes(), SizeIs(0));
  ASSERT_THAT(Get<v1::FollowUp>(kGrant, true).notes(), SizeIs(1));
  EXPECT_EQ(Get<v1::FollowUp>(kGrant, true).notes(0).observations(), kFreeText);
  EXPECT_EQ(Get<v1::FollowUp>(kGrant, true).notes(0).documents(0).reference(), "photo-17");
}

TEST_F(ServiceTest, AnErasedCaseCannotBeReadNorWritten) {
  HearUntilSigned();
  v1::RecordVisitRequest visit = Visited(1, "2017-07-30");
  visit.set_observations(kFreeText);
  ASSERT_EQ(ReasonOf(visit, "2017-07-30"), "OK");
  ASSERT_EQ(ReasonOf(Publish(), "2017-07-30"), "OK");
  v1::RecordSurveyRequest survey = Surveyed(*ParseInstrument(ShippedYaml()), false);
  survey.set_remarks(kFreeText);
  ASSERT_EQ(ReasonOf(survey, "2017-12-30"), "OK");
  EXPECT_EQ(Get<v1::Survey>(SurveyId(kCase, 6), true).remarks(), kFreeText);

  Hear("Case", kCase, Erased());
  EXPECT_TRUE(store_.subject_keys().at(kCase).wrapped.empty());
  EXPECT_THAT(Get<v1::FollowUp>(kGrant, true).notes(), SizeIs(0));
  EXPECT_EQ(Get<v1::FollowUp>(kGrant).close_reason(), v1::FOLLOW_UP_CLOSE_REASON_CASE_ERASED);
  EXPECT_EQ(Get<v1::Survey>(SurveyId(kCase, 6), true).remarks(), "");
  EXPECT_THAT(Get<v1::Survey>(SurveyId(kCase, 6), true).answers(), SizeIs(0));
  EXPECT_EQ(Get<v1::Alert>(absl::StrCat("survey:", kCase, ":6")).resolution(),
            v1::ALERT_RESOLUTION_CASE_ERASED);
  EXPECT_EQ(ReasonOf(Visited(2, "2017-12-30"), "2017-12-30"), "CASE_ERASED");
  EXPECT_EQ(ReasonOf(survey, "2017-12-30"), "CASE_ERASED");
  v1::RaiseAlertRequest alert;
  alert.set_case_id(kCase);
  alert.set_concern(kFreeText);
  EXPECT_EQ(ReasonOf(alert, "2017-12-30"), "CASE_ERASED");
  // What others may still say of the case changes nothing, and is no error.
  Hear("Case", kCase, Assessed());
  Hear("Grant", "another-grant", Signed("another-grant"));
  EXPECT_THAT(EverythingStored(), Not(HasSubstr("Akosua")));
}

TEST_F(ServiceTest, EventsAreKeyedByTheCaseAndFactsAreNotPublished) {
  HearUntilSigned();
  ASSERT_EQ(ReasonOf(Visited(1, "2017-07-30"), "2017-07-30"), "OK");
  for (const engine::JournalRow& row : store_.journal()) {
    EXPECT_EQ(row.partition_key, kCase) << row.event_type;
    EXPECT_EQ(row.publish, row.stream.type != "CaseFacts") << row.event_type;
  }
}

TEST_F(ServiceTest, TheViewFollowsWhatTheServicePublishes) {
  HearUntilSigned();
  ASSERT_EQ(ReasonOf(Visited(1, "2017-07-30"), "2017-07-30"), "OK");
  std::vector<engine::IncomingEvent> events;
  for (const engine::JournalRow& row : store_.journal()) {
    if (!row.publish) continue;
    events.push_back({.meta = {.source = "monitoring",
                               .stream = row.stream,
                               .sequence = row.sequence,
                               .partition_key = row.partition_key,
                               .time = row.event_time,
                               .traceparent = {}},
                      .event_type = row.event_type,
                      .payload = row.payload});
  }
  const auto view = FoldAll(kCase, events);
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_THAT(view->follow_ups(), SizeIs(1));
  EXPECT_EQ(view->follow_ups(0).visits(0).state(), "RECORDED");
  EXPECT_EQ(view->token(), static_cast<std::int64_t>(events.size()));
}

}  // namespace
}  // namespace sankofa::monitoring
