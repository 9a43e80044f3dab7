#include "services/sankofactl/commands/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/kafka/event.h"
#include "services/platform/kafka/memory_broker.h"

namespace sankofa::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kTopic[] = "sankofa.monitoring";

engine::JournalRow VisitRow(const std::string& case_id, std::int64_t sequence) {
  monitoring::v1::VisitRecorded visit;
  visit.set_case_id(case_id);
  visit.set_visit_number(static_cast<int>(sequence));
  visit.set_observations("the shop is open");
  EXPECT_TRUE(crypto::Seal(visit, crypto::DataKey(std::string(32, 'k'))).ok());
  engine::JournalRow row;
  row.stream = {"FollowUp", absl::StrCat("of-", case_id)};
  row.sequence = sequence;
  row.partition_key = case_id;
  row.event_type = monitoring::v1::VisitRecorded::descriptor()->full_name();
  row.payload = visit.SerializeAsString();
  if (sequence > 1) row.previous_hash = std::string(32, 'p');
  row.event_time = absl::FromUnixSeconds(1'498'824'000 + sequence);
  row.hash = engine::HashOf(row);
  return row;
}

kafka::Message MessageOf(const kafka::Record& record) {
  return {.topic = record.topic,
          .partition = 2,
          .offset = 41,
          .key = record.key,
          .value = record.value,
          .headers = record.headers};
}

TEST(EventJsonTest, HasHeadersAndTheEventWithSealedParts) {
  const auto message = MessageOf(kafka::ToRecord(VisitRow("c-1", 1), "cm", "monitoring"));
  const std::string line = EventToJson(message).Line();
  EXPECT_THAT(line, HasSubstr("\"topic\":\"sankofa.monitoring\",\"partition\":2,\"offset\":41,"
                              "\"key\":\"c-1\""));
  EXPECT_THAT(line, HasSubstr("\"ce_type\":\"sankofa.monitoring.v1.VisitRecorded\""));
  EXPECT_THAT(line, HasSubstr("\"ce_subject\":\"FollowUp/of-c-1\""));
  EXPECT_THAT(line, HasSubstr("\"data\":{\"case_id\":\"c-1\",\"visit_number\":1,\"sealed\":{"
                              "\"subject_id\":\"c-1\",\"may_hold\":[\"observations\""));
  EXPECT_THAT(line, Not(HasSubstr("malformed")));
}

TEST(EventJsonTest, WhatThisClientCantReadIsShownAsBytes) {
  auto unknown = VisitRow("c-1", 1);
  unknown.event_type = "sankofa.monitoring.v2.OfALaterVersion";
  const std::string later =
      EventToJson(MessageOf(kafka::ToRecord(unknown, "cm", "monitoring"))).Line();
  EXPECT_THAT(later, HasSubstr("\"undecodable\":\"this client does not know the event's type\""));
  EXPECT_THAT(later, HasSubstr("\"data_base64\":\""));
  auto broken = VisitRow("c-1", 1);
  broken.payload = "\xFF\xFF";
  EXPECT_THAT(EventToJson(MessageOf(kafka::ToRecord(broken, "cm", "monitoring"))).Line(),
              HasSubstr("\"data_base64\":\"//8=\""));
}

TEST(EventJsonTest, ARecordThatIsNoEventOfOursIsShownAndCalledSo) {
  kafka::Message message;
  message.topic = kTopic;
  message.value = "hello";
  message.headers = {{"ce_id", std::string("\xFF\0", 2)}};
  const std::string line = EventToJson(message).Line();
  EXPECT_THAT(line, HasSubstr("\"malformed\":\""));
  EXPECT_THAT(line, HasSubstr("\"data_base64\":\"aGVsbG8=\""));
}

// A topic with the visits 1, 2 of case a and 1, 2, 3 of case b.
class TailTest : public ::testing::Test {
 protected:
  TailTest() {
    EXPECT_TRUE(admin_->EnsureTopics({{.name = kTopic, .partitions = 3}}, absl::Seconds(1)).ok());
    for (const auto& [case_id, sequence] : std::vector<std::pair<std::string, int>>{
             {"a", 1}, {"b", 1}, {"b", 2}, {"a", 2}, {"b", 3}}) {
      Publish(case_id, sequence);
    }
  }
  void Publish(const std::string& case_id, std::int64_t sequence) {
    ASSERT_TRUE(
        producer_->Produce(kafka::ToRecord(VisitRow(case_id, sequence), "cm", "monitoring"), 1)
            .ok());
    ASSERT_TRUE(producer_->Flush(absl::Seconds(1)).ok());
  }
  // All places, from the first or from the end on, and where the topic ends now.
  TailOptions Options(bool from_beginning) {
    TailOptions options{.follow = false};
    const auto marks = admin_->TopicWatermarks(kTopic, absl::Seconds(1));
    EXPECT_TRUE(marks.ok());
    for (const auto& [partition, mark] : *marks) {
      options.from[partition] = from_beginning ? mark.first : mark.next;
      options.to[partition] = mark.next;
    }
    return options;
  }
  // "a1": case and visit.
  std::vector<std::string> Tail(const TailOptions& options, int enough = 100) {
    const auto consumer = broker_.MakeConsumer({.group = "tail", .topics = {kTopic}});
    std::vector<std::string> seen;
    const auto tailed = TailEvents(*consumer, options, [&](const kafka::Message& message) {
      const auto event = kafka::ParseEvent(message);
      EXPECT_TRUE(event.ok());
      seen.push_back(absl::StrCat(message.key, event->incoming.meta.sequence));
      return static_cast<int>(seen.size()) < enough;
    });
    EXPECT_TRUE(tailed.ok()) << tailed;
    std::sort(seen.begin(), seen.end());
    return seen;
  }

  kafka::MemoryBroker broker_;
  std::unique_ptr<kafka::Admin> admin_ = broker_.MakeAdmin();
  std::unique_ptr<kafka::Producer> producer_ = broker_.MakeProducer({});
};

TEST_F(TailTest, FromTheBeginningToWhereTheTopicEnded) {
  const TailOptions options = Options(true);
  Publish("c", 1);  // later than the question
  EXPECT_THAT(Tail(options), ElementsAre("a1", "a2", "b1", "b2", "b3"));
}

TEST_F(TailTest, FromNowOn) {
  TailOptions options = Options(false);
  EXPECT_THAT(Tail(options), IsEmpty());
  options.follow = true;
  options.count = 2;
  Publish("a", 3);
  Publish("b", 4);
  EXPECT_THAT(Tail(options), ElementsAre("a3", "b4"));
}

TEST_F(TailTest, OfOneCase) {
  TailOptions options = Options(true);
  options.case_id = "a";
  EXPECT_THAT(Tail(options), ElementsAre("a1", "a2"));
}

TEST_F(TailTest, EndsWhenEnoughIsSeen) {
  TailOptions options = Options(true);
  options.count = 3;
  EXPECT_EQ(Tail(options).size(), 3U);
  options.count = 0;
  EXPECT_EQ(Tail(options, 2).size(), 2U);  // whoever reads is gone
  options.follow = true;
  options.deadline = absl::InfinitePast();
  EXPECT_THAT(Tail(options), IsEmpty());
}

TEST_F(TailTest, WhatWasForgottenMeanwhileIsNotWaitedFor) {
  const TailOptions options = Options(true);
  kafka::Offsets before;
  for (const auto& message : broker_.Messages(kTopic)) {
    if (message.key == "b") before[message.from()] = message.offset;  // all but the last
  }
  broker_.Forget(before);
  EXPECT_THAT(Tail(options), ::testing::Contains("b3"));
}

TEST_F(TailTest, AnErrorThatStaysEndsIt) {
  broker_.faults().FailNth(kafka::Operation::kPoll, 1, absl::PermissionDeniedError("not for you"));
  const auto consumer = broker_.MakeConsumer({.group = "tail", .topics = {kTopic}});
  const auto tailed = TailEvents(*consumer, Options(true), [](const auto&) { return true; });
  EXPECT_TRUE(absl::IsPermissionDenied(tailed)) << tailed;
}

}  // namespace
}  // namespace sankofa::ctl
