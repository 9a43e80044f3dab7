#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/doctor/certificates.h"
#include "services/sankofactl/doctor/services.h"
#include "services/sankofactl/doctor/storage.h"
#include "services/sankofactl/output/failure.h"
#include "tests/unit/sankofactl/fixture.h"

namespace sankofa::ctl {
namespace {

namespace exch = exchange::v1;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr absl::Duration kTwoWeeks = absl::Hours(24 * 14);

TEST(DoctorWords, EveryTroubleHasItsOwnNameAndSaysWhatToDoInBothLanguages) {
  std::set<std::string_view> names;
  for (const Trouble trouble : AllTroubles()) {
    EXPECT_TRUE(names.insert(NameOf(trouble)).second) << NameOf(trouble);
    for (const char* language : {"en", "fr"}) {
      EXPECT_EQ(TodoOf(trouble, language).empty(), trouble == Trouble::kOk) << NameOf(trouble);
    }
    if (trouble != Trouble::kOk) {
      EXPECT_NE(TodoOf(trouble, "en"), TodoOf(trouble, "fr")) << NameOf(trouble);
    }
  }
  EXPECT_THAT(names, SizeIs(static_cast<int>(Trouble::kPartnerKeyEnding) + 1));
}

// ---- Certificates ---------------------------------------------------------------------------------------------------

SeenCertificate Good() {
  SeenCertificate seen;
  seen.about = "funding";
  seen.from = kNow - absl::Hours(24);
  seen.until = kNow + absl::Hours(24 * 90);
  seen.fingerprint = "ab";
  seen.names = {"localhost", "funding", "spiffe://tg.sankofa/funding"};
  return seen;
}

Trouble Judged(const SeenCertificate& seen) {
  return JudgeCertificate(seen, kNow, kTwoWeeks).trouble;
}

TEST(DoctorCertificates, OneThatHoldsIsGood) {
  SeenCertificate seen = Good();
  seen.needed_name = "spiffe://tg.sankofa/funding";
  seen.expected_fingerprint = "ab";
  const Finding finding = JudgeCertificate(seen, kNow, kTwoWeeks);
  EXPECT_EQ(finding.trouble, Trouble::kOk);
  EXPECT_EQ(finding.about, "funding");
  EXPECT_THAT(finding.seen, HasSubstr("90 days"));
}

TEST(DoctorCertificates, DatesAreJudgedToTheSecond) {
  SeenCertificate seen = Good();
  seen.until = kNow + kTwoWeeks;
  EXPECT_EQ(Judged(seen), Trouble::kOk);
  seen.until -= absl::Seconds(1);
  EXPECT_EQ(Judged(seen), Trouble::kCertificateEnding);
  seen.until = kNow;
  EXPECT_EQ(Judged(seen), Trouble::kCertificateEnding);
  seen.until -= absl::Seconds(1);
  EXPECT_EQ(Judged(seen), Trouble::kCertificateEnded);
  seen = Good();
  seen.from = kNow;
  EXPECT_EQ(Judged(seen), Trouble::kOk);
  seen.from += absl::Seconds(1);
  EXPECT_EQ(Judged(seen), Trouble::kCertificateNotYet);
}

TEST(DoctorCertificates, NamesKeysAuthoritiesAndFilesAreEachNamed) {
  SeenCertificate seen = Good();
  seen.trusted = false;
  EXPECT_EQ(Judged(seen), Trouble::kCertificateUntrusted);
  seen = Good();
  seen.key_fits = false;
  EXPECT_EQ(Judged(seen), Trouble::kCertificateKey);
  seen = Good();
  seen.needed_name = "spiffe://tg.sankofa/exchange";
  EXPECT_EQ(Judged(seen), Trouble::kCertificateName);
  seen = Good();
  seen.expected_fingerprint = "cd";
  EXPECT_EQ(Judged(seen), Trouble::kCertificateOld);
  seen = Good();
  seen.unreadable = "nothing there";
  EXPECT_EQ(Judged(seen), Trouble::kCertificateMissing);
  seen.unreachable = true;
  EXPECT_EQ(Judged(seen), Trouble::kTlsUnreachable);
}

TEST(DoctorCertificates, FilesThatAreNoneAndPortsWhereNobodyListensAreSaidSo) {
  const testing::Folder folder;
  EXPECT_EQ(Judged(LookAtFiles({.about = "a",
                                .certificate = folder.Path("none.pem"),
                                .key = {},
                                .ca = {},
                                .needed_name = {}})),
            Trouble::kCertificateMissing);
  EXPECT_EQ(Judged(LookAtFiles({.about = "a",
                                .certificate = folder.Write("text.pem", "no certificate"),
                                .key = {},
                                .ca = {},
                                .needed_name = {}})),
            Trouble::kCertificateMissing);
  // Port 1 is nobody's.
  EXPECT_EQ(Judged(LookAtServer("127.0.0.1:1", {}, absl::Seconds(5))), Trouble::kTlsUnreachable);
}

// ---- Clocks and the database ----------------------------------------------------------------------------------------

TEST(DoctorClocks, WhatTheWayMayHaveTakenIsNotHeldAgainstTheClock) {
  EXPECT_EQ(JudgeClock("database", absl::Seconds(2), absl::ZeroDuration()).trouble, Trouble::kOk);
  EXPECT_EQ(JudgeClock("database", absl::Milliseconds(2001), absl::ZeroDuration()).trouble,
            Trouble::kClockOff);
  EXPECT_EQ(JudgeClock("database", absl::Seconds(-3), absl::Milliseconds(10)).trouble,
            Trouble::kClockOff);
  EXPECT_EQ(JudgeClock("database", absl::Seconds(3), absl::Seconds(1)).trouble, Trouble::kOk);
}

TEST(DoctorDatabase, UnreachableSaysNothingOfMigrations) {
  SeenDatabase seen;
  seen.service = "funding";
  seen.reachable = absl::UnavailableError("refused");
  const Findings findings = JudgeDatabase(seen);
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].trouble, Trouble::kDatabaseUnreachable);
}

