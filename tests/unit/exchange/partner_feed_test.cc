#include "services/exchange/ingest/partner_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_reason.pb.h"
#include "services/exchange/ingest/commands.h"
#include "services/exchange/ingest/received_feed.h"
#include "services/platform/engine/memory_store.h"
#include "services/platform/kafka/memory_broker.h"
#include "tests/unit/exchange/fake_directory.h"
#include "tests/unit/exchange/sender.h"
#include "tests/unit/harness.h"

namespace sankofa::exchange {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kTopic[] = "feed.fr";
constexpr char kGroup[] = "partner-fr";

// Stands for exchange's own decider, which is not what is tested here.
struct PartnerStub {
  using State = v1::Partner;
  using EventTypes = engine::EventTypes<v1::PartnerRegistered, v1::PartnerChanged>;
  static engine::Decision Decide(const State& /*state*/, const v1::RegisterPartnerRequest& request,
                                 const engine::Context& /*context*/) {
    v1::PartnerRegistered registered;
    registered.mutable_partner()->ParseFromString(request.name());
    return engine::Emit(registered);
  }
  static void Apply(State& state, const v1::PartnerRegistered& event) { state = event.partner(); }
  static void Apply(State& state, const v1::PartnerChanged& event) { state = event.partner(); }
};

// FR's exchange, which reads TG's feed: the real runner, sink, engine and deciders, over memory.
class Node {
 public:
  Node() {
    BindIngestCommands(registry_);
    registry_.Command<PartnerStub, v1::RegisterPartnerRequest>(
        {.target = engine::Target::kEither,
         .id = [](const auto& request) { return request.partner_id(); }});
    tg.SealFor(own_key_->public_key());
    Put(tg.Partner());
    directory.Put(tg.Agreement());
    EXPECT_TRUE(broker.MakeAdmin()->EnsureTopics({{.name = kTopic}}, {}).ok());
    producer_ = broker.MakeProducer({});
    Start();
  }

  // In the directory, and under lock.
  void Put(const v1::Partner& partner) {
    directory.Put(partner);
    v1::RegisterPartnerRequest request;
    request.set_partner_id(partner.id());
    request.set_name(partner.SerializeAsString());
    engine::CommandCall call;
    call.request = std::make_shared<v1::RegisterPartnerRequest>(request);
    call.now = Noon();
    const auto session = *store.Open(absl::InfiniteFuture());
    EXPECT_TRUE(engine_.Execute(*session, std::vector{call}).front().ok());
  }

  // Starts it, or crashes and starts it again.
  void Start() {
    runner.reset();
    feed = std::make_unique<PartnerFeed>(
        PartnerFeed::Options{.partner = "tg", .node = "fr"}, engine_, store, directory,
        own_key_.get(),
        [this](const auto& request, auto /*scenario_time*/) { return Replay(request); }, clock);
    kafka::ReactionOptions options;
    options.node = "fr";
    options.service = "exchange";
    options.topics = {kTopic};
    options.group = kGroup;
    options.from = "partner tg";
    options.commit_interval = absl::ZeroDuration();
    options.parse = [this](const kafka::Message& message) { return feed->Parse(message); };
    runner = std::make_unique<kafka::ReactionRunner>(
        options, *feed, *feed,
        [this](kafka::ConsumerOptions consumer) {
          return broker.MakeConsumer(std::move(consumer));
        },
        clock);
  }
  void Run(absl::Duration quiet = absl::Seconds(20)) {
    absl::Time until = clock.Now() + quiet;
    const absl::Time end = clock.Now() + absl::Hours(1);
    while (clock.Now() < std::min(until, end)) {
      if (runner->Step(absl::ZeroDuration())) {
        until = clock.Now() + quiet;
      } else {
        clock.Advance(absl::Milliseconds(100));
      }
    }
  }

  void Publish(const std::string& value, const std::string& key = kCaseId) {
    kafka::Record record{.topic = kTopic, .key = key, .value = value};
    record.headers.push_back({"ce_subject", absl::StrCat("Case/", key)});
    EXPECT_TRUE(producer_->Produce(record, 0).ok());
    producer_->Poll({});
  }
  void Publish(const v1::SignedFeedEvent& message) { Publish(message.SerializeAsString()); }

