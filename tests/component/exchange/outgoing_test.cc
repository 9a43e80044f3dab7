#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "services/exchange/digest/compare.h"
#include "services/exchange/replay/outgoing_feed.h"
#include "services/exchange/replay/subscriptions.h"
#include "tests/component/exchange/world.h"
#include "tests/unit/exchange/fake_directory.h"

// A partner's feed read again from the journal of a real PostgreSQL. Here TG is the own node and FR the partner.
namespace sankofa::exchange {
namespace {

using testing::ElementsAre;

class OutgoingTest : public ::testing::Test {
 protected:
  OutgoingTest() {
    partner_.set_id("fr");
    partner_.set_kind(v1::PARTNER_KIND_NODE);
    partner_.set_state(v1::PARTNER_STATE_ACTIVE);
    partner_.set_certificate_identity("partner-fr");
    partner_.add_keys()->set_sealing_key(their_key_->public_key());
    sender_.SealFor(their_key_->public_key());
    directory_.Put(partner_);
    v1::SharingAgreement agreement = sender_.Agreement();
    agreement.set_partner_id("fr");
    directory_.Put(agreement);
  }

  [[nodiscard]] OutgoingFeed::For Whom(absl::Time now = Noon()) {
    snapshot_ = *directory_.Current();
    return {.snapshot = *snapshot_, .partner = *snapshot_->Find("fr"), .now = now};
  }
  void Send(const std::string& case_id) {
    ASSERT_TRUE(world_.Append(sender_.Append(case_id)).ok());
  }
  [[nodiscard]] static std::string NameOf(const v1::FeedMessage& message) {
    v1::FeedEvent event;
    EXPECT_TRUE(event.ParseFromString(message.message().event()));
    return absl::StrCat(event.subject(), " ", event.sequence());
  }
  [[nodiscard]] static std::vector<std::string> NamesOf(const OutgoingFeed::Page& page) {
    std::vector<std::string> names;
    for (const v1::FeedMessage& message : page.messages) names.push_back(NameOf(message));
    return names;
  }

