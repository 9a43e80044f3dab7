#include "services/exchange/feed/build/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sankofa/exchange/v1/feed_messages.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/exchange/feed/backlog.h"
#include "services/exchange/feed/build/backlog.h"
#include "services/platform/status/refuse.h"
#include "tests/unit/exchange/feed_node.h"

namespace sankofa::exchange {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kCase[] = "0190a000-0000-7000-8000-000000000001";
constexpr Purpose kReturn = reg::CONSENT_PURPOSE_REINTEGRATION;
constexpr Purpose kFollowUp = reg::CONSENT_PURPOSE_FOLLOW_UP;

class FeedBuilderTest : public testing::Test {
 protected:
  FeedBuilderTest() {
    node_.AddPartner("fr", 'f');
    node_.AddPartner("de", 'd');
    Share(node_.AddAgreement("fr", "a"), kReturn);
    node_.Keep("fr");
  }

  static v1::Share& Share(v1::SharingAgreement& agreement, Purpose purpose) {
    auto& share = *agreement.mutable_terms()->add_proposer_shares();
    share.set_purpose(purpose);
    for (const char* type :
         {"sankofa.registration.v1.CaseRegistered", "sankofa.registration.v1.CaseSubmitted",
          "sankofa.registration.v1.CaseArrived", "sankofa.validation.v1.ProjectApproved"}) {
      share.add_event_types(type);
    }
    share.add_fields("person.details.family_names");
    return share;
  }
  // The person consents, and registration would disclose this.
  void Consent(const std::string& partner, Purpose purpose, const std::string& name = "Mensah") {
    reg::Disclosure disclosure;
    disclosure.set_case_id(kCase);
    disclosure.set_partner(partner);
    disclosure.set_purpose(purpose);
    disclosure.mutable_person()->mutable_details()->set_family_names(name);
    disclosure.mutable_person()->mutable_details()->set_given_names("Ama");
    disclosure.mutable_person()->add_vulnerabilities(reg::VULNERABILITY_DISABILITY);
    node_.services.consents[{kCase, partner, purpose}] = disclosure;
    node_.clock.Advance(absl::Seconds(1));
  }
  void NoConsent(const std::string& partner, Purpose purpose) {
    node_.services.consents.erase({kCase, partner, purpose});
    node_.clock.Advance(absl::Seconds(1));
    reg::ConsentWithdrawn event;
    event.set_case_id(kCase);
    event.set_partner(partner);
    event.set_purpose(purpose);
    node_.Case(event);
  }
  void Register() {
    reg::CaseRegistered event;
    event.set_case_id(kCase);
    event.set_person_id("person");
    event.set_origin_country("TG");
    event.set_host_country("FR");
    event.set_programme("arv");
    event.set_region("kara");
    node_.Case(event);
  }
  void Submit() {
    reg::CaseSubmitted event;
    event.set_case_id(kCase);
    event.mutable_header()->set_origin_country("TG");
    event.mutable_header()->set_host_country("FR");
    event.mutable_header()->set_programme("arv");
    auto& of = node_.services.cases[kCase];
    of.set_id(kCase);
    of.set_person_id("person");
    node_.Case(event);
  }
  void Arrive() {
    reg::CaseArrived event;
    event.set_case_id(kCase);
    event.set_arrival_date("2026-05-30");
    node_.clock.Advance(absl::Seconds(1));
    node_.Case(event);
  }
  void UpdatePerson() {
    reg::PersonUpdated event;
    event.set_person_id("person");
    node_.clock.Advance(absl::Seconds(1));
    node_.Happens(node_.Make("registration", "Person", "person", "person", event));
  }
  template <class Event>
  void Own(const std::string& type, const std::string& id, const Event& event) {
    node_.Happens(node_.Make("exchange", type, id, id, event));
  }

