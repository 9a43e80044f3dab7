#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/exchange/directory.h"
#include "services/exchange/feed/access.h"
#include "services/exchange/feed/build/builder.h"
#include "services/exchange/feed/route.h"
#include "services/exchange/service.h"
#include "services/platform/kafka/event.h"
#include "services/platform/kafka/reaction_runner.h"
#include "services/platform/kafka/relay.h"
#include "services/platform/postgres/faults.h"
#include "services/platform/postgres/store.h"
#include "services/platform/service/relay_source.h"
#include "tests/component/kafka/broker.h"
#include "tests/component/postgres/database.h"
#include "tests/unit/exchange/feed_node.h"

// From a service's topic to a partner's, over a real PostgreSQL and a real Kafka, whatever fails on the way; and what a
// partner's certificate may read there.
namespace sankofa::exchange {
namespace {

using kafka::Acl;
using kafka::kPatience;

constexpr Purpose kReturn = reg::CONSENT_PURPOSE_REINTEGRATION;

class NoReplay final : public kafka::ReplaySource {
 public:
  absl::StatusOr<std::vector<engine::IncomingEvent>> Fetch(const std::string& /*source*/,
                                                           const engine::StreamKey& /*stream*/,
                                                           std::int64_t /*from_sequence*/,
                                                           int /*limit*/) override {
    return absl::UnavailableError("nothing is replayed in this test");
  }
};

class FeedTopicTest : public kafka::BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    database_ = std::make_unique<postgres::testing::Database>(Definition().migrations);
    Definition().commands(registry_, test::FakeBlind);
    ASSERT_TRUE(admin_->DeleteTopic("feed.fr", kPatience).ok());
    ASSERT_TRUE(admin_->EnsureTopics({{.name = "sankofa.registration"}}, kPatience).ok());
    for (const char* code : {"fr", "de"}) {
      v1::Partner& partner = partners_[code];
      partner.set_id(code);
      partner.set_kind(v1::PARTNER_KIND_NODE);
      partner.set_state(v1::PARTNER_STATE_ACTIVE);
      partner.set_certificate_identity(absl::StrCat("partner-", code));
      auto& key = *partner.add_keys();
      key.set_key_id(KeyId('f'));
      key.set_verification_key(Signer('f').public_key());
      key.set_sealing_key(Sealer('f').public_key());
      Keep(partner);
    }
    v1::SharingAgreement agreement;
    agreement.set_id("a:1");
    agreement.set_partner_id("fr");
    agreement.set_state(v1::AGREEMENT_STATE_SIGNED);
    *agreement.mutable_signed_time() = time::ToTimestamp(absl::FromUnixSeconds(1'577'836'800));
    auto& terms = *agreement.mutable_terms();
    terms.set_proposer("tg");
    terms.set_counterpart("fr");
    terms.set_from_date("2020-01-01");
    terms.set_until_date("2099-12-31");
    auto& share = *terms.add_proposer_shares();
    share.set_purpose(kReturn);
    for (const char* type : {"CaseRegistered", "CaseSubmitted", "CaseArrived"}) {
      share.add_event_types(absl::StrCat("sankofa.registration.v1.", type));
    }
    share.add_fields("person.details.family_names");
    Keep(agreement);
  }

  void TearDown() override {
    for (const char* code : {"fr", "de"}) {
      EXPECT_TRUE(admin_->RemoveAcls(RightsOf(partners_[code]), kPatience).ok());
      EXPECT_TRUE(admin_->DeleteTopic(FeedTopicOf(code), kPatience).ok());
    }
    BrokerTest::TearDown();
  }

  template <class State>
  void Keep(const State& state) {
    postgres::Pool pool(database_->options(), 1);
    postgres::PostgresStore store(pool, {.schema = database_->service()});
    auto session = *store.Open(absl::InfiniteFuture());
    const auto key = engine::KeyOf<State>(state.id());
    auto loaded = session->Load({.streams = {key}, .request_ids = {}, .inbox = {}});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    engine::WriteSet writes;
    writes.states.push_back({.stream = key,
                             .partition_key = state.id(),
                             .stored = {loaded->streams[key].version + 1, state.SerializeAsString(),
                                        std::string(32, 'h')}});
    const auto committed = session->Commit(writes);
    ASSERT_TRUE(committed.ok()) << committed;
  }

  // The events of `cases` new cases on registration's topic, as its relay would put them there.
  void PublishCases(int cases, int arrivals) {
    kafka::ProducerOptions options;
    options.on_delivery = [](std::uint64_t /*id*/, const absl::Status& outcome) {
      EXPECT_TRUE(outcome.ok()) << outcome;
    };
    auto producer = OpenProducer(As("node"), std::move(options));
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (int i = 0; i < cases; ++i) {
      const std::string id = engine::DerivedId(Fresh("case"));
      cases_.insert(id);
      reg::Disclosure disclosure;
      disclosure.set_case_id(id);
      disclosure.set_purpose(kReturn);
      disclosure.mutable_person()->mutable_details()->set_family_names("Mensah-Test");
      disclosure.mutable_person()->mutable_details()->set_given_names("Ama");
      services_.consents[{id, "fr", kReturn}] = disclosure;
      reg::CaseRegistered registered;
      registered.set_case_id(id);
      Put(**producer, id, 1, registered);
      reg::CaseSubmitted submitted;
      submitted.set_case_id(id);
      Put(**producer, id, 2, submitted);
      for (int n = 0; n < arrivals; ++n) {
        reg::CaseArrived arrived;
        arrived.set_case_id(id);
        arrived.set_arrival_date("2026-05-30");
        Put(**producer, id, 3 + n, arrived);
      }
    }
    ASSERT_TRUE((*producer)->Flush(kPatience).ok());
  }

  void Put(kafka::Producer& producer, const std::string& id, std::int64_t sequence,
           const google::protobuf::Message& event) {
    engine::JournalRow row;
    row.stream = {"Case", id};
    row.sequence = sequence;
    row.partition_key = id;
    row.event_type = event.GetDescriptor()->full_name();
    row.payload = event.SerializeAsString();
    row.event_time = absl::Now();
    row.previous_hash = sequence == 1 ? std::string() : std::string(32, 'p');
    row.hash = std::string(32, 'h');
    ASSERT_TRUE(producer.Produce(kafka::ToRecord(row, "tg", "registration"), sequence).ok());
    services_.journal["registration"].push_back({.meta = {.source = "registration",
                                                          .stream = row.stream,
                                                          .sequence = sequence,
                                                          .partition_key = id,
                                                          .time = row.event_time,
                                                          .traceparent = ""},
                                                 .event_type = row.event_type,
                                                 .payload = row.payload});
  }

  // One life of the sending side: what reads, builds and publishes. Ends without a word where it is killed.
  struct Life {
    explicit Life(FeedTopicTest& test, std::shared_ptr<kafka::Faults> kafka_faults = nullptr,
                  std::shared_ptr<postgres::Faults> faults = nullptr)
        : pool(
              [&] {
                auto options = test.database_->options();
                options.faults = std::move(faults);
                return options;
              }(),
              4),
          store(pool, {.schema = test.database_->service()}),
          directory(pool, "tg"),
          builder({.node = "tg"}, directory, store, test.services_),
          engine({.node = "tg", .country = "TG", .service = "exchange", .signer = test.signer_},
                 test.registry_, *test.vault_),
          sink(engine, store, builder),
          source(pool.options(), test.database_->service(), 0) {
      auto client = test.As("node");
      client.faults = std::move(kafka_faults);
      kafka::ReactionOptions reading;
      reading.node = "tg";
      reading.service = test.database_->service();  // a group of its own
      reading.sources = {"registration"};
      reading.retry = {absl::Milliseconds(5), absl::Milliseconds(50)};
      runner = std::make_unique<kafka::ReactionRunner>(
          reading, sink, replay, [client](kafka::ConsumerOptions options) {
            return kafka::OpenConsumer(client, std::move(options));
          });
      kafka::RelayOptions publishing;
      publishing.node = "tg";
      publishing.service = "exchange";
      publishing.retry = {absl::Milliseconds(5), absl::Milliseconds(50)};
      publishing.own_interval = absl::Milliseconds(50);
      publishing.topic_interval = absl::Milliseconds(500);
      publishing.to_record = [](const engine::JournalRow& row) {
        return *FeedRecordOf(row);  // no others are published here
      };
      publishing.look_after = [admin = test.admin_.get()](const std::vector<std::string>& topics)
          -> absl::StatusOr<std::map<std::string, std::int64_t>> {
        std::map<std::string, std::int64_t> records;
        for (const std::string& topic : topics) {
          if (auto made = admin->EnsureTopics({{.name = topic}}, kPatience); !made.ok())
            return made;
          const auto partitions = admin->TopicWatermarks(topic, kPatience);
          if (!partitions.ok()) return partitions.status();
          records[topic] = 0;
          for (const auto& [_, marks] : *partitions) records[topic] += marks.next;
        }
        return records;
      };
      relay = std::make_unique<kafka::Relay>(
          publishing, source, [client](kafka::ProducerOptions options) {
            return kafka::OpenProducer(client, std::move(options));
          });
    }

    void Step() {
      runner->Step(absl::Milliseconds(1));
      relay->Step(absl::Milliseconds(1));
    }

    postgres::Pool pool;
    postgres::PostgresStore store;
    PostgresDirectory directory;
    FeedBuilder builder;
    engine::Engine engine;
    kafka::EngineSink sink;
    NoReplay replay;
    service::JournalRelaySource source;
    std::unique_ptr<kafka::ReactionRunner> runner;
    std::unique_ptr<kafka::Relay> relay;
  };

  // Reads what is on feed.fr with the partner's own certificate and group.
  struct Reader {
    explicit Reader(FeedTopicTest& test) : test(test) {
      auto opened = kafka::OpenConsumer(test.As("partner-fr"),
                                        {.group = "partner-fr", .topics = {"feed.fr"}});
      EXPECT_TRUE(opened.ok()) << opened.status();
      consumer = *std::move(opened);
    }
    // Verifies and applies once; a repeat has to be the same to the byte.
    void Step() {
      const auto messages = consumer->PollBatch(500, absl::Milliseconds(5));
      if (absl::IsUnavailable(messages.status()))
        return;  // its topic was deleted, and is made again
      ASSERT_TRUE(messages.ok()) << messages.status();
      for (const kafka::Message& record : *messages) {
        ++records;
        v1::SignedFeedEvent message;
        v1::FeedEvent event;
        ASSERT_TRUE(message.ParseFromString(record.value));
        ASSERT_TRUE(event.ParseFromString(message.event()));
        ASSERT_TRUE(crypto::Verifies(Signer('t').public_key(), "sankofa.feed.v1", message.event(),
                                     message.signature()));
        ASSERT_EQ(record.key, event.subject().substr(5));
        auto& chain = chains[event.subject()];
        if (event.sequence() <= static_cast<std::int64_t>(chain.size())) {
          ASSERT_EQ(chain[static_cast<std::size_t>(event.sequence()) - 1], message.event());
          continue;
        }
        ASSERT_EQ(event.sequence(), static_cast<std::int64_t>(chain.size()) + 1);
        ASSERT_EQ(event.previous_hash(), chain.empty() ? "" : crypto::Hash(chain.back()));
        chain.push_back(message.event());
        ++applied;
        if (message.sealed().empty()) continue;
        const auto box = Sealer('f').Open(message.sealed());
        ASSERT_TRUE(box.ok()) << box.status();
        v1::SealedContent content;
        ASSERT_TRUE(content.ParseFromString(*box));
        ASSERT_EQ(content.disclosures(0).person().details().family_names(), "Mensah-Test");
        ASSERT_EQ(content.disclosures(0).person().details().given_names(), "");
        ++opened;
      }
    }
    FeedTopicTest& test;
    std::unique_ptr<kafka::Consumer> consumer;
    std::map<std::string, std::vector<std::string>> chains;
    int records = 0;
    int applied = 0;
    int opened = 0;
  };

  void Align() {
    Snapshot snapshot;
    snapshot.partners = partners_;
    FeedRights rights(*admin_);
    ASSERT_TRUE(rights.Align(snapshot).ok());
    // The broker answers before it goes by them.
    const absl::Time deadline = absl::Now() + kPatience;
    while (*admin_->DescribeAcls("User:partner-fr", kPatience) != RightsOf(partners_["fr"])) {
      ASSERT_LT(absl::Now(), deadline);
    }
  }

  template <class Done>
  static bool Await(Done done) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!done() && absl::Now() < deadline) {}
    return done();
  }