  // As TG's exchange answers.
  absl::StatusOr<v1::ReplayResponse> Replay(const v1::ReplayRequest& request) {
    ++replays;
    if (!replay_status.ok()) return replay_status;
    v1::ReplayResponse response;
    std::int64_t sequence = 0;
    for (const auto& message : tg.Messages(request.subject())) {
      if (++sequence < request.from_sequence()) continue;
      if (response.messages_size() == request.page_size()) break;
      v1::SignedFeedEvent& given = *response.add_messages()->mutable_message();
      given = message;
      if (withholds) given.clear_sealed();
      if (alter) alter(given);
    }
    return response;
  }

  // What took effect of the case, as it was signed.
  [[nodiscard]] std::vector<std::string> Applied(const std::string& case_id = kCaseId) const {
    std::vector<std::string> events;
    for (const engine::JournalRow& row : store.journal()) {
      v1::UpdateReceived received;
      if (row.event_type != v1::UpdateReceived::descriptor()->full_name()) continue;
      EXPECT_TRUE(received.ParseFromString(row.payload));
      if (received.subject_id() == case_id) events.push_back(received.event());
    }
    return events;
  }
  [[nodiscard]] std::vector<std::string> Sent(const std::string& case_id = kCaseId) {
    std::vector<std::string> events;
    for (const auto& message : tg.Messages(absl::StrCat("Case/", case_id))) {
      events.push_back(message.event());
    }
    return events;
  }
  [[nodiscard]] std::vector<v1::MessageRefused> Refused() const {
    std::vector<v1::MessageRefused> refused;
    for (const engine::JournalRow& row : store.journal()) {
      v1::MessageRefused event;
      if (row.event_type != v1::MessageRefused::descriptor()->full_name()) continue;
      EXPECT_TRUE(event.ParseFromString(row.payload));
      refused.push_back(std::move(event));
    }
    return refused;
  }
  [[nodiscard]] std::vector<std::string> RefusedFor() const {
    std::vector<std::string> names;
    for (const auto& refused : Refused()) names.push_back(NameOf(refused.receipt().because()));
    return names;
  }
  [[nodiscard]] v1::ReceivedFeed Feed(const std::string& case_id = kCaseId) {
    const auto session = *store.Open(absl::InfiniteFuture());
    auto read = engine_.Read(
        *session,
        engine::KeyOf<v1::ReceivedFeed>(ReceivedFeedId("tg", absl::StrCat("Case/", case_id))),
        /*personal=*/true);
    return read.ok() ? static_cast<v1::ReceivedFeed&>(**read) : v1::ReceivedFeed();
  }
  [[nodiscard]] std::int64_t Uncommitted() const {
    const kafka::Offsets committed = broker.Committed(kGroup);
    std::int64_t count = 0;
    for (const kafka::Message& message : broker.Messages(kTopic)) {
      const auto offset = committed.find(message.from());
      count += offset == committed.end() || message.offset >= offset->second ? 1 : 0;
    }
    return count;
  }
  absl::Status Erase() {
    v1::EraseReceivedRequest request;
    request.set_feed_id(absl::StrCat("tg:Case/", kCaseId));
    engine::CommandCall call;
    call.request = std::make_shared<v1::EraseReceivedRequest>(request);
    call.now = Noon();
    const auto session = *store.Open(absl::InfiniteFuture());
    return engine_.Execute(*session, std::vector{call}).front().status();
  }

  time::ManualClock clock{Noon()};
  Sender tg;
  FakeDirectory directory{"fr"};
  engine::MemoryStore store;
  kafka::MemoryBroker broker;
  int replays = 0;
  absl::Status replay_status;
  bool withholds = false;
  std::function<void(v1::SignedFeedEvent&)> alter;
  std::unique_ptr<PartnerFeed> feed;
  std::unique_ptr<kafka::ReactionRunner> runner;