TEST(DoctorDatabase, MigrationsMissingChangedAndNewer) {
  SeenDatabase seen;
  seen.service = "funding";
  EXPECT_EQ(JudgeDatabase(seen).back().trouble, Trouble::kOk);
  // An older program meets a newer schema during an upgrade: that is as it should be.
  seen.newer = {"0009_later.sql"};
  EXPECT_EQ(JudgeDatabase(seen).back().trouble, Trouble::kOk);
  EXPECT_THAT(JudgeDatabase(seen).back().seen, HasSubstr("0009_later.sql"));
  seen.missing = {"0002_ledger.sql"};
  EXPECT_EQ(JudgeDatabase(seen).back().trouble, Trouble::kMigrationMissing);
  EXPECT_THAT(JudgeDatabase(seen).back().seen, HasSubstr("0002_ledger.sql"));
  seen.changed = {"0001_funding.sql"};
  EXPECT_EQ(JudgeDatabase(seen).back().trouble, Trouble::kMigrationChanged);
}

// ---- Kafka and Redis ------------------------------------------------------------------------------------------------

NeededTopics Needed(int replication = 1) {
  return {.names = {"sankofa.funding"},
          .partitions = 4,
          .replication = replication,
          .retention_hours = 168};
}

kafka::TopicState Topic(int partitions = 4, int replicas = 1) {
  kafka::TopicState topic;
  for (int i = 0; i < partitions; ++i) {
    topic.partitions.push_back({.has_leader = true, .replicas = replicas, .in_sync = replicas});
  }
  topic.settings = {{"min.insync.replicas", replicas >= 3 ? "2" : "1"},
                    {"retention.ms", "604800000"},
                    {"max.message.bytes", "1114112"}};
  return topic;
}

Trouble JudgedTopic(const kafka::TopicState& topic, const NeededTopics& needed) {
  kafka::ClusterState cluster;
  cluster.brokers = 3;
  cluster.topics[needed.names.front()] = topic;
  const Findings findings = JudgeKafka("b:1", needed, cluster);
  EXPECT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings.front().trouble, Trouble::kOk);
  return findings.back().trouble;
}

TEST(DoctorKafka, TopicsAsConfiguredAreGood) {
  EXPECT_EQ(JudgedTopic(Topic(), Needed()), Trouble::kOk);
  EXPECT_EQ(JudgedTopic(Topic(4, 3), Needed(3)), Trouble::kOk);
  // More than was asked for does no harm, nor does keeping for ever.
  EXPECT_EQ(JudgedTopic(Topic(12), Needed()), Trouble::kOk);
  kafka::TopicState topic = Topic();
  topic.settings["retention.ms"] = "-1";
  EXPECT_EQ(JudgedTopic(topic, Needed()), Trouble::kOk);
}

