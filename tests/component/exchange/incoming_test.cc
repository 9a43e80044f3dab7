#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "services/exchange/digest/compare.h"
#include "services/exchange/ingest/ingest.h"
#include "services/exchange/ingest/received_feed.h"
#include "services/platform/telemetry/log.h"
#include "tests/component/exchange/world.h"
#include "tests/component/kafka/broker.h"
#include "tests/unit/exchange/fake_directory.h"

// A partner's feed read from a real Kafka into a real PostgreSQL. FR is the own node, TG the partner.
namespace sankofa::exchange {
namespace {

using testing::HasSubstr;

class IncomingTest : public kafka::BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    folder_ = std::filesystem::temp_directory_path() / Fresh("sankofa-partners");
    std::filesystem::create_directories(folder_ + "/tg");
    topic_ = MakeTopic();
    producer_ = MakeProducer(As("node"));
    tg_.SealFor(own_key_->public_key());
    v1::Partner partner = tg_.Partner();
    partner.set_brokers(brokers_);
    partner.set_topic(topic_);
    world_.Register(partner);
    directory_.Put(partner);
    directory_.Put(tg_.Agreement());
  }
  void TearDown() override {
    ingest_.reset();
    std::filesystem::remove_all(folder_);
    BrokerTest::TearDown();
  }

  // What TG gave this node: the certificate of that name.
  void GiveCertificate(const std::string& name) {
    const kafka::ClientOptions files = As(name);
    const auto replace = [&](const std::string& from, const std::string& to) {
      std::filesystem::copy_file(from, folder_ + "/part");
      std::filesystem::rename(folder_ + "/part", folder_ + "/tg/" + to);
    };
    replace(files.ca, "ca.pem");
    replace(files.key, "client.key");
    replace(files.certificate, "client.pem");
  }

  void Start() {
    ingest_.reset();
    IngestOptions options;
    options.node = "fr";
    options.partner_folder = folder_;
    options.sealing_key = own_key_.get();
    options.look = absl::Milliseconds(100);
    options.replay = [this](
                         const std::string& partner,
                         const v1::ReplayRequest& request) -> absl::StatusOr<v1::ReplayResponse> {
      EXPECT_EQ(partner, "tg");
      ++replays_;
      v1::ReplayResponse response;
      std::int64_t sequence = 0;
      const std::lock_guard lock(mutex_);
      for (const auto& message : tg_.Messages(request.subject())) {
        if (++sequence < request.from_sequence()) continue;
        *response.add_messages()->mutable_message() = message;
      }
      return response;
    };
    ingest_ = std::make_unique<Ingest>(std::move(options), world_.engine, world_.store, directory_,
                                       clients_);
  }

  v1::SignedFeedEvent Append(const std::string& case_id) {
    const std::lock_guard lock(mutex_);
    return tg_.Append(case_id);
  }
  void Publish(const std::string& case_id, const std::string& value) {
    ASSERT_TRUE(producer_
                    ->Produce({.topic = topic_,
                               .key = case_id,
                               .value = value,
                               .headers = {{"ce_subject", "Case/" + case_id}}},
                              0)
                    .ok());
    ASSERT_TRUE(producer_->Flush(kafka::kPatience).ok());
  }
  void Publish(const std::string& case_id, const v1::SignedFeedEvent& message) {
    Publish(case_id, message.SerializeAsString());
  }

  [[nodiscard]] std::int64_t Number(const std::string& sql) { return world_.database.Number(sql); }
  template <class Condition>
  bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      producer_->Poll(absl::Milliseconds(20));
    }
    return true;
  }
  bool Arrived(std::int64_t count) {
    return Eventually([&] { return Number("select count(*) from received_update") >= count; });
  }
  // Everything that was sent was taken once, and in order: digests say so.
  [[nodiscard]] bool Complete(const std::vector<std::string>& cases) {
    std::vector<v1::DigestLeaf> leaves;
    for (const std::string& id : cases) {
      v1::DigestLeaf& leaf = leaves.emplace_back();
      leaf.set_subject("Case/" + id);
      leaf.set_sequence(static_cast<std::int64_t>(tg_.Messages(leaf.subject()).size()));
      leaf.set_last_hash(crypto::Hash(tg_.Messages(leaf.subject()).back().event()));
    }
    const auto received = ReceivedFrom(world_.Reader(), "tg");
    return received.ok() && received->At("")->hash() == DigestTree(leaves).At("")->hash();
  }

  std::string folder_;
  std::string topic_;
  World world_;
  std::unique_ptr<kafka::Producer> producer_;
  std::unique_ptr<crypto::SealingKey> own_key_ =
      *crypto::SealingKey::FromSecret(std::string(32, 'o'));
  std::mutex mutex_;
  Sender tg_;
  FakeDirectory directory_{"fr"};
  PartnerClients clients_{""};
  std::atomic<int> replays_ = 0;
  std::unique_ptr<Ingest> ingest_;
};

