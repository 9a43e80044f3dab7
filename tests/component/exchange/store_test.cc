#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "sankofa/exchange/v1/exchange_internal.pb.h"
#include "services/exchange/agreement/terms.h"
#include "services/exchange/directory.h"
#include "services/exchange/erasure/erasure.h"
#include "services/exchange/measure.h"
#include "services/platform/crypto/hash.h"
#include "services/platform/telemetry/metrics.h"
#include "tests/component/exchange/node.h"

// Partners, agreements and erasures through the engine on a real PostgreSQL: what is written, what lists show, and what
// the directory sees.
namespace sankofa::exchange {
namespace {

using test::Reason;
using ::testing::ElementsAre;
using ::testing::SizeIs;

const absl::CivilDay kDay(2026, 6, 1);

v1::ProposeAgreementRequest Proposal(const std::string& agreement_id, int version,
                                     const std::string& partner) {
  v1::ProposeAgreementRequest request;
  request.set_agreement_id(agreement_id);
  request.set_version(version);
  request.set_partner_id(partner);
  v1::Share& share = *request.add_our_shares();
  share.set_purpose(registration::v1::CONSENT_PURPOSE_REINTEGRATION);
  share.add_event_types("sankofa.registration.v1.CaseArrived");
  request.set_legal_basis("treaty");
  request.set_from_date("2026-06-01");
  request.set_until_date("2028-05-31");
  return request;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    EXPECT_TRUE(tg_.Send(RegisterNode("fr", 'f')).ok());
    EXPECT_TRUE(tg_.Send(RegisterNode("cm", 'c')).ok());
  }

  // The partner's signature under what TG proposed.
  absl::Status Countersign(const std::string& id, char seed) {
    v1::RecordPartnerSignatureRequest request;
    request.set_id(id);
    request.set_key_id(KeyId(seed));
    request.set_signature(
        Signer(seed).Sign(kAgreementLabel, tg_.Read<v1::SharingAgreement>(id)->terms_bytes()));
    return tg_.Send(request);
  }
  std::string Agree(int number, int version, const std::string& partner, char seed) {
    const std::string agreement = engine::DerivedId(absl::StrCat("agreement-", number));
    EXPECT_TRUE(tg_.Send(Proposal(agreement, version, partner)).ok());
    EXPECT_TRUE(Countersign(AgreementIdOf(agreement, version), seed).ok());
    return AgreementIdOf(agreement, version);
  }
  void AskErasures(int count, const std::string& partner) {
    for (int i = 0; i < count; ++i) {
      v1::AskErasureRequest request;
      request.set_erasure_id(engine::DerivedId(absl::StrCat(partner, i)));
      request.set_case_id(engine::DerivedId(absl::StrCat("case", i)));
      request.set_partner_id(partner);
      ASSERT_TRUE(tg_.Send(request, absl::Minutes(i)).ok());
    }
  }
  // A row of what was taken, as the part that receives writes it.
  void Receive(const std::string& sender, const std::string& case_id, int sequence,
               const std::string& type) {
    auto connection = tg_.pool().Acquire(absl::InfiniteFuture());
    ASSERT_TRUE(connection.ok());
    const auto inserted = (*connection)
                              ->Execute(
                                  "insert into received_update values ($1::text || ':Case/' || "
                                  "$2::text, $1, $2, $3::bigint, $4::text, '\\x00', now(), now())",
                                  {sender, case_id, absl::StrCat(sequence), type});
    ASSERT_TRUE(inserted.ok()) << inserted.status();
  }
  // A message of a partner that is refused at a minute of the morning.
  void Refuse(const std::string& partner, const std::string& message, int minute) {
    v1::RefuseMessageRequest request;
    request.set_evidence_id(crypto::HashHex(message));
    request.set_partner_id(partner);
    request.set_event(message);
    request.mutable_receipt()->set_because(v1::REFUSED_BECAUSE_SIGNATURE);
    request.mutable_receipt()->set_subject(absl::StrCat("Case/of-", message));
    ASSERT_EQ(Reason(tg_.Send(request, absl::Minutes(minute))), "OK");
  }