TEST(DoctorKafka, WhatIsWrongWithATopicIsNamed) {
  EXPECT_EQ(JudgedTopic(Topic(3), Needed()), Trouble::kTopicPartitions);
  EXPECT_EQ(JudgedTopic(Topic(4, 1), Needed(3)), Trouble::kTopicReplication);
  EXPECT_EQ(JudgedTopic({}, Needed()), Trouble::kTopicMissing);
  kafka::TopicState topic = Topic(4, 3);
  topic.partitions[2].in_sync = 2;
  EXPECT_EQ(JudgedTopic(topic, Needed(3)), Trouble::kTopicNotInSync);
  topic = Topic();
  topic.partitions[0].has_leader = false;
  EXPECT_EQ(JudgedTopic(topic, Needed()), Trouble::kTopicNotInSync);
  topic = Topic();
  topic.settings["retention.ms"] = "3600000";
  EXPECT_EQ(JudgedTopic(topic, Needed()), Trouble::kTopicRetention);
  topic = Topic();
  topic.settings["max.message.bytes"] = "1000000";
  EXPECT_EQ(JudgedTopic(topic, Needed()), Trouble::kTopicMessageSize);
  topic = Topic();
  topic.settings_status = absl::PermissionDeniedError("no");
  EXPECT_EQ(JudgedTopic(topic, Needed()), Trouble::kKafkaDenied);
}

TEST(DoctorKafka, OneCopyMayNotBeAllThatIsAskedForNorMayAll) {
  kafka::TopicState topic = Topic(4, 3);
  topic.settings["min.insync.replicas"] = "1";  // acknowledged by one broker that may then be lost
  EXPECT_EQ(JudgedTopic(topic, Needed(3)), Trouble::kTopicMinIsr);
  topic.settings["min.insync.replicas"] = "3";  // nothing is taken while one is away
  EXPECT_EQ(JudgedTopic(topic, Needed(3)), Trouble::kTopicMinIsr);
}

TEST(DoctorKafka, BrokersThatAreAwayDenyOrAreTooFew) {
  EXPECT_EQ(JudgeKafka("b:1", Needed(), absl::UnavailableError("away")).front().trouble,
            Trouble::kKafkaUnreachable);
  EXPECT_EQ(JudgeKafka("b:1", Needed(), absl::PermissionDeniedError("no")).front().trouble,
            Trouble::kKafkaDenied);
  kafka::ClusterState cluster;
  cluster.brokers = 2;
  EXPECT_EQ(JudgeKafka("b:1", Needed(3), cluster).front().trouble, Trouble::kTopicReplication);
}

TEST(DoctorRedis, Answers) {
  EXPECT_EQ(JudgeRedis("r:1", absl::OkStatus()).trouble, Trouble::kOk);
  EXPECT_EQ(JudgeRedis("r:1", absl::UnavailableError("away")).trouble, Trouble::kRedisUnreachable);
}

// ---- Services -------------------------------------------------------------------------------------------------------

SeenService Service(std::int64_t target, std::int64_t published, std::int64_t lag = 0) {
  SeenService seen;
  seen.service = "funding";
  seen.status.set_version("0.1.0");
  seen.status.set_events_published_target(target);
  seen.status.set_events_published(published);
  auto& consumer = *seen.status.add_consumers();
  consumer.set_group("sankofa.funding");
  consumer.set_lag(lag);
  return seen;
}

// The troubles among the findings.
std::vector<Trouble> TroublesOf(const Findings& findings) {
  std::vector<Trouble> troubles;
  for (const Finding& one : findings) {
    if (one.trouble != Trouble::kOk) troubles.push_back(one.trouble);
  }
  return troubles;
}

using ::testing::ElementsAre;

TEST(DoctorServices, OneThatServesIsGood) {
  const SeenService seen = Service(10, 10);
  EXPECT_FALSE(WorthAnotherLook(seen));
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), IsEmpty());
}

TEST(DoctorServices, AwayIsNotTheSameAsNotAllowed) {
  SeenService seen;
  seen.service = "funding";
  seen.answered = status::Unavailable("nobody listens");
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kServiceUnreachable));
  seen.answered = absl::UnauthenticatedError("no token");
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kServiceRefused));
  seen.answered = absl::PermissionDeniedError("not an operator");
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kServiceRefused));
}

TEST(DoctorServices, ARelayStandsStillOnlyIfNothingLeftBetweenTwoLooks) {
  const SeenService before = Service(10, 4);
  EXPECT_TRUE(WorthAnotherLook(before));
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, before)), IsEmpty());
  EXPECT_THAT(TroublesOf(JudgeService(&before, Service(12, 4))),
              ElementsAre(Trouble::kRelayStalled));
  EXPECT_THAT(TroublesOf(JudgeService(&before, Service(12, 5))), IsEmpty());
  // What came only now has not had its chance.
  const SeenService idle = Service(10, 10);
  EXPECT_THAT(TroublesOf(JudgeService(&idle, Service(12, 10))), IsEmpty());
}

TEST(DoctorServices, ParkedCasesDeadLettersAndConsumersInTroubleAreNamed) {
  SeenService seen = Service(10, 10);
  seen.status.set_parked_cases(2);
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kRelayParked));
  seen = Service(10, 10);
  seen.status.set_dead_letters_waiting(1);
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kDeadLetters));
  seen = Service(10, 10);
  seen.status.mutable_consumers(0)->set_trouble("no Kafka broker answers");
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, seen)), ElementsAre(Trouble::kConsumerTrouble));
}