TEST_F(IncomingTest, MessagesAreTakenOnceAndInOrder) {
  GiveCertificate("node");
  Start();
  std::vector<std::string> cases;
  for (int i = 0; i < 7; ++i) cases.push_back(absl::StrCat("case-", i));
  for (int i = 0; i < 210; ++i) {
    const std::string& id = cases[i % cases.size()];
    const auto message = Append(id);
    Publish(id, message);
    if (i % 10 == 0) Publish(id, message);  // once more
    if (i == 100) Start();                  // an end and a new beginning in between
  }
  EXPECT_TRUE(Arrived(210));
  EXPECT_TRUE(Complete(cases));
  EXPECT_EQ(Number("select count(*) from received_update"), 210);
  EXPECT_EQ(Number("select count(*) from refusal"), 0);
  EXPECT_EQ(replays_, 0);
  EXPECT_TRUE(ingest_->HealthOf("tg").status.ok()) << ingest_->HealthOf("tg").status;
  EXPECT_GT(ingest_->HealthOf("tg").last_applied, absl::InfinitePast());
}

TEST_F(IncomingTest, ATamperedMessageIsEvidenceAndTheGenuineOneIsFetched) {
  GiveCertificate("node");
  Start();
  Publish("a", Append("a"));
  v1::SignedFeedEvent tampered = Append("a");
  tampered.mutable_event()->back() = static_cast<char>(tampered.event().back() ^ 1);
  Publish("a", tampered);
  Append("b");
  Publish("b", "garbage");  // in the place of a message of which nothing can be read
  EXPECT_TRUE(Arrived(3));
  EXPECT_TRUE(Complete({"a", "b"}));
  EXPECT_EQ(replays_, 2);
  EXPECT_EQ(world_.database.Value("select string_agg(reason, ',' order by reason) from refusal"),
            "MALFORMED,SIGNATURE");
  // The receipt is in the journal, from where the feed takes it; what was refused is sealed.
  EXPECT_EQ(Number("select count(*) from journal where event_type = "
                   "'sankofa.exchange.v1.MessageRefused'"),
            2);
}

TEST_F(IncomingTest, WhatIsMissingAtTheEndIsFoundByDigestsAndAskedFor) {
  GiveCertificate("node");
  Start();
  Publish("a", Append("a"));
  EXPECT_TRUE(Arrived(1));
  Append("a");  // lost on its way, with nothing after it
  Append("b");
  EXPECT_FALSE(Complete({"a", "b"}));
  ingest_->Ask("tg", "Case/a", 2);
  ingest_->Ask("tg", "Case/b", 1);
  EXPECT_TRUE(Arrived(3));
  EXPECT_TRUE(Complete({"a", "b"}));
}

TEST_F(IncomingTest, TheOperatorLearnsWhatIsInTheWayAndARenewedCertificateIsTaken) {
  const telemetry::LogCapture capture;
  Start();
  Publish("a", Append("a"));
  EXPECT_TRUE(Eventually([&] { return !ingest_->HealthOf("tg").status.ok(); }));
  EXPECT_THAT(std::string(ingest_->HealthOf("tg").status.message()), HasSubstr("/tg/ca.pem"));
  // A certificate that has no right on this topic and group.
  GiveCertificate("validation");
  EXPECT_TRUE(Eventually([&] { return absl::IsPermissionDenied(ingest_->HealthOf("tg").status); }))
      << ingest_->HealthOf("tg").status;
  EXPECT_THAT(std::string(ingest_->HealthOf("tg").status.message()), HasSubstr(topic_));
  GiveCertificate("node");
  EXPECT_TRUE(Arrived(1));
  EXPECT_TRUE(Eventually([&] { return ingest_->HealthOf("tg").status.ok(); }));
}

TEST_F(IncomingTest, ATopicThatIsDeletedAndFilledAgainLosesNothing) {
  GiveCertificate("node");
  Start();
  for (int i = 0; i < 5; ++i) Publish("a", Append("a"));
  EXPECT_TRUE(Arrived(5));
  ASSERT_TRUE(admin_->DeleteTopic(topic_, kafka::kPatience).ok());
  EXPECT_TRUE(
      Eventually([&] { return admin_->EnsureTopics({{.name = topic_}}, kafka::kPatience).ok(); }));
  for (const auto& message : tg_.Messages("Case/a")) Publish("a", message);
  for (int i = 0; i < 5; ++i) Publish("a", Append("a"));
  EXPECT_TRUE(Arrived(10));
  EXPECT_TRUE(Complete({"a"}));
  EXPECT_EQ(Number("select count(*) from refusal"), 0);
}

TEST_F(IncomingTest, ASuspendedPartnerIsNotRead) {
  GiveCertificate("node");
  Start();
  Publish("a", Append("a"));
  EXPECT_TRUE(Arrived(1));
  v1::Partner partner = tg_.Partner();
  partner.set_brokers(brokers_);
  partner.set_topic(topic_);
  partner.set_state(v1::PARTNER_STATE_SUSPENDED);
  directory_.Put(partner);
  EXPECT_TRUE(Eventually([&] { return !ingest_->HealthOf("tg").reading; }));
  Publish("a", Append("a"));
  partner.set_state(v1::PARTNER_STATE_ACTIVE);
  directory_.Put(partner);
  EXPECT_TRUE(Arrived(2));
  EXPECT_TRUE(Complete({"a"}));
}

}  // namespace
}  // namespace sankofa::exchange