  // Which code the health of a reader comes to.
  absl::StatusCode Refused(const std::string& certificate, const std::string& group,
                           const std::string& topic) {
    auto consumer = kafka::OpenConsumer(As(certificate), {.group = group, .topics = {topic}});
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    std::size_t messages = 0;
    Await([&] {
      const auto polled = (*consumer)->PollBatch(1, absl::Milliseconds(20));
      if (polled.ok()) messages += polled->size();
      return !(*consumer)->Health().ok() || messages > 0;
    });
    EXPECT_EQ(messages, 0) << certificate << " read " << topic;
    return (*consumer)->Health().code();
  }

  std::unique_ptr<postgres::testing::Database> database_;
  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  std::shared_ptr<const crypto::Signer> signer_ = *crypto::Signer::FromSeed(std::string(32, 't'));
  FakeServices services_;
  std::map<std::string, v1::Partner> partners_;
  std::set<std::string> cases_;
};

TEST_F(FeedTopicTest, AnEventOfAServiceReachesItsPartner) {
  Align();
  PublishCases(5, 3);
  Life life(*this);
  ASSERT_TRUE(Await([&] {
    life.Step();
    return life.relay->published() == 25;
  })) << life.runner->Health()
      << life.relay->Health();
  Reader reader(*this);
  ASSERT_TRUE(Await([&] {
    reader.Step();
    return reader.applied == 25 || HasFatalFailure();
  })) << reader.applied
      << " " << reader.consumer->Health();
  EXPECT_EQ(reader.chains.size(), 5);
  EXPECT_EQ(reader.opened, 5);
}