  void Suspend(const std::string& partner) {
    node_.partner(partner).set_state(v1::PARTNER_STATE_SUSPENDED);
    *node_.partner(partner).mutable_suspended_time() = time::ToTimestamp(node_.clock.Now());
    node_.Keep(partner);
  }
  void Resume(const std::string& partner) {
    node_.partner(partner).set_state(v1::PARTNER_STATE_ACTIVE);
    node_.Keep(partner);
    v1::PartnerResumed event;
    event.set_partner_id(partner);
    Own("Partner", partner, event);
  }
  // The agreement "a:1" with fr ends, here.
  void EndAgreement() {
    v1::AgreementTerminated event;
    event.set_id("a:1");
    event.set_partner_id("fr");
    event.set_end_date("2026-06-30");
    Own("SharingAgreement", "a:1", event);
  }
  // A case that was submitted before, with a number for an id.
  std::string OldCase(int number) {
    const std::string id = absl::StrCat("case-", absl::Dec(number, absl::kZeroPad4));
    reg::CaseRegistered registered;
    registered.set_case_id(id);
    reg::CaseSubmitted submitted;
    submitted.set_case_id(id);
    node_.services.cases[id].set_id(id);
    node_.Happens(node_.Make("registration", "Case", id, id, registered));
    node_.Happens(node_.Make("registration", "Case", id, id, submitted));
    return id;
  }
  void ConsentTo(const std::string& partner, const std::string& case_id) {
    reg::Disclosure disclosure;
    disclosure.set_case_id(case_id);
    disclosure.set_partner(partner);
    disclosure.set_purpose(kReturn);
    node_.services.consents[{case_id, partner, kReturn}] = disclosure;
  }