  World world_;
  FeedReader reader_ = world_.Reader();
  std::unique_ptr<crypto::SealingKey> their_key_ =
      *crypto::SealingKey::FromSecret(std::string(32, 'o'));
  Sender sender_{"tg", "fr", 's'};
  std::unique_ptr<crypto::Signer> signer_ = *crypto::Signer::FromSeed(std::string(32, 's'));
  OutgoingFeed feed_{*signer_, "tg"};
  FakeDirectory directory_{"tg"};
  v1::Partner partner_;
  std::shared_ptr<const Snapshot> snapshot_;
};

TEST_F(OutgoingTest, OneSubjectFromASequenceOn) {
  for (int i = 0; i < 5; ++i) Send("a");
  Send("b");
  const auto page = feed_.OfSubject(reader_, Whom(), "Case/a", 3, 2);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(NamesOf(*page), ElementsAre("Case/a 3", "Case/a 4"));
  EXPECT_FALSE(page->end);
  EXPECT_THAT(page->cases, ElementsAre("a"));
  const auto rest = feed_.OfSubject(reader_, Whom(), "Case/a", 5, 2);
  EXPECT_THAT(NamesOf(*rest), ElementsAre("Case/a 5"));
  EXPECT_TRUE(rest->end);
  EXPECT_TRUE(feed_.OfSubject(reader_, Whom(), "Case/a", 6, 2)->messages.empty());
  EXPECT_EQ(test::Reason(feed_.OfSubject(reader_, Whom(), "Case/c", 1, 2).status()),
            "SUBJECT_NOT_FOUND");
}

TEST_F(OutgoingTest, AllOfThePartnersMessagesAndNobodyElsesInPages) {
  Sender other("tg", "cm", 's');
  for (int i = 0; i < 20; ++i) {
    Send(absl::StrCat("case-", i % 4));
    ASSERT_TRUE(world_.Append(other.Append()).ok());
  }
  std::vector<std::string> read;
  FeedCursor cursor;
  for (bool end = false; !end;) {
    const auto page = feed_.After(reader_, Whom(), cursor, 7);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& message : page->messages) {
      EXPECT_EQ(FeedCursor::Parse(message.cursor())->ToString(), message.cursor());
      read.push_back(NameOf(message));
    }
    cursor = page->next;
    end = page->end;
  }
  ASSERT_EQ(read.size(), 20u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(read[i], absl::StrCat("Case/case-", i % 4, " ", i / 4 + 1));
  }
}

TEST_F(OutgoingTest, ACursorIsOneThatWasGiven) {
  EXPECT_EQ(*FeedCursor::Parse(""), FeedCursor());
  for (const char* text : {"1", "1.", ".1", "1.-1", "1.2.3", "a.b", " 1.2", "01.2", "1.2 ", "-1.2",
                           "99999999999999999999.1"}) {
    EXPECT_FALSE(FeedCursor::Parse(text)) << text;
  }
}

TEST_F(OutgoingTest, NothingTurnsUpBehindACursor) {
  // A transaction that is open holds back what was written later.
  auto open = world_.database.Connect();
  ASSERT_TRUE(open->Execute("begin").ok());
  ASSERT_TRUE(open->Execute("select pg_current_xact_id()").ok());
  Send("a");
  EXPECT_TRUE(feed_.After(reader_, Whom(), {}, 10)->messages.empty());
  ASSERT_TRUE(open->Execute("commit").ok());
  EXPECT_EQ(feed_.After(reader_, Whom(), {}, 10)->messages.size(), 1u);
}

TEST_F(OutgoingTest, ABoxIsGivenWhereAgreementAndConsentCoverItNow) {
  const auto message = sender_.Append(sender_.Next(), {sender_.Disclosure("ama")});
  ASSERT_TRUE(world_.Append(message, "what-was-disclosed").ok());
  const auto sealed = [&](const OutgoingFeed::For& whom) {
    const auto page = feed_.OfSubject(reader_, whom, absl::StrCat("Case/", kCaseId), 1, 1);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->messages[0].message().sealed() : std::string("?");
  };
  EXPECT_EQ(sealed(Whom()), message.sealed());
  EXPECT_EQ(world_.last_method, "sankofa.registration.v1.RegistrationService/GetDisclosure");

  world_.consent = absl::FailedPreconditionError("no consent");
  EXPECT_EQ(sealed(Whom()), "");
  world_.consent = absl::UnavailableError("away");  // not to know is not to refuse
  EXPECT_TRUE(absl::IsUnavailable(
      feed_.OfSubject(reader_, Whom(), absl::StrCat("Case/", kCaseId), 1, 1).status()));
  world_.consent = absl::OkStatus();
  EXPECT_EQ(sealed(Whom(Noon() + absl::Hours(24 * 3000))), "");  // the agreement is over

  partner_.mutable_keys(0)->set_sealing_key(std::string(64, 'a'));  // a key that was given up
  directory_.Put(partner_);
  EXPECT_EQ(sealed(Whom()), "");
}

TEST_F(OutgoingTest, OnlyTheNewestBoxIsGiven) {
  ASSERT_TRUE(
      world_.Append(sender_.Append(sender_.Next(), {sender_.Disclosure("ama")}), "first").ok());
  ASSERT_TRUE(
      world_.Append(sender_.Append(sender_.Next(), {sender_.Disclosure("koffi")}), "second").ok());
  const auto page = feed_.OfSubject(reader_, Whom(), absl::StrCat("Case/", kCaseId), 1, 10);
  ASSERT_EQ(page->messages.size(), 2u);
  EXPECT_EQ(page->messages[0].message().sealed(), "");
  EXPECT_NE(page->messages[1].message().sealed(), "");
}

TEST_F(OutgoingTest, WhatARenewedKeyReplacedIsSignedAnew) {
  Send("a");
  const auto renewed = *crypto::Signer::FromSeed(std::string(32, 'n'));
  const OutgoingFeed feed(*renewed, "tg");
  const auto page = feed.OfSubject(reader_, Whom(), "Case/a", 1, 1);
  ASSERT_TRUE(page.ok()) << page.status();
  const v1::SignedFeedEvent& message = page->messages[0].message();
  EXPECT_EQ(message.event(), sender_.Messages("Case/a")[0].event());
  EXPECT_EQ(message.key_id(), crypto::KeyIdOf(renewed->public_key()));
  EXPECT_TRUE(crypto::Verifies(renewed->public_key(), "sankofa.feed.v1", message.event(),
                               message.signature()));
}

TEST_F(OutgoingTest, OnlyAnActivePartnerIsServed) {
  engine::Actor actor;
  const auto reason = [&](const std::string& system) {
    actor.system = system;
    return test::Reason(CallingPartner(**directory_.Current(), actor).status());
  };
  EXPECT_EQ(reason("partner-fr"), "OK");
  EXPECT_EQ(reason("partner-xx"), "NOT_THE_PARTNER");
  EXPECT_EQ(reason("portal"), "NOT_THE_PARTNER");
  EXPECT_EQ(reason(""), "NOT_THE_PARTNER");
  partner_.set_state(v1::PARTNER_STATE_SUSPENDED);
  directory_.Put(partner_);
  EXPECT_EQ(reason("partner-fr"), "PARTNER_SUSPENDED");
}

// ---- Subscribe ------------------------------------------------------------------------------------------------------

// A client that takes what it is let to.
class Client final : public rpc::StreamSink {
 public:
  bool Write(const google::protobuf::Message& message) override {
    const std::lock_guard lock(mutex_);
    if (gone_) return false;
    messages_.push_back(static_cast<const v1::FeedMessage&>(message));
    EXPECT_LE(messages_.size() - taken_, kBuffer);
    return true;
  }
  void Finish(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    end_ = status;
  }
  [[nodiscard]] bool cancelled() const override {
    const std::lock_guard lock(mutex_);
    return gone_;
  }
  [[nodiscard]] std::size_t room() const override {
    const std::lock_guard lock(mutex_);
    return gone_ ? 0 : kBuffer - (messages_.size() - taken_);
  }
  void OnRoom(std::function<void()> told) override { told_ = std::move(told); }

