#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/monitoring/view/views.h"
#include "tests/component/redis/redis_server.h"
#include "tests/unit/monitoring/events.h"

// Views in a real Redis: it is emptied, killed, frozen, and calls to it fail one after another.
namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;

namespace fund = funding::v1;

class Journals final : public EventSource {
 public:
  absl::StatusOr<std::vector<engine::IncomingEvent>> Replay(const std::string& /*case_id*/,
                                                            absl::Time /*deadline*/) override {
    const std::lock_guard lock(mutex);
    return events;
  }
  std::mutex mutex;
  std::vector<engine::IncomingEvent> events;
};

class ViewStoreTest : public ::testing::Test {
 protected:
  ViewStoreTest() {
    auto made = redis::Client::Create({.address = server.address(),
                                       .call_timeout = absl::Milliseconds(200),
                                       .backoff_first = absl::Milliseconds(1),
                                       .backoff_max = absl::Milliseconds(1),
                                       .faults = faults});
    client = *std::move(made);
    store = std::make_unique<RedisViewStore>(*client);
    views = std::make_unique<Views>(*store, journals, hub);
    journals.events = {Published("Case", kCase, 1, Registered()),
                       Published("Case", kCase, 2, Arrived())};
  }
  // Gives the events until they are taken, as the consumer does.
  void Consume(std::span<const engine::IncomingEvent> events) {
    while (!views->Apply(events).ok()) std::this_thread::yield();
  }
  absl::StatusOr<v1::CaseView> Get() { return views->Get(kCase, absl::InfiniteFuture()); }
  // As it stands in Redis.
  std::string Stored() {
    const auto slots = store->Get(std::span(&kCase, 1));
    return slots.ok() && slots->front().view ? slots->front().view->SerializeAsString() : "";
  }
  std::string Rebuilt() { return FoldAll(kCase, journals.events)->SerializeAsString(); }

  test::RedisServer server;
  std::shared_ptr<redis::Faults> faults = std::make_shared<redis::Faults>();
  std::unique_ptr<redis::Client> client;
  std::unique_ptr<RedisViewStore> store;
  Journals journals;
  WatchHub hub{10};
  std::unique_ptr<Views> views;
};

TEST_F(ViewStoreTest, WritesOnlyOverTheVersionThatWasRead) {
  v1::CaseView view = *FoldAll(kCase, journals.events);
  const auto put = [&](const std::string& version) -> bool {
    const ViewStore::Write write{kCase, version, &view};
    return store->Put(std::span(&write, 1))->front();
  };
  EXPECT_FALSE(put("another version"));
  EXPECT_TRUE(put(""));
  EXPECT_FALSE(put(""));
  const std::string version = store->Get(std::span(&kCase, 1))->front().version;
  view.set_state("ARRIVED");
  EXPECT_TRUE(put(version));
  EXPECT_EQ(Stored(), view.SerializeAsString());
  ASSERT_TRUE(store->Drop(kCase).ok());
  EXPECT_EQ(store->Get(std::span(&kCase, 1))->front().version, "");
}

TEST_F(ViewStoreTest, WhatIsNoViewCountsAsNoneAndIsReplaced) {
  for (const std::string& bytes : {std::string("short"), std::string(16, 'x'),
                                   std::string(200, '\xff'), std::string("\0", 1)}) {
    ASSERT_TRUE(client->Call({"SET", absl::StrCat("view:", kCase), bytes}).ok());
    EXPECT_EQ(Stored(), "");
    EXPECT_EQ(Get()->state(), "ARRIVED");
    EXPECT_EQ(Stored(), Rebuilt()) << bytes.size();
  }
}

TEST_F(ViewStoreTest, ComesBackAfterAFlushAndAKill) {
  Consume(journals.events);
  EXPECT_EQ(Stored(), Rebuilt());
  ASSERT_TRUE(client->Call({"FLUSHALL"}).ok());
  EXPECT_EQ(Get()->token(), 2);
  EXPECT_EQ(Stored(), Rebuilt());

  server.Kill();
  EXPECT_EQ(Get()->token(), 2);  // from the journals
  EXPECT_TRUE(absl::IsUnavailable(views->Apply(journals.events)));
  server.Start();
  Consume(journals.events);
  EXPECT_EQ(Stored(), Rebuilt());
}