 private:
  engine::Registry registry_;
  std::unique_ptr<crypto::Vault> vault_ = *crypto::Vault::FromBytes(std::string(32, 'k'));
  engine::Engine engine_{
      {.node = "fr", .country = "FR", .service = "exchange"}, registry_, *vault_};
  std::unique_ptr<crypto::SealingKey> own_key_ =
      *crypto::SealingKey::FromSecret(std::string(32, 'o'));
  std::unique_ptr<kafka::Producer> producer_;
};

TEST(PartnerFeedTest, AppliesAChainOnceAndInOrder) {
  Node node;
  for (int i = 0; i < 20; ++i) node.Publish(node.tg.Append());
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_EQ(node.replays, 0);
  EXPECT_THAT(node.Refused(), IsEmpty());
  EXPECT_EQ(node.Uncommitted(), 0);
  EXPECT_GT(node.feed->last_applied(), absl::InfinitePast());
}

TEST(PartnerFeedTest, WhatWasSealedIsKeptSealedUnderAKeyOfItsOwn) {
  Node node;
  node.Publish(node.tg.Append(node.tg.Next(), {node.tg.Disclosure("ama-adjovi")}));
  node.Run();
  ASSERT_EQ(node.Feed().disclosures_size(), 1);
  EXPECT_EQ(node.Feed().disclosures(0).person().id(), "ama-adjovi");
  for (const auto& row : node.store.journal()) {
    EXPECT_EQ(row.payload.find("ama-adjovi"), std::string::npos);
  }
  for (const auto& [_, stream] : node.store.streams()) {
    EXPECT_EQ(stream.state.find("ama-adjovi"), std::string::npos);
  }
  ASSERT_TRUE(node.Erase().ok());
  EXPECT_EQ(node.Feed().disclosures_size(), 0);

  node.Publish(node.tg.Append(node.tg.Next(), {node.tg.Disclosure("consented-again")}));
  node.Run();
  ASSERT_EQ(node.Feed().disclosures_size(), 1);
  EXPECT_EQ(node.Feed().disclosures(0).person().id(), "consented-again");
  EXPECT_EQ(node.Applied(), node.Sent());
}

TEST(PartnerFeedTest, ATamperedMessageIsEvidenceAndTheGenuineOneIsFetched) {
  Node node;
  node.Publish(node.tg.Append());
  auto tampered = node.tg.Append();
  tampered.mutable_event()->back() = static_cast<char>(tampered.event().back() ^ 1);
  node.Publish(tampered);
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_EQ(node.replays, 1);
  EXPECT_THAT(node.RefusedFor(), ElementsAre("SIGNATURE"));
  EXPECT_EQ(node.Refused()[0].partner_id(), "tg");
  EXPECT_EQ(node.Uncommitted(), 0);
}

TEST(PartnerFeedTest, GarbageInTheirPlaceIsRefusedToo) {
  Node node;
  node.tg.Append();
  node.Publish("garbage");
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_THAT(node.RefusedFor(), ElementsAre("MALFORMED"));
}

TEST(PartnerFeedTest, TheSameTamperedMessageIsOneEvidence) {
  Node node;
  auto tampered = node.tg.Append();
  tampered.set_signature(std::string(64, 'x'));
  for (int i = 0; i < 3; ++i) node.Publish(tampered);
  node.Run();
  EXPECT_EQ(node.Refused().size(), 1u);
  EXPECT_EQ(node.Applied(), node.Sent());
}

TEST(PartnerFeedTest, AReplayOfAnotherContentIsRefused) {
  Node node;
  std::vector<v1::SignedFeedEvent> sent;
  for (int i = 0; i < 5; ++i) node.Publish(sent.emplace_back(node.tg.Append()));
  node.Run();
  v1::FeedEvent event;
  for (const int index : {1, 4}) {
    ASSERT_TRUE(event.ParseFromString(sent[index].event()));
    event.set_source("funding");
    node.Publish(node.tg.Sign(event));  // by who has the key
    node.Publish(sent[index]);          // and the old one once more
  }
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_THAT(node.RefusedFor(), ElementsAre("REPLAYED", "REPLAYED"));
}

TEST(PartnerFeedTest, WhatDoesNotFollowIsRefused) {
  Node node;
  node.Publish(node.tg.Append());
  v1::FeedEvent event = node.tg.Next();
  event.set_previous_hash(std::string(32, 'x'));
  node.Publish(node.tg.Sign(event));
  node.tg.Append();
  node.Run();
  EXPECT_THAT(node.RefusedFor(), ElementsAre("CHAIN"));
  EXPECT_EQ(node.Applied(), node.Sent());  // by Replay
}

TEST(PartnerFeedTest, AGapIsFilledBeforeAnythingAfterIt) {
  Node node;
  node.replay_status = absl::UnavailableError("away");
  node.Publish(node.tg.Append());
  node.tg.Append();
  node.Publish(node.tg.Append());
  node.Publish(node.tg.Append("another").SerializeAsString(), "another");
  node.Run();
  EXPECT_EQ(node.Applied().size(), 1u);
  EXPECT_EQ(node.Applied("another"), node.Sent("another"));  // a silent partner strands nothing
  EXPECT_FALSE(node.feed->ReplayHealth().ok());
  node.replay_status = absl::OkStatus();
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_TRUE(node.feed->ReplayHealth().ok());
  EXPECT_EQ(node.Uncommitted(), 0);
}

TEST(PartnerFeedTest, ABoxThatWasTakenOutIsAskedFor) {
  for (const bool withheld : {false, true}) {
    Node node;
    node.withholds = withheld;
    auto message = node.tg.Append(node.tg.Next(), {node.tg.Disclosure("ama")});
    message.clear_sealed();
    node.Publish(message);
    node.Run();
    EXPECT_THAT(node.RefusedFor(), ElementsAre("SEAL"));
    EXPECT_EQ(node.Applied(), node.Sent());
    EXPECT_EQ(node.Feed().disclosures_size(), withheld ? 0 : 1);
  }
}

TEST(PartnerFeedTest, WhatThePartnersReplayGivesIsTestedToo) {
  Node node;
  node.Publish(node.tg.Append());
  node.tg.Append();
  node.Publish(node.tg.Append());
  node.alter = [](v1::SignedFeedEvent& message) { message.set_signature("forged"); };
  node.Run();
  EXPECT_EQ(node.Applied().size(), 1u);
  EXPECT_THAT(node.RefusedFor(), ElementsAre("SIGNATURE"));
  node.alter = nullptr;
  node.Publish(node.tg.Append());  // the next message finds the gap again
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
}

TEST(PartnerFeedTest, OutsideOfTheAgreementNothingIsTaken) {
  Node node;
  node.Publish(node.tg.Append());
  v1::FeedEvent event = node.tg.Next();
  event.set_type("sankofa.registration.v1.CaseClosed");
  event.clear_payload();
  node.Publish(node.tg.Append(event));
  node.Publish(node.tg.Append());
  node.Run();
  EXPECT_EQ(node.Applied().size(), 1u);
  EXPECT_THAT(node.RefusedFor(), ElementsAre("OUT_OF_AGREEMENT"));
  EXPECT_EQ(node.Uncommitted(), 0);
}

TEST(PartnerFeedTest, AnAgreementOnItsWayIsWaitedFor) {
  Node node;
  node.directory.Clear();
  node.directory.Put(node.tg.Partner());
  node.Publish(node.tg.Append());
  node.Publish(node.tg.Append());
  node.Run(absl::Minutes(2));
  EXPECT_THAT(node.Applied(), IsEmpty());
  EXPECT_THAT(node.Refused(), IsEmpty());
  node.Start();  // a crash in between loses nothing
  node.Run(absl::Minutes(2));
  node.directory.Put(node.tg.Agreement());
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
  EXPECT_EQ(node.Uncommitted(), 0);
}

TEST(PartnerFeedTest, AnAgreementThatNeverComesIsNotWaitedForForEver) {
  Node node;
  node.directory.Clear();
  node.directory.Put(node.tg.Partner());
  node.Publish(node.tg.Append());
  node.Run(absl::Minutes(20));
  EXPECT_THAT(node.Applied(), IsEmpty());
  EXPECT_THAT(node.RefusedFor(), ElementsAre("OUT_OF_AGREEMENT"));
  EXPECT_EQ(node.Uncommitted(), 0);
}

TEST(PartnerFeedTest, ASuspensionHoldsFromTheNextMessageOnAndLosesNothing) {
  Node node;
  node.Publish(node.tg.Append());
  node.Run();
  v1::Partner suspended = node.tg.Partner();
  suspended.set_state(v1::PARTNER_STATE_SUSPENDED);
  node.Put(suspended);
  node.Publish(node.tg.Append());
  node.Publish("garbage");
  node.Run();
  EXPECT_EQ(node.Applied().size(), 1u);
  EXPECT_THAT(node.Refused(), IsEmpty());
  EXPECT_FALSE(node.runner->Health().ok());
  node.Put(node.tg.Partner());
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());
}

