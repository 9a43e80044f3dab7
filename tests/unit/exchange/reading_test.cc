#include "services/exchange/partner/reading.h"

#include <gtest/gtest.h>

#include <string>

#include "services/platform/kafka/memory_broker.h"
#include "services/platform/time/time.h"

namespace sankofa::exchange {
namespace {

class ReadingTest : public ::testing::Test {
 protected:
  ReadingTest() {
    partner_.set_id("fr");
    partner_.set_certificate_identity("partner-fr");
  }

  void MakeTopic() {
    EXPECT_TRUE(broker_.MakeAdmin()
                    ->EnsureTopics({{.name = "feed.fr", .partitions = 2}}, absl::Seconds(1))
                    .ok());
  }
  void Write(int count) {
    auto producer = broker_.MakeProducer({});
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(
          producer->Produce({.topic = "feed.fr", .key = std::to_string(i), .value = "x"}, 0).ok());
    }
    ASSERT_TRUE(producer->Flush(absl::Seconds(1)).ok());
  }
  // Reads everything, and commits it.
  void ReadAll() {
    auto consumer = broker_.MakeConsumer({.group = "partner-fr", .topics = {"feed.fr"}});
    kafka::Offsets next;
    while (true) {
      const auto batch = consumer->PollBatch(100, absl::ZeroDuration());
      ASSERT_TRUE(batch.ok());
      if (batch->empty()) break;
      for (const kafka::Message& message : *batch) next[message.from()] = message.offset + 1;
    }
    ASSERT_TRUE(consumer->Commit(next).ok());
  }
  v1::PartnerHealth Look() {
    v1::PartnerHealth health;
    health.set_unread(-1);
    watch_.Look(partner_, absl::Seconds(1), health);
    return health;
  }

  kafka::MemoryBroker broker_;
  time::ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  v1::Partner partner_;
  ReadingWatch watch_{[this] { return broker_.MakeAdmin(); }, clock_};
};

TEST_F(ReadingTest, WithoutATopicNothingIsKnown) {
  const v1::PartnerHealth health = Look();
  EXPECT_EQ(health.unread(), -1);
  EXPECT_FALSE(health.has_last_read_time());
}

TEST_F(ReadingTest, WhatWasNeverReadIsUnread) {
  MakeTopic();
  Write(7);
  EXPECT_EQ(Look().unread(), 7);
}

TEST_F(ReadingTest, ItIsSeenWhenAPartnerGetsOn) {
  MakeTopic();
  Write(7);
  EXPECT_FALSE(Look().has_last_read_time());
  clock_.Advance(absl::Minutes(1));
  ReadAll();
  v1::PartnerHealth health = Look();
  EXPECT_EQ(health.unread(), 0);
  EXPECT_EQ(time::FromTimestamp(health.last_read_time()), clock_.Now());
  // From here on it stands still.
  const absl::Time last = clock_.Now();
  clock_.Advance(absl::Minutes(1));
  Write(3);
  health = Look();
  EXPECT_EQ(health.unread(), 3);
  EXPECT_EQ(time::FromTimestamp(health.last_read_time()), last);
}

TEST_F(ReadingTest, WhatRetentionRemovedIsNotUnread) {
  MakeTopic();
  Write(7);
  kafka::Offsets before;
  const auto watermarks = broker_.MakeAdmin()->TopicWatermarks("feed.fr", absl::Seconds(1));
  ASSERT_TRUE(watermarks.ok());
  for (const auto& [partition, marks] : *watermarks) {
    before[partition] = marks.next;
  }
  broker_.Forget(before);
  EXPECT_EQ(Look().unread(), 0);
}

TEST_F(ReadingTest, WhileKafkaIsAwayNothingIsKnown) {
  MakeTopic();
  Write(2);
  EXPECT_EQ(Look().unread(), 2);
  broker_.SetAvailable(false);
  EXPECT_EQ(Look().unread(), -1);
  broker_.SetAvailable(true);
  EXPECT_EQ(Look().unread(), 2);
}

}  // namespace
}  // namespace sankofa::exchange