  // Takes what is in the buffer, and makes room.
  void Take() {
    {
      const std::lock_guard lock(mutex_);
      taken_ = messages_.size();
    }
    told_();
  }
  [[nodiscard]] std::vector<v1::FeedMessage> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  [[nodiscard]] absl::Status end() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }

  static constexpr std::size_t kBuffer = 8;

 private:
  mutable std::mutex mutex_;
  std::vector<v1::FeedMessage> messages_;
  std::size_t taken_ = 0;
  bool gone_ = false;
  absl::Status end_;
  std::function<void()> told_;
};

class SubscriptionsTest : public OutgoingTest {
 protected:
  SubscriptionsTest() { actor_.system = "partner-fr"; }

  template <class Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  engine::Actor actor_;
  std::set<std::string> recorded_;
  Subscriptions::Options options_{.look = absl::Milliseconds(10),
                                  .record =
                                      [this](const engine::Actor& actor, const auto& cases) {
                                        EXPECT_EQ(actor.system, "partner-fr");
                                        recorded_.insert(cases.begin(), cases.end());
                                        return absl::OkStatus();
                                      },
                                  .now = [] { return Noon(); }};
};

TEST_F(SubscriptionsTest, WhatIsThereAndWhatComesFlowsAsTheClientTakesIt) {
  for (int i = 0; i < 50; ++i) Send(absl::StrCat("case-", i % 3));
  Subscriptions subscriptions(options_, feed_, directory_, reader_);
  const auto client = std::make_shared<Client>();
  subscriptions.Add(actor_, {}, client);
  EXPECT_TRUE(Eventually([&] { return client->messages().size() == Client::kBuffer; }));
  EXPECT_TRUE(Eventually([&] {
    client->Take();
    return client->messages().size() == 50;
  }));
  Send("case-0");  // comes by itself
  EXPECT_TRUE(Eventually([&] {
    client->Take();
    return client->messages().size() == 51;
  }));
  // Away, and back with the cursor of the tenth message.
  const auto again = std::make_shared<Client>();
  subscriptions.Add(actor_, *FeedCursor::Parse(client->messages()[9].cursor()), again);
  EXPECT_TRUE(Eventually([&] {
    again->Take();
    return again->messages().size() == 41;
  }));
  for (int i = 0; i < 41; ++i) {
    EXPECT_EQ(again->messages()[i].cursor(), client->messages()[i + 10].cursor());
  }
  subscriptions.Stop();
  EXPECT_TRUE(absl::IsUnavailable(client->end()));
  EXPECT_EQ(recorded_.size(), 3u);
}

TEST_F(SubscriptionsTest, ASuspensionEndsTheStream) {
  Subscriptions subscriptions(options_, feed_, directory_, reader_);
  const auto client = std::make_shared<Client>();
  subscriptions.Add(actor_, {}, client);
  partner_.set_state(v1::PARTNER_STATE_SUSPENDED);
  directory_.Put(partner_);
  EXPECT_TRUE(Eventually([&] { return client->cancelled(); }));
  EXPECT_EQ(test::Reason(client->end()), "PARTNER_SUSPENDED");
  EXPECT_TRUE(Eventually([&] { return subscriptions.size() == 0; }));
}

TEST_F(SubscriptionsTest, NothingIsGivenThatIsNotOnTheTrail) {
  Send("a");
  std::atomic<bool> writable = false;
  options_.pause = absl::Milliseconds(10);
  options_.record = [&](const auto&, const auto&) {
    return writable ? absl::OkStatus() : absl::UnavailableError("the database is away");
  };
  Subscriptions subscriptions(options_, feed_, directory_, reader_);
  const auto client = std::make_shared<Client>();
  subscriptions.Add(actor_, {}, client);
  EXPECT_TRUE(Eventually(
      [&, until = absl::Now() + absl::Milliseconds(200)] { return absl::Now() > until; }));
  EXPECT_TRUE(client->messages().empty());
  writable = true;
  EXPECT_TRUE(Eventually([&] { return client->messages().size() == 1; }));
}

}  // namespace
}  // namespace sankofa::exchange