  Node tg_{"tg", 't'};
};

TEST_F(StoreTest, ACommandSentTwiceTakesEffectOnce) {
  v1::SuspendPartnerRequest suspend;
  suspend.set_request_id(test::NextRequestId());
  suspend.set_partner_id("fr");
  suspend.set_reason("trouble");
  EXPECT_TRUE(tg_.Send(suspend).ok());
  EXPECT_TRUE(tg_.Send(suspend).ok());
  suspend.set_request_id(test::NextRequestId());
  EXPECT_EQ(Reason(tg_.Send(suspend)), "PARTNER_SUSPENDED");
}

TEST_F(StoreTest, PartnersAreListedByCode) {
  v1::ListPartnersRequest request;
  request.set_page_size(1);
  std::vector<std::string> codes;
  do {
    const auto page = tg_.Ask<v1::ListPartnersResponse>(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Partner& partner : page->partners()) {
      codes.push_back(partner.id());
      EXPECT_EQ(partner.etag(), "1");
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(codes, ElementsAre("cm", "fr"));
}

TEST_F(StoreTest, AStaleChangeIsRefused) {
  v1::UpdatePartnerRequest update;
  update.set_partner_id("fr");
  update.set_name("Renamed");
  update.set_brokers("kafka:9093");
  update.set_topic("feed.tg");
  update.set_exchange_address("exchange:7443");
  update.set_etag("1");
  EXPECT_EQ(Reason(tg_.Send(update)), "OK");
  EXPECT_EQ(Reason(tg_.Send(update)), "STALE_ETAG");
  v1::GetPartnerRequest get;
  get.set_partner_id("fr");
  EXPECT_EQ(tg_.Ask<v1::Partner>(get)->name(), "Renamed");
}

TEST_F(StoreTest, AVersionThatBothSignedReplacesTheOneBefore) {
  const std::string first = Agree(1, 1, "fr", 'f');
  const std::string second = Agree(1, 2, "fr", 'f');
  EXPECT_EQ(tg_.Read<v1::SharingAgreement>(first)->state(), v1::AGREEMENT_STATE_REPLACED);
  EXPECT_EQ(tg_.Read<v1::SharingAgreement>(second)->state(), v1::AGREEMENT_STATE_SIGNED);
  // Each stream has its own history: proposed, signed, replaced; proposed, signed.
  EXPECT_EQ(tg_.Read<v1::SharingAgreement>(first)->etag(), "3");
  EXPECT_EQ(tg_.Read<v1::SharingAgreement>(second)->etag(), "2");
}

TEST_F(StoreTest, AgreementsAreListedByPartner) {
  for (int i = 0; i < 3; ++i) Agree(i, 1, "fr", 'f');
  Agree(1, 2, "fr", 'f');
  Agree(9, 1, "cm", 'c');
  v1::ListAgreementsRequest request;
  request.set_partner_id("fr");
  request.set_page_size(3);
  const auto page = tg_.Ask<v1::ListAgreementsResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->agreements(), SizeIs(3));
  request.set_page_token(page->next_page_token());
  const auto rest = tg_.Ask<v1::ListAgreementsResponse>(request);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_THAT(rest->agreements(), SizeIs(1));
  EXPECT_EQ(rest->next_page_token(), "");
  request.set_partner_id("cm");
  EXPECT_EQ(Reason(tg_.Ask<v1::ListAgreementsResponse>(request).status()), "INVALID_PAGE_TOKEN");
}

TEST_F(StoreTest, ErasuresAreListedNewestFirst) {
  AskErasures(3, "fr");
  AskErasures(2, "cm");
  v1::ListErasuresRequest request;
  request.set_partner_id("fr");
  request.set_page_size(2);
  const auto page = tg_.Ask<v1::ListErasuresResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->erasures(), SizeIs(2));
  EXPECT_EQ(page->erasures(0).case_id(), engine::DerivedId("case2"));
  EXPECT_EQ(page->erasures(1).case_id(), engine::DerivedId("case1"));
  EXPECT_TRUE(tg_.read.empty());  // Load notes reads by itself, which this test's call does not
  request.set_page_token(page->next_page_token());
  EXPECT_THAT(tg_.Ask<v1::ListErasuresResponse>(request)->erasures(), SizeIs(1));

  v1::ListErasuresRequest of_case;
  of_case.set_case_id(engine::DerivedId("case1"));
  EXPECT_THAT(tg_.Ask<v1::ListErasuresResponse>(of_case)->erasures(), SizeIs(2));
  v1::ListErasuresRequest done;
  done.set_state(v1::ERASURE_STATE_DONE);
  EXPECT_THAT(tg_.Ask<v1::ListErasuresResponse>(done)->erasures(), SizeIs(0));
}

TEST_F(StoreTest, MetricsTellForEachPartnerWhatIsNotAnswered) {
  const auto value = [](const char* name, const char* partner) {
    return telemetry::GetGauge(name, "", {{"partner", partner}}).value();
  };
  AskErasures(2, "fr");
  auto connection = tg_.pool().Acquire(absl::InfiniteFuture());
  ASSERT_TRUE(connection.ok());
  // The partners' folder is not there: nothing is said of their certificates.
  ASSERT_TRUE(Measure("/nowhere", **connection).ok());
  EXPECT_EQ(value("sankofa_erasures_unanswered", "fr"), 2);
  EXPECT_EQ(value("sankofa_erasures_unanswered", "cm"), 0);
  EXPECT_EQ(value("sankofa_erasure_oldest_unanswered_seconds", "cm"), 0);
  const auto asked =
      (*connection)
          ->Execute("select extract(epoch from now() - min(asked_time))::bigint from erasure");
  ASSERT_TRUE(asked.ok());
  EXPECT_NEAR(value("sankofa_erasure_oldest_unanswered_seconds", "fr"),
              static_cast<double>(asked->integer(0, 0)), 60);
  ASSERT_TRUE((*connection)->Execute("update erasure set erasure_state = 2").ok());
  ASSERT_TRUE(Measure("/nowhere", **connection).ok());
  EXPECT_EQ(value("sankofa_erasures_unanswered", "fr"), 0);
  EXPECT_EQ(value("sankofa_erasure_oldest_unanswered_seconds", "fr"), 0);
}

TEST_F(StoreTest, AnErasureIsDueAfterItsTimeAndThenOverdue) {
  AskErasures(1, "fr");
  const absl::Time asked = Now().now;
  EXPECT_TRUE(tg_.session().Due(asked + kAnswerPeriod - absl::Seconds(1), 10)->empty());
  const auto due = tg_.session().Due(asked + kAnswerPeriod, 10);
  ASSERT_THAT(*due, SizeIs(1));
  v1::MarkErasureOverdueRequest overdue;
  ASSERT_EQ((*due)[0].command_type, overdue.GetTypeName());
  ASSERT_TRUE(overdue.ParseFromString((*due)[0].command));
  ASSERT_TRUE(tg_.Send(overdue, kAnswerPeriod).ok());
  EXPECT_TRUE(tg_.session().Due(asked + 2 * kAnswerPeriod, 10)->empty());
  v1::ListErasuresRequest request;
  request.set_state(v1::ERASURE_STATE_OVERDUE);
  EXPECT_THAT(tg_.Ask<v1::ListErasuresResponse>(request)->erasures(), SizeIs(1));
}

TEST_F(StoreTest, AnIdentityIsWhatThePartnerRegisters) {
  const auto identity = tg_.Ask<v1::OwnIdentity>(v1::GetOwnIdentityRequest());
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->node(), "tg");
  EXPECT_EQ(identity->format(), "sankofa.feed.v1");
  EXPECT_EQ(identity->key().key_id(), KeyId('t'));
  Node fr("fr", 'f');
  v1::RegisterPartnerRequest request = RegisterNode(identity->node(), 'x');
  request.set_verification_key(identity->key().verification_key());
  request.set_sealing_key(identity->key().sealing_key());
  EXPECT_TRUE(fr.Send(request).ok());
}