TEST_F(ViewStoreTest, AFrozenServerKeepsNobodyFromReading) {
  Consume(journals.events);
  server.Freeze();
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get()->token(), 2);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  server.Thaw();
  Consume(journals.events);
  EXPECT_EQ(Stored(), Rebuilt());
}

// The first, the second … n-th call fails, before it is sent or after it was done, until all goes through.
TEST_F(ViewStoreTest, EveryCallMayFail) {
  const auto more = Published("Case", kCase, 3, Assessed());
  for (const redis::Fault fault : {redis::Fault::kBeforeSend, redis::Fault::kAnswerLost}) {
    for (int n = 1;; ++n) {
      ASSERT_TRUE(client->Call({"FLUSHALL"}).ok());
      journals.events.resize(2);
      faults->FailNth(n, fault);
      Consume(journals.events);
      journals.events.push_back(more);
      Consume(std::span(&more, 1));
      EXPECT_EQ(Get()->token(), 3);
      const bool all_went_through = faults->calls() < n;
      faults->Clear();
      while (!client->Call({"PING"}).ok()) std::this_thread::yield();
      EXPECT_EQ(Stored(), Rebuilt()) << n;
      if (all_went_through) break;
    }
  }
}

TEST_F(ViewStoreTest, ConcurrentWritersAgree) {
  std::vector<engine::IncomingEvent> grants;
  std::vector<engine::IncomingEvent> projects;
  for (int i = 1; i <= 60; ++i) {
    grants.push_back(
        Published("Grant", "g1", i, InstalmentEvent<fund::InstalmentRequested>("g1", 1 + i % 2)));
    projects.push_back(Published("LifeProject", "p1", i, Submitted("p1")));
  }
  Consume(journals.events);
  {
    const std::lock_guard lock(journals.mutex);
    journals.events.insert(journals.events.end(), grants.begin(), grants.end());
    journals.events.insert(journals.events.end(), projects.begin(), projects.end());
  }
  const auto one_by_one = [this](const std::vector<engine::IncomingEvent>& events) {
    for (const auto& event : events) Consume(std::span(&event, 1));
  };
  std::thread one(one_by_one, grants);
  std::thread two(one_by_one, projects);
  std::thread three([this] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(store->Drop(kCase).ok());
      EXPECT_TRUE(Get().ok());
    }
  });
  one.join();
  two.join();
  three.join();
  EXPECT_EQ(Stored(), Rebuilt());
}

// Redis keeps no key of a person's and forgets nothing on erasure by itself: what is personal must never get there.
TEST_F(ViewStoreTest, WhatAPartnerDisclosedIsNeverInRedis) {
  const auto kept = [&] {
    const auto reply = client->Call({"GET", absl::StrCat("view:", kCase)});
    return reply.ok() ? reply->text : std::string();
  };
  exchange::v1::UpdateReceived update;
  update.set_sender("tg");
  update.set_event(
      FeedEventOf("tg", 1, Published("Case", kCase, 1, Registered())).SerializeAsString());
  update.add_disclosures()->mutable_person()->mutable_details()->set_family_names(
      "Never-to-be-seen");
  update.mutable_sealed()->set_ciphertext("Never-to-be-seen");
  const engine::IncomingEvent told = OnReceivedFeed("tg", 1, update);
  journals.events.push_back(told);
  Consume(journals.events);
  EXPECT_EQ(Stored(), Rebuilt());
  EXPECT_THAT(kept(), ::testing::HasSubstr("CM-2017-0001"));
  EXPECT_THAT(kept(), ::testing::Not(::testing::HasSubstr("Never-to-be-seen")));

  // Erased, the partner's facts are gone from Redis too, and this node's stay.
  const engine::IncomingEvent erased = OnReceivedFeed("tg", 2, exchange::v1::ReceivedErased());
  journals.events.push_back(erased);
  Consume(std::span(&erased, 1));
  EXPECT_EQ(Stored(), Rebuilt());
  EXPECT_TRUE(Get()->partner_views(0).erased());
  EXPECT_FALSE(Get()->partner_views(0).has_facts());
  EXPECT_EQ(Get()->state(), "ARRIVED");
}

}  // namespace
}  // namespace sankofa::monitoring