  FeedNode node_;
};

TEST_F(FeedBuilderTest, AFeedBeginsWhenTheCaseIsSubmitted) {
  Consent("fr", kReturn);
  Register();
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  Submit();
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted"));
  const auto messages = node_.Topic("fr");
  EXPECT_EQ(messages[0].event.source_stream(), absl::StrCat("Case/", kCase));
  EXPECT_EQ(messages[0].event.source_sequence(), 1);
  EXPECT_EQ(messages[0].event.agreement_id(), "a");
  EXPECT_EQ(messages[0].event.agreement_version(), 1);
  EXPECT_THAT(messages[0].event.purposes(), ElementsAre(kReturn));
  // The box holds what the agreement names, and comes once.
  ASSERT_TRUE(messages[0].boxed);
  EXPECT_FALSE(messages[1].boxed);
  const auto& person = messages[0].content.disclosures(0).person();
  EXPECT_EQ(person.details().family_names(), "Mensah");
  EXPECT_EQ(person.details().given_names(), "");
  EXPECT_THAT(person.vulnerabilities(), IsEmpty());
  Arrive();
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted", "CaseArrived"));
  EXPECT_THAT(node_.Types("de"), IsEmpty());
}

TEST_F(FeedBuilderTest, WithoutConsentNothingGoesOut) {
  Register();
  Submit();
  Arrive();
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  EXPECT_EQ(node_.services.replayed, 0);
  // Given later, all that happened goes out first.
  Consent("fr", kReturn);
  reg::ConsentGiven given;
  given.set_case_id(kCase);
  node_.Case(given);
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted", "CaseArrived"));
}

TEST_F(FeedBuilderTest, ACaseOutsideTheAgreementStays) {
  node_.AddAgreement("fr", "a").mutable_terms()->mutable_cases()->add_programmes("other");
  node_.Keep("fr");
  Consent("fr", kReturn);
  Register();
  Submit();
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  EXPECT_EQ(node_.services.asked, 0) << "nobody is asked about a person for nothing";
}

TEST_F(FeedBuilderTest, ANewAgreementBringsWhatHappenedBefore) {
  Consent("de", kReturn);
  Register();
  Submit();
  EXPECT_THAT(node_.Types("de"), IsEmpty());
  Share(node_.AddAgreement("de", "b"), kReturn);
  node_.Keep("de");
  v1::AgreementCountersigned event;
  event.set_id("b:1");
  event.set_partner_id("de");
  event.mutable_signature()->set_node("de");
  Own("SharingAgreement", "b:1", event);
  EXPECT_THAT(node_.Types("de"), ElementsAre("CaseRegistered", "CaseSubmitted"));
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
}

TEST_F(FeedBuilderTest, ASuspendedPartnerGetsNothingAndAllWhenItIsResumed) {
  Consent("fr", kReturn);
  Register();
  Submit();
  node_.partner("fr").set_state(v1::PARTNER_STATE_SUSPENDED);
  *node_.partner("fr").mutable_suspended_time() = time::ToTimestamp(node_.clock.Now());
  node_.Keep("fr");
  Arrive();
  EXPECT_EQ(node_.Types("fr").size(), 2);
  node_.partner("fr").set_state(v1::PARTNER_STATE_ACTIVE);
  node_.Keep("fr");
  v1::PartnerResumed event;
  event.set_partner_id("fr");
  Own("Partner", "fr", event);
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted", "CaseArrived"));
}

TEST_F(FeedBuilderTest, WhatWasMissedComesBeforeWhatFollows) {
  Consent("fr", kReturn);
  Register();
  Submit();
  node_.partner("fr").set_state(v1::PARTNER_STATE_SUSPENDED);
  *node_.partner("fr").mutable_suspended_time() = time::ToTimestamp(node_.clock.Now());
  node_.Keep("fr");
  Arrive();
  node_.partner("fr").set_state(v1::PARTNER_STATE_ACTIVE);
  node_.Keep("fr");
  Arrive();  // before the news of the resumption has come
  EXPECT_THAT(node_.Types("fr"),
              ElementsAre("CaseRegistered", "CaseSubmitted", "CaseArrived", "CaseArrived"));
  const int replayed = node_.services.replayed;
  Arrive();
  EXPECT_EQ(node_.services.replayed, replayed) << "once is enough";
}

TEST_F(FeedBuilderTest, ChangedDetailsAreDisclosedAgain) {
  Consent("fr", kReturn);
  Register();
  Submit();
  UpdatePerson();
  EXPECT_EQ(node_.Types("fr").size(), 2) << "nothing that the partner may see has changed";
  Consent("fr", kReturn, "Mensah-Koffi");
  UpdatePerson();
  const auto messages = node_.Topic("fr");
  ASSERT_EQ(messages.size(), 3);
  EXPECT_EQ(messages[2].event.type(), v1::DisclosureChanged::descriptor()->full_name());
  EXPECT_EQ(messages[2].content.disclosures(0).person().details().family_names(), "Mensah-Koffi");
}

TEST_F(FeedBuilderTest, WithdrawalStopsTheFeedAndAsksToErase) {
  Consent("fr", kReturn);
  Register();
  Submit();
  NoConsent("fr", kReturn);
  EXPECT_THAT(node_.Types("fr"),
              ElementsAre("CaseRegistered", "CaseSubmitted", "ErasureRequested"));
  v1::ErasureRequested request;
  ASSERT_TRUE(request.ParseFromString(node_.Topic("fr").back().event.payload()));
  EXPECT_EQ(request.case_id(), kCase);
  EXPECT_THAT(request.purposes(), ElementsAre(kReturn));
  Arrive();
  UpdatePerson();
  EXPECT_EQ(node_.Types("fr").size(), 3);
  // Should the person consent again, it goes on, with a box.
  Consent("fr", kReturn);
  Arrive();
  const auto messages = node_.Topic("fr");
  EXPECT_EQ(messages.size(), 5) << "the arrival that was kept back, and this one";
  EXPECT_TRUE(messages[3].boxed);
}

TEST_F(FeedBuilderTest, WithdrawalForOnePurposeLeavesTheOther) {
  Share(node_.AddAgreement("fr", "a"), kFollowUp);
  node_.Keep("fr");
  Consent("fr", kReturn);
  Consent("fr", kFollowUp);
  Register();
  Submit();
  EXPECT_THAT(node_.Topic("fr")[0].event.purposes(), ElementsAre(kReturn, kFollowUp));
  NoConsent("fr", kFollowUp);
  const auto messages = node_.Topic("fr");
  ASSERT_EQ(messages.size(), 3);
  EXPECT_EQ(messages[2].event.type(), v1::DisclosureChanged::descriptor()->full_name());
  EXPECT_EQ(messages[2].content.disclosures_size(), 1);
  Arrive();
  EXPECT_THAT(node_.Topic("fr").back().event.purposes(), ElementsAre(kReturn));
}

TEST_F(FeedBuilderTest, ErasureAsksEverybodyWhoGotTheCase) {
  Share(node_.AddAgreement("de", "b"), kReturn);
  node_.Keep("de");
  Consent("fr", kReturn);
  Register();
  Submit();
  node_.services.consents.clear();
  reg::CaseErased erased;
  erased.set_case_id(kCase);
  node_.Case(erased);
  EXPECT_EQ(node_.Types("fr").back(), "ErasureRequested");
  EXPECT_THAT(node_.Types("de"), IsEmpty());
  Consent("fr", kReturn);
  Arrive();
  EXPECT_EQ(node_.Types("fr").back(), "ErasureRequested");
}

TEST_F(FeedBuilderTest, APartnerThatAskedToEraseGetsItsReceipt) {
  reg::PartnerDataErased erased;
  erased.set_case_id(kCase);
  erased.set_partner("fr");
  erased.set_erasure_id("e-1");
  node_.Case(erased);
  ASSERT_THAT(node_.Types("fr"), ElementsAre("ErasureDone"));
  v1::ErasureDone done;
  ASSERT_TRUE(done.ParseFromString(node_.Topic("fr")[0].event.payload()));
  EXPECT_EQ(done.erasure_id(), "e-1");
}

TEST_F(FeedBuilderTest, WhatIsAddressedGoesToItsAddresseeOnly) {
  Share(node_.AddAgreement("de", "b"), kReturn);
  node_.Keep("de");
  reg::HandOverOffered offered;
  offered.set_case_id(kCase);
  offered.set_hand_over_id("h");
  offered.set_to_node("de");
  offered.set_statement("what both sign");
  node_.Happens(node_.Make("registration", "HandOver", "h", kCase, offered));
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  ASSERT_THAT(node_.Types("de"), ElementsAre("HandOverOffered"));
  const auto message = node_.Topic("de")[0];
  EXPECT_EQ(message.event.payload(), offered.SerializeAsString());
  EXPECT_THAT(message.event.purposes(), IsEmpty());
  EXPECT_FALSE(message.boxed);
}

TEST_F(FeedBuilderTest, WhatAPartnerToldIsNotToldAgain) {
  Consent("fr", kReturn);
  Register();
  Submit();
  reg::CaseArrived event;
  event.set_case_id(kCase);
  event.set_source_node("fr");
  node_.Case(event);
  EXPECT_EQ(node_.Types("fr").size(), 2);
}

TEST_F(FeedBuilderTest, ARepeatIsSentOnce) {
  Consent("fr", kReturn);
  Register();
  Submit();
  const auto event = node_.services.journal["registration"].back();
  ASSERT_EQ(node_.React({event})->repeated, 1);
  EXPECT_EQ(node_.Types("fr").size(), 2);
}

TEST_F(FeedBuilderTest, AManyEventsAtOnceAreInOrder) {
  Consent("fr", kReturn);
  std::vector<engine::IncomingEvent> events;
  reg::CaseRegistered registered;
  registered.set_case_id(kCase);
  events.push_back(node_.Make("registration", "Case", kCase, kCase, registered));
  reg::CaseSubmitted submitted;
  submitted.set_case_id(kCase);
  events.push_back(node_.Make("registration", "Case", kCase, kCase, submitted));
  for (int i = 0; i < 50; ++i) {
    reg::CaseArrived arrived;
    arrived.set_case_id(kCase);
    events.push_back(node_.Make("registration", "Case", kCase, kCase, arrived));
  }
  ASSERT_EQ(node_.React(events)->applied, 52);
  EXPECT_EQ(node_.Topic("fr").size(), 52);
}

TEST_F(FeedBuilderTest, WaitsForRegistration) {
  Consent("fr", kReturn);
  Register();
  node_.services.status = status::Unavailable("away");
  reg::CaseSubmitted event;
  event.set_case_id(kCase);
  const auto submitted = node_.Make("registration", "Case", kCase, kCase, event);
  EXPECT_TRUE(status::IsTransient(node_.React({submitted}).status()));
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  node_.services.status = absl::OkStatus();
  EXPECT_EQ(node_.React({submitted})->applied, 1);
  EXPECT_EQ(node_.Types("fr").size(), 2);
}

// The partner is suspended between the builder's look and the lock.
TEST_F(FeedBuilderTest, LooksAgainWhereAPartnerWasSuspendedMeanwhile) {
  Consent("fr", kReturn);
  Register();
  v1::Partner as_seen = node_.partner("fr");
  node_.partner("fr").set_state(v1::PARTNER_STATE_SUSPENDED);
  node_.Keep("fr");
  node_.directory.Put(as_seen);
  reg::CaseSubmitted event;
  event.set_case_id(kCase);
  const auto submitted = node_.Make("registration", "Case", kCase, kCase, event);
  EXPECT_TRUE(status::IsTransient(node_.React({submitted}).status()));
  EXPECT_TRUE(node_.store.dead_letters().empty());
  node_.Keep("fr");
  EXPECT_EQ(node_.React({submitted})->applied, 1);
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
}

// ---- What falls due while a partner is suspended --------------------------------------------------------------------

TEST_F(FeedBuilderTest, AnAgreementThatEndsWhileThePartnerIsSuspendedIsToldWhenItIsResumed) {
  Suspend("fr");
  EndAgreement();
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  Resume("fr");
  ASSERT_THAT(node_.Types("fr"), ElementsAre("AgreementEnded"));
  v1::AgreementEnded ended;
  ASSERT_TRUE(ended.ParseFromString(node_.Topic("fr")[0].event.payload()));
  EXPECT_EQ(ended.agreement_id(), "a:1");
  EXPECT_EQ(ended.end_date(), "2026-06-30");
  Suspend("fr");
  Resume("fr");
  EXPECT_THAT(node_.Types("fr"), ElementsAre("AgreementEnded")) << "once is enough";
}

TEST_F(FeedBuilderTest, AnAgreementThatIsSignedWhileThePartnerIsSuspendedIsToldWhenItIsResumed) {
  Suspend("fr");
  v1::AgreementCountersigned event;
  event.set_id("a:1");
  event.set_partner_id("fr");
  event.mutable_signature()->set_node("tg");
  event.mutable_agreement()->set_id("a:1");
  event.mutable_agreement()->set_partner_id("fr");
  Own("SharingAgreement", "a:1", event);
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  node_.Restart();
  Resume("fr");
  EXPECT_THAT(node_.Types("fr"), ElementsAre("AgreementSigned"));
}

TEST_F(FeedBuilderTest, AReceiptThatFallsDueWhileThePartnerIsSuspendedIsToldOnce) {
  Suspend("fr");
  reg::PartnerDataErased erased;
  erased.set_case_id(kCase);
  erased.set_partner("fr");
  erased.set_erasure_id("e-1");
  node_.Case(erased);
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  Resume("fr");
  EXPECT_THAT(node_.Types("fr"), ElementsAre("ErasureDone"));
  Suspend("fr");
  Resume("fr");
  EXPECT_THAT(node_.Types("fr"), ElementsAre("ErasureDone"))
      << "a second receipt would be refused there";
}

// What the person takes back must be asked for before what the person gives anew is sent.
TEST_F(FeedBuilderTest, AWithdrawalWhileSuspendedIsAskedForBeforeWhatFollowsANewConsent) {
  Consent("fr", kReturn);
  Register();
  Submit();
  Suspend("fr");
  NoConsent("fr", kReturn);
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted"));
  Consent("fr", kReturn);
  node_.partner("fr").set_state(v1::PARTNER_STATE_ACTIVE);
  node_.Keep("fr");
  Arrive();  // before the news of the resumption has come
  EXPECT_THAT(node_.Types("fr"),
              ElementsAre("CaseRegistered", "CaseSubmitted", "ErasureRequested", "CaseArrived"));
  EXPECT_TRUE(node_.Topic("fr").back().boxed);
  Resume("fr");
  EXPECT_EQ(node_.Types("fr").size(), 4);
}

TEST_F(FeedBuilderTest, WhatIsAddressedToASuspendedPartnerWaitsForIt) {
  Suspend("fr");
  reg::HandOverOffered offered;
  offered.set_case_id(kCase);
  offered.set_hand_over_id("h");
  offered.set_to_node("fr");
  node_.Happens(node_.Make("registration", "HandOver", "h", kCase, offered));
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
  Resume("fr");
  ASSERT_THAT(node_.Types("fr"), ElementsAre("HandOverOffered"));
  EXPECT_EQ(node_.Topic("fr")[0].event.source_stream(), "HandOver/h");
}

TEST_F(FeedBuilderTest, StatisticsPublishedMeanwhileWaitForWhoseAgreementNamesThem) {
  auto& share = *node_.AddAgreement("de", "b").mutable_terms()->add_proposer_shares();
  share.add_event_types("sankofa.monitoring.v1.StatisticsPublished");
  node_.Keep("de");
  Suspend("de");
  Suspend("fr");
  monitoring::v1::StatisticsPublished event;
  event.set_code("2025");
  node_.Happens(node_.Make("monitoring", "Statistics", "2025", "2025", event));
  Resume("de");
  Resume("fr");
  EXPECT_THAT(node_.Types("de"), ElementsAre("StatisticsPublished"));
  EXPECT_THAT(node_.Types("fr"), IsEmpty());
}

// It is resumed between the builder's look and the lock: then nothing is kept that nobody would tell.
TEST_F(FeedBuilderTest, LooksAgainWhereAPartnerWasResumedMeanwhile) {
  Suspend("fr");
  v1::Partner as_seen = node_.partner("fr");
  node_.partner("fr").set_state(v1::PARTNER_STATE_ACTIVE);
  node_.Keep("fr");
  node_.directory.Put(as_seen);
  v1::AgreementTerminated event;
  event.set_id("a:1");
  event.set_partner_id("fr");
  const auto ended = node_.Make("exchange", "SharingAgreement", "a:1", "a:1", event);
  EXPECT_TRUE(status::IsTransient(node_.React({ended}).status()));
  node_.Keep("fr");
  EXPECT_EQ(node_.React({ended})->applied, 1);
  EXPECT_THAT(node_.Types("fr"), ElementsAre("AgreementEnded"));
}

TEST_F(FeedBuilderTest, WhatIsKeptIsBounded) {
  Suspend("fr");
  for (int i = 0; i < kKeptMessagesMax; ++i) EndAgreement();
  v1::AgreementTerminated event;
  event.set_id("a:1");
  event.set_partner_id("fr");
  const auto one_more = node_.Make("exchange", "SharingAgreement", "a:1", "a:1", event);
  EXPECT_EQ(node_.React({one_more})->dead_letters, 1);
  EXPECT_EQ(node_.store.dead_letters().back().reason, "BACKLOG_FULL");
  Resume("fr");
  EXPECT_EQ(node_.Topic("fr").size(), kKeptMessagesMax);
}

// ---- All cases, a page at a time ------------------------------------------------------------------------------------

class CatchUpTest : public FeedBuilderTest {
 protected:
  static constexpr int kCases = 3 * kPageCases + 7;
  void SetUp() override {
    for (int i = 0; i < kCases; ++i) ConsentTo("de", OldCase(i));
    Share(node_.AddAgreement("de", "b"), kReturn);
    node_.Keep("de");
    v1::AgreementCountersigned event;
    event.set_id("b:1");
    event.set_partner_id("de");
    event.mutable_signature()->set_node("de");
    const auto countersigned = node_.Make("exchange", "SharingAgreement", "b:1", "b:1", event);
    ASSERT_EQ(node_.React({countersigned})->applied, 1);
  }
};

TEST_F(CatchUpTest, GoesThroughAllCasesInUnitsOfWorkOfLimitedSize) {
  std::size_t before = 0;
  while (!node_.DeliveredAll()) {
    const std::size_t rows = node_.store.journal().size();
    node_.DeliverOwn(1);
    const std::size_t written = node_.store.journal().size() - rows;
    EXPECT_LE(written, kPageMessages + 10);
    before = std::max(before, written);
  }
  EXPECT_GE(before, 2 * kPageCases) << "and not case by case";
  EXPECT_EQ(node_.Topic("de").size(), 2 * kCases);
}

TEST_F(CatchUpTest, GoesOnWhereItWasAfterACrashAtEveryStep) {
  int failures = 0;
  // Each commit fails once: the process is gone, and another reads the same event again.
  bool fail = true;
  node_.store.on_commit = [&](const engine::WriteSet& writes) {
    if (writes.journal.empty() && writes.marks.empty()) return absl::OkStatus();
    fail = !fail;
    if (fail) return absl::OkStatus();
    ++failures;
    return status::Unavailable("the process is gone");
  };
  for (int tries = 0; !node_.DeliveredAll() && tries < 100'000; ++tries) {
    (void)node_.TryToDeliverOwn();
  }
  ASSERT_TRUE(node_.DeliveredAll());
  EXPECT_GT(failures, 3);
  EXPECT_EQ(node_.Topic("de").size(), 2 * kCases) << "each once";
}

TEST_F(CatchUpTest, EndsWhereThePartnerIsSuspendedAndBeginsAnewWhenItIsResumed) {
  while (node_.Topic("de").empty()) node_.DeliverOwn(1);
  Suspend("de");
  node_.DeliverOwn();
  const std::size_t told = node_.Topic("de").size();
  EXPECT_LT(told, 2 * kCases);
  Resume("de");
  EXPECT_EQ(node_.Topic("de").size(), 2 * kCases);
}

TEST_F(CatchUpTest, OfTwoRoundsTheLaterOneGoesOn) {
  v1::PartnerResumed event;
  event.set_partner_id("de");
  Own("Partner", "de", event);
  EXPECT_EQ(node_.Topic("de").size(), 2 * kCases);
}

// ---- A type that is named later -------------------------------------------------------------------------------------

// README: the feed does not go back behind what it has told of a stream.
TEST_F(FeedBuilderTest, ATypeThatIsNamedLaterIsToldFromThenOnAndOfStreamsThatWereNotBegun) {
  auto& terms = *node_.AddAgreement("fr", "a").mutable_terms();
  terms.clear_proposer_shares();
  auto& first = *terms.add_proposer_shares();
  first.set_purpose(kReturn);
  first.add_event_types("sankofa.registration.v1.CaseRegistered");
  first.add_event_types("sankofa.registration.v1.CaseSubmitted");
  node_.Keep("fr");
  Consent("fr", kReturn);
  Register();
  Arrive();  // before the submission, so that the stream passes it
  validation::v1::ProjectApproved approved;
  approved.set_case_id(kCase);
  approved.set_project_id("p");
  node_.Happens(node_.Make("validation", "LifeProject", "p", kCase, approved));
  Submit();
  ASSERT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted"));

  Share(node_.AddAgreement("fr", "c"), kReturn);
  node_.Keep("fr");
  v1::AgreementCountersigned event;
  event.set_id("c:1");
  event.set_partner_id("fr");
  event.mutable_signature()->set_node("fr");
  Own("SharingAgreement", "c:1", event);
  EXPECT_THAT(node_.Types("fr"), ElementsAre("CaseRegistered", "CaseSubmitted", "ProjectApproved"))
      << "the project's stream was not begun; the case's was told up to its submission";
  Arrive();
  EXPECT_EQ(node_.Types("fr").back(), "CaseArrived");
  EXPECT_EQ(node_.Types("fr").size(), 4);
}

}  // namespace
}  // namespace sankofa::exchange
