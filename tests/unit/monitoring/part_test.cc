#include "services/monitoring/view/part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/platform/engine/store.h"
#include "services/platform/kafka/event.h"
#include "services/platform/kafka/memory_broker.h"
#include "tests/unit/monitoring/events.h"
#include "tests/unit/monitoring/memory_views.h"

// The view's consumer, from the topics of a broker in memory.
namespace sankofa::monitoring {
namespace {

class PartTest : public ::testing::Test {
 protected:
  PartTest() {
    std::vector<kafka::TopicSpec> topics;
    for (const char* service :
         {"registration", "validation", "funding", "monitoring", "exchange"}) {
      topics.push_back({.name = absl::StrCat("sankofa.", service)});
    }
    EXPECT_TRUE(broker.MakeAdmin()->EnsureTopics(topics, absl::Seconds(1)).ok());
    StartRunner();
  }
  void StartRunner() {
    runner = std::make_unique<kafka::ReactionRunner>(
        ViewConsumerOptions("cm", true), sink, NoReplay(),
        [this](kafka::ConsumerOptions options) { return broker.MakeConsumer(std::move(options)); },
        clock);
  }
  // A service commits and its relay publishes.
  void Publish(const engine::IncomingEvent& event) {
    journals.events.push_back(event);
    engine::JournalRow row{.stream = event.meta.stream,
                           .sequence = event.meta.sequence,
                           .partition_key = event.meta.partition_key,
                           .event_type = event.event_type,
                           .payload = event.payload,
                           .event_time = event.meta.time};
    row.hash = engine::HashOf(row);
    if (row.sequence > 1) row.previous_hash = std::string(32, 'p');
    Produce(kafka::ToRecord(row, "cm", event.meta.source));
  }
  void Produce(const kafka::Record& record) {
    ASSERT_TRUE(producer->Produce(record, 1).ok());
    ASSERT_TRUE(producer->Flush(absl::Seconds(1)).ok());
  }
  void RunAWhile() {
    for (int i = 0; i < 20; ++i) {
      clock.Advance(absl::Seconds(10));
      runner->Step(absl::ZeroDuration());
    }
  }
  [[nodiscard]] bool IsCurrent() {
    return store.values[kCase] == FoldAll(kCase, journals.events)->SerializeAsString();
  }
  [[nodiscard]] std::int64_t Committed() {
    std::int64_t sum = 0;
    for (const auto& [_, offset] : broker.Committed("sankofa.monitoring.view")) sum += offset;
    return sum;
  }

  kafka::MemoryBroker broker;
  std::unique_ptr<kafka::Producer> producer = broker.MakeProducer({.on_delivery = nullptr});
  MemoryViewStore store;
  Journals journals;
  WatchHub hub{10};
  Views views{store, journals, hub};
  ViewSink sink{views};
  time::ManualClock clock{test::Morning()};
  std::unique_ptr<kafka::ReactionRunner> runner;
};

TEST_F(PartTest, ReadsTheTopicsOfAllServices) {
  Publish(Published("Case", kCase, 1, Registered()));
  Publish(Published("LifeProject", "p1", 1, Submitted("p1")));
  Publish(Published("Grant", "g1", 1, Reserved("g1")));
  v1::FollowUpPlanned planned;
  planned.set_follow_up_id("g1");
  planned.set_case_id(kCase);
  Publish(Published("FollowUp", "g1", 1, planned));
  Publish(Told("fr", 1, Published("Grant", "g2", 1, Reserved("g2"))));
  RunAWhile();
  EXPECT_TRUE(IsCurrent());
  EXPECT_EQ(Committed(), 5);
  EXPECT_EQ(views.Get(kCase, absl::InfiniteFuture())->partner_views_size(), 1);
}

TEST_F(PartTest, ANodeWithoutPartnersReadsNoExchange) {
  using ::testing::Contains;
  EXPECT_THAT(ViewConsumerOptions("cm", false).sources, ::testing::Not(Contains("exchange")));
  EXPECT_THAT(ViewConsumerOptions("cm", true).sources, Contains("exchange"));
}

TEST_F(PartTest, StandsStillWithItsOffsetsWhileRedisIsAway) {
  Publish(Published("Case", kCase, 1, Registered()));
  RunAWhile();
  store.away = true;
  Publish(Published("Case", kCase, 2, Arrived()));
  RunAWhile();
  EXPECT_EQ(Committed(), 1);
  EXPECT_FALSE(runner->Health().ok());
  // Killed meanwhile: the next one goes on where this one stood.
  StartRunner();
  store.away = false;
  RunAWhile();
  EXPECT_TRUE(IsCurrent());
  EXPECT_EQ(Committed(), 2);
  EXPECT_TRUE(runner->Health().ok());
}

TEST_F(PartTest, PassesOverWhatIsNoEvent) {
  Publish(Published("Case", kCase, 1, Registered()));
  Produce({.topic = "sankofa.funding", .key = kCase, .value = "no event", .headers = {}});
  Publish(Published("Grant", "g1", 1, Reserved("g1")));
  RunAWhile();
  EXPECT_TRUE(IsCurrent());
  EXPECT_EQ(Committed(), 3);
}

TEST_F(PartTest, TellsWhoWatches) {
  const auto watcher = std::make_shared<Sink>();
  ASSERT_TRUE(hub.Add(kCase, -1, watcher).ok());
  Publish(Published("Case", kCase, 1, Registered()));
  RunAWhile();
  Publish(Published("Case", kCase, 2, Arrived()));
  RunAWhile();
  EXPECT_THAT(watcher->tokens(), ::testing::ElementsAre(1, 2));
}

}  // namespace
}  // namespace sankofa::monitoring