// ---- What came and went ---------------------------------------------------------------------------------------------

// Fills what a part would know.
class TestSource final : public HealthSource {
 public:
  void Fill(const v1::Partner& partner, absl::Time /*deadline*/,
            v1::PartnerHealth& health) override {
    health.set_unread(partner.id() == "fr" ? 4 : 0);
  }
};

TEST_F(StoreTest, HealthSaysWhatWasSentReceivedRefusedAndNotAnswered) {
  AskErasures(3, "fr");
  Receive("fr", "case-1", 1, "sankofa.registration.v1.CaseArrived");
  Receive("fr", "case-1", 2, "sankofa.exchange.v1.FeedRefused");
  Receive("cm", "case-1", 1, "sankofa.registration.v1.CaseArrived");
  for (int i = 0; i < 3; ++i) Refuse("fr", "stolen", i);
  Refuse("fr", "another", 3);
  TestSource source;
  tg_.health = {&source};
  v1::GetPartnerHealthRequest request;
  request.set_partner_id("fr");
  const auto health = tg_.Ask<v1::PartnerHealth>(request);
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(health->partner_id(), "fr");
  EXPECT_EQ(health->state(), v1::PARTNER_STATE_ACTIVE);
  EXPECT_EQ(health->sent(), 0);
  EXPECT_EQ(health->published(), 0);
  EXPECT_EQ(health->unread(), 4);
  EXPECT_EQ(health->received(), 2);
  EXPECT_EQ(health->receive_lag(), -1);
  EXPECT_TRUE(health->has_last_received_time());
  EXPECT_EQ(health->refused_here(), 4);
  EXPECT_EQ(health->refused_there(), 1);
  EXPECT_EQ(health->erasures_unanswered(), 3);

  request.set_partner_id("cm");
  EXPECT_EQ(tg_.Ask<v1::PartnerHealth>(request)->refused_here(), 0);
  EXPECT_FALSE(tg_.Ask<v1::PartnerHealth>(request)->erasures_unanswered());
  request.set_partner_id("eu");
  EXPECT_EQ(Reason(tg_.Ask<v1::PartnerHealth>(request).status()), "NOT_FOUND");
}