TEST(DoctorServices, AConsumerIsBehindIfItHasMuchToReadAndDoesNotGetOn) {
  const SeenService before = Service(10, 10, kLagMax + 5);
  EXPECT_TRUE(WorthAnotherLook(before));
  EXPECT_THAT(TroublesOf(JudgeService(&before, Service(10, 10, kLagMax + 5))),
              ElementsAre(Trouble::kConsumerBehind));
  EXPECT_THAT(TroublesOf(JudgeService(&before, Service(10, 10, kLagMax + 4))), IsEmpty());
  EXPECT_THAT(TroublesOf(JudgeService(nullptr, before)), IsEmpty());
}

TEST(DoctorServices, VersionsThatDifferAreNamed) {
  SeenService other = Service(1, 1);
  other.status.set_version("0.2.0");
  EXPECT_EQ(JudgeVersions({Service(1, 1), Service(2, 2)}).trouble, Trouble::kOk);
  EXPECT_EQ(JudgeVersions({Service(1, 1), other}).trouble, Trouble::kVersionsDiffer);
}

// ---- Partners -------------------------------------------------------------------------------------------------------

SeenPartner PartnerFr() {
  SeenPartner seen;
  seen.partner.set_id("fr");
  seen.partner.set_kind(exch::PARTNER_KIND_NODE);
  seen.partner.set_state(exch::PARTNER_STATE_ACTIVE);
  seen.partner.add_keys()->set_key_id("1");
  return seen;
}

std::vector<Trouble> JudgedPartner(const SeenPartner& seen) {
  return TroublesOf(JudgePartner(seen, kNow, kTwoWeeks));
}

TEST(DoctorPartners, WhatIsInTheWayIsNamed) {
  EXPECT_THAT(JudgedPartner(PartnerFr()), IsEmpty());
  SeenPartner seen = PartnerFr();
  seen.health.set_trouble("its certificate is refused");
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerTrouble));
  seen = PartnerFr();
  seen.health.set_receive_lag(-1);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerSilent));
  seen = PartnerFr();
  seen.health.set_receive_lag(kLagMax + 1);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerBehind));
  seen = PartnerFr();
  seen.health.set_unread(kLagMax + 1);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerUnread));
  seen = PartnerFr();
  seen.health.set_refused_there(1);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerRefuses));
  seen = PartnerFr();
  seen.health.set_erasures_unanswered(1);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerErasures));
  seen = PartnerFr();
  seen.answered = absl::UnavailableError("away");
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kServiceUnreachable));
}

TEST(DoctorPartners, ASuspendedOneIsAsTheOperatorWantedIt) {
  SeenPartner seen = PartnerFr();
  seen.partner.set_state(exch::PARTNER_STATE_SUSPENDED);
  seen.health.set_receive_lag(-1);
  EXPECT_THAT(JudgedPartner(seen), IsEmpty());
}

TEST(DoctorPartners, KeysThatEndWithoutASuccessor) {
  SeenPartner seen = PartnerFr();
  auto& key = *seen.partner.mutable_keys(0);
  *key.mutable_until_time() = time::ToTimestamp(kNow + absl::Hours(24 * 30));
  EXPECT_THAT(JudgedPartner(seen), IsEmpty());
  *key.mutable_until_time() = time::ToTimestamp(kNow + absl::Hours(24));
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerKeyEnding));
  *key.mutable_until_time() = time::ToTimestamp(kNow - absl::Hours(1));
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerNoKey));
  // With a successor, a rotation is under way.
  *key.mutable_until_time() = time::ToTimestamp(kNow + absl::Hours(24));
  seen.partner.add_keys()->set_key_id("2");
  EXPECT_THAT(JudgedPartner(seen), IsEmpty());
  EXPECT_THAT(JudgePartner(seen, kNow, kTwoWeeks).back().seen, HasSubstr("under way"));
  // A stolen one is no successor.
  seen.partner.mutable_keys(1)->set_revoked(true);
  EXPECT_THAT(JudgedPartner(seen), ElementsAre(Trouble::kPartnerKeyEnding));
}

// ---- The command ----------------------------------------------------------------------------------------------------

TEST(DoctorCommand, WantsToKnowWhichNode) {
  testing::FakeNode node;
  const testing::Ran ran = testing::RunWith(node, {}, {"doctor"});
  EXPECT_EQ(ran.exit_code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--config"));
  EXPECT_THAT(node.calls, IsEmpty());
}

}  // namespace
}  // namespace sankofa::ctl