TEST_F(FeedTopicTest, EachMessageOnceWhateverFailsOnTheWay) {
  Align();
  PublishCases(3, 2);
  // The database is lost at the n-th call, before it or after it; then Kafka at each kind of call. Each ends that life.
  int wanted = 0;
  for (int n = 1; n <= 24; ++n) {
    for (const auto fault : {postgres::Fault::kBeforeSend, postgres::Fault::kAnswerLost}) {
      const auto faults = std::make_shared<postgres::Faults>();
      faults->FailNth(n, fault);
      Life life(*this, nullptr, faults);
      Await([&] {
        life.Step();
        return faults->calls() >= n;
      });
    }
    PublishCases(1, 1);
  }
  for (const auto operation : {kafka::Operation::kProduce, kafka::Operation::kDelivery,
                               kafka::Operation::kPoll, kafka::Operation::kCommit}) {
    const auto faults = std::make_shared<kafka::Faults>();
    faults->FailNth(operation, 2, absl::UnavailableError("broken"));
    PublishCases(2, 2);
    Life life(*this, faults);
    Await([&] {
      life.Step();
      return faults->calls(operation) >= 2;
    });
  }
  wanted = 3 * 4 + 24 * 3 + 4 * 2 * 4;
  Life life(*this);
  Reader reader(*this);
  ASSERT_TRUE(Await([&] {
    life.Step();
    reader.Step();
    return reader.applied >= wanted || HasFatalFailure();
  })) << reader.applied
      << " of " << wanted << " " << life.runner->Health() << life.relay->Health();
  EXPECT_EQ(reader.applied, wanted);
  EXPECT_EQ(reader.chains.size(), cases_.size());
  EXPECT_EQ(reader.opened, static_cast<int>(cases_.size()));
  EXPECT_EQ(database_->Number("select count(*) from journal where type = 'Feed'"), wanted);
  EXPECT_EQ(database_->Number("select count(*) from dead_letter"), 0);
}