TEST_F(StoreTest, RefusalsAreListedNewestFirstWithoutWhatTheyHold) {
  Refuse("fr", "first", 1);
  Refuse("fr", "second", 2);
  Refuse("cm", "third", 3);
  Refuse("fr", "first", 4);
  v1::ListRefusalsRequest request;
  request.set_partner_id("fr");
  request.set_page_size(1);
  const auto page = tg_.Ask<v1::ListRefusalsResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->refusals(), SizeIs(1));
  EXPECT_EQ(page->refusals(0).id(), crypto::HashHex("first"));
  EXPECT_EQ(page->refusals(0).times(), 2);
  EXPECT_EQ(page->refusals(0).reason(), "SIGNATURE");
  EXPECT_EQ(page->refusals(0).event(), "");
  EXPECT_TRUE(tg_.read.contains("of-first")) << "the case that it claims to be about";
  EXPECT_FALSE(tg_.read.contains("of-second")) << "on another page";
  request.set_page_token(page->next_page_token());
  const auto rest = tg_.Ask<v1::ListRefusalsResponse>(request);
  ASSERT_THAT(rest->refusals(), SizeIs(1));
  EXPECT_EQ(rest->refusals(0).id(), crypto::HashHex("second"));
}

TEST_F(StoreTest, WhatPartnersSaidOfACaseIsListedOldestFirstAndNoted) {
  const std::string case_id = engine::DerivedId("case");
  for (int i = 1; i <= 3; ++i) Receive("fr", case_id, i, "sankofa.registration.v1.CaseArrived");
  Receive("cm", case_id, 1, "sankofa.validation.v1.ProjectApproved");
  Receive("fr", "another", 1, "sankofa.registration.v1.CaseArrived");
  v1::ListReceivedRequest request;
  request.set_case_id(case_id);
  request.set_page_size(3);
  const auto page = tg_.Ask<v1::ListReceivedResponse>(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->updates(), SizeIs(3));
  request.set_page_token(page->next_page_token());
  const auto rest = tg_.Ask<v1::ListReceivedResponse>(request);
  ASSERT_THAT(rest->updates(), SizeIs(1));
  EXPECT_EQ(rest->next_page_token(), "");
  EXPECT_TRUE(tg_.read.contains(case_id));
}

// ---- The directory --------------------------------------------------------------------------------------------------

TEST_F(StoreTest, TheDirectorySeesEachChangeAtOnce) {
  PostgresDirectory directory(tg_.pool(), "tg");
  auto snapshot = *directory.Current();
  EXPECT_EQ(snapshot->node, "tg");
  EXPECT_THAT(snapshot->partners, SizeIs(2));
  EXPECT_TRUE(snapshot->InForce("fr", kDay).empty());
  EXPECT_EQ(*directory.Current(), snapshot);  // nothing changed, nothing was read again

  const std::string agreement = Agree(1, 1, "fr", 'f');
  snapshot = *directory.Current();
  ASSERT_THAT(snapshot->InForce("fr", kDay), SizeIs(1));
  EXPECT_EQ(snapshot->InForce("fr", kDay)[0]->id(), agreement);

  v1::SuspendPartnerRequest suspend;
  suspend.set_partner_id("fr");
  suspend.set_reason("trouble");
  ASSERT_TRUE(tg_.Send(suspend).ok());
  EXPECT_TRUE((*directory.Current())->InForce("fr", kDay).empty());
  EXPECT_THAT(snapshot->InForce("fr", kDay), SizeIs(1));  // a snapshot never changes

  v1::ResumePartnerRequest resume;
  resume.set_partner_id("fr");
  ASSERT_TRUE(tg_.Send(resume).ok());
  EXPECT_THAT((*directory.Current())->InForce("fr", kDay), SizeIs(1));
  Agree(1, 2, "fr", 'f');
  ASSERT_THAT((*directory.Current())->InForce("fr", kDay), SizeIs(1));
  EXPECT_EQ((*directory.Current())->InForce("fr", kDay)[0]->terms().version(), 2);
}

TEST_F(StoreTest, TheDirectorySaysWhenTheDatabaseIsAway) {
  PostgresDirectory directory(tg_.pool(), "tg");
  ASSERT_TRUE(directory.Current().ok());
  tg_.pool().FailNth(1);
  EXPECT_EQ(directory.Current().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(directory.Current().ok());
}

TEST_F(StoreTest, ManyMayLookAtOnce) {
  PostgresDirectory directory(tg_.pool(), "tg");
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const auto snapshot = directory.Current();
        if (!snapshot.ok() || (*snapshot)->partners.size() < 2) ++failed;
      }
    });
  }
  for (int i = 0; i < 10; ++i) Agree(i, 1, "fr", 'f');
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_THAT((*directory.Current())->InForce("fr", kDay), SizeIs(10));
}

}  // namespace
}  // namespace sankofa::exchange