TEST(PartnerFeedTest, ARotatedKeyGoesOnAndAStolenOneEnds) {
  Node node;
  Sender renewed("tg", "fr", 'n');
  v1::Partner partner = node.tg.Partner();
  *partner.mutable_keys(0)->mutable_until_time() = time::ToTimestamp(Noon());
  *partner.add_keys() = renewed.Partner().keys(0);
  node.Put(partner);
  node.Publish(node.tg.Append());
  node.Run();
  EXPECT_EQ(node.Applied(), node.Sent());

  partner.mutable_keys(0)->set_revoked(true);
  node.Put(partner);
  v1::FeedEvent event = node.tg.Next();
  node.Publish(node.tg.Append(event));
  // TG's Replay signs what it gives with the key that it has now.
  node.alter = [&](v1::SignedFeedEvent& message) {
    v1::FeedEvent read;
    ASSERT_TRUE(read.ParseFromString(message.event()));
    const auto anew = renewed.Sign(read);
    message.set_key_id(anew.key_id());
    message.set_signature(anew.signature());
  };
  node.Run();
  EXPECT_THAT(node.RefusedFor(), ElementsAre("UNKNOWN_KEY"));
  EXPECT_EQ(node.Applied(), node.Sent());
}

// Whatever a network or a stranger does to the messages: what took effect is what was sent, in order, and nothing else;
// and once the partner answers, all of it.
RC_GTEST_PROP(PartnerFeedProperty, OnlyGenuineMessagesTakeEffectOnceAndInOrder, ()) {
  Node node;
  const std::vector<std::string> cases = {kCaseId, "b", "c"};
  const int steps = *rc::gen::inRange(1, 40);
  std::vector<std::pair<std::string, std::string>> passed;  // key and value, for repeats
  for (int i = 0; i < steps; ++i) {
    const std::string& id = cases[*rc::gen::inRange<std::size_t>(0, cases.size())];
    v1::SignedFeedEvent message = node.tg.Append(id);
    std::string value = message.SerializeAsString();
    switch (*rc::gen::inRange(0, 10)) {
      case 0:  // lost
        continue;
      case 1: {  // a bit is altered
        const auto bit = *rc::gen::inRange<std::size_t>(0, value.size() * 8);
        value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << (bit % 8)));
        break;
      }
      case 2:  // cut
        value.resize(*rc::gen::inRange<std::size_t>(0, value.size()));
        break;
      case 3: {  // signed by somebody else
        Sender stranger("tg", "fr", 'x');
        v1::FeedEvent event;
        RC_ASSERT(event.ParseFromString(message.event()));
        value = stranger.Sign(event).SerializeAsString();
        break;
      }
      case 4:  // an old one again
        if (!passed.empty()) {
          const auto& [key, old] = passed[*rc::gen::inRange<std::size_t>(0, passed.size())];
          node.Publish(old, key);
        }
        break;
      case 5: {  // from a fork of the past
        v1::FeedEvent event;
        RC_ASSERT(event.ParseFromString(message.event()));
        if (event.sequence() == 1) break;
        event.set_previous_hash(std::string(32, 'x'));
        value = node.tg.Sign(event).SerializeAsString();
        break;
      }
      default: break;
    }
    if (!passed.empty() && *rc::gen::inRange(0, 8) == 0) {  // overtaken by one that came later
      node.Publish(value, id);
      node.Publish(passed.back().second, passed.back().first);
    } else {
      node.Publish(value, id);
    }
    passed.emplace_back(id, value);
    if (*rc::gen::inRange(0, 10) == 0) node.Start();
    if (*rc::gen::inRange(0, 5) == 0) node.Run(absl::Milliseconds(500));
    if (*rc::gen::inRange(0, 10) == 0) {
      node.replay_status =
          node.replay_status.ok() ? absl::UnavailableError("away") : absl::OkStatus();
    }
  }
  node.Run();
  for (const std::string& id : cases) {
    const auto applied = node.Applied(id);
    const auto sent = node.Sent(id);
    RC_ASSERT(applied.size() <= sent.size());
    RC_ASSERT(std::equal(applied.begin(), applied.end(), sent.begin()));
  }
  // The partner is back, and says something more about each case.
  node.replay_status = absl::OkStatus();
  for (const std::string& id : cases) node.Publish(node.tg.Append(id).SerializeAsString(), id);
  node.Run(absl::Minutes(1));
  for (const std::string& id : cases) RC_ASSERT(node.Applied(id) == node.Sent(id));
  RC_ASSERT(node.Uncommitted() == 0);
}

}  // namespace
}  // namespace sankofa::exchange