TEST_F(FeedTopicTest, ADeletedTopicIsFilledAgain) {
  Align();
  PublishCases(5, 3);
  Life life(*this);
  ASSERT_TRUE(Await([&] {
    life.Step();
    return life.relay->published() == 25;
  }));
  ASSERT_TRUE(admin_->DeleteTopic("feed.fr", kPatience).ok());
  ASSERT_TRUE(Await([&] {
    life.Step();
    return life.relay->published() == 50;
  })) << life.relay->published()
      << life.relay->Health();
  Reader reader(*this);
  ASSERT_TRUE(Await([&] {
    life.Step();
    reader.Step();
    return reader.applied == 25 || HasFatalFailure();
  })) << reader.applied
      << life.relay->Health();
}

TEST_F(FeedTopicTest, APartnerReadsItsOwnFeedAndNothingElse) {
  ASSERT_TRUE(admin_->EnsureTopics({{.name = "feed.fr"}, {.name = "feed.de"}}, kPatience).ok());
  Align();
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  EXPECT_EQ(Refused("partner-fr", "partner-fr", "feed.de"), kDenied);
  EXPECT_EQ(Refused("partner-fr", "partner-fr", "sankofa.registration"), kDenied);
  EXPECT_EQ(Refused("partner-fr", "partner-de", "feed.fr"), kDenied);
  EXPECT_EQ(Refused("partner-fr", "partner-fr-2", "feed.fr"), kDenied);
  absl::Status written;
  auto producer = kafka::OpenProducer(
      As("partner-fr"), {.on_delivery = [&](std::uint64_t /*id*/, const absl::Status& outcome) {
        written = outcome;
      }});
  ASSERT_TRUE(producer.ok());
  ASSERT_TRUE((*producer)->Produce({.topic = "feed.fr", .key = "k", .value = "v"}, 1).ok());
  ASSERT_TRUE((*producer)->Flush(kPatience).ok());
  EXPECT_FALSE(written.ok());
  const auto partitions = admin_->TopicWatermarks("feed.fr", kPatience);
  ASSERT_TRUE(partitions.ok()) << partitions.status();
  for (const auto& [_, marks] : *partitions) EXPECT_EQ(marks.next, 0);

  // Its own it reads, until it is suspended.
  auto own = kafka::OpenConsumer(As("partner-fr"), {.group = "partner-fr", .topics = {"feed.fr"}});
  ASSERT_TRUE(own.ok());
  ASSERT_TRUE(Await([&] {
    static_cast<void>((*own)->PollBatch(1, absl::Milliseconds(20)));
    return !(*own)->assignment().empty();
  })) << (*own)->Health();
  partners_["fr"].set_state(v1::PARTNER_STATE_SUSPENDED);
  Align();
  EXPECT_TRUE(Await([&] {
    static_cast<void>((*own)->PollBatch(1, absl::Milliseconds(20)));
    return absl::IsPermissionDenied((*own)->Health());
  })) << (*own)->Health();

  // Resumed, it goes on by itself. (librdkafka 2.0.2 does not end a consumer whose rights are gone, so this comes last.)
  partners_["fr"].set_state(v1::PARTNER_STATE_ACTIVE);
  Align();
  auto node = kafka::OpenProducer(As("node"), {});
  ASSERT_TRUE(node.ok());
  ASSERT_TRUE((*node)->Produce({.topic = "feed.fr", .key = "k", .value = "v"}, 1).ok());
  ASSERT_TRUE((*node)->Flush(kPatience).ok());
  std::size_t messages = 0;
  EXPECT_TRUE(Await([&] {
    const auto polled = (*own)->PollBatch(1, absl::Milliseconds(20));
    if (polled.ok()) messages += polled->size();
    return messages > 0;
  })) << (*own)->Health();
}

}  // namespace
}  // namespace sankofa::exchange
