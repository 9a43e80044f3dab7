#include "services/platform/kafka/client.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/component/kafka/broker.h"

namespace sankofa::kafka {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ClientTest : public BrokerTest {};

TEST_F(ClientTest, CreatesATopicOnceAndLeavesItAlone) {
  const std::string topic = MakeTopic("sankofa.test", {.partitions = 3});
  const TopicSpec other{.name = topic, .partitions = 5};
  EXPECT_TRUE(admin_->EnsureTopics({other, other}, kPatience).ok());
  const auto watermarks = admin_->TopicWatermarks(topic, kPatience);
  ASSERT_TRUE(watermarks.ok()) << watermarks.status();
  EXPECT_THAT(*watermarks, SizeIs(3));
  // A service that may describe, but not create: what is there is found all the same.
  const auto auditor = OpenAdmin(As("auditor"));
  ASSERT_TRUE(auditor.ok());
  EXPECT_TRUE((*auditor)->EnsureTopics({other}, kPatience).ok());
  const TopicSpec unknown{.name = topic + "_more"};
  EXPECT_TRUE(absl::IsPermissionDenied((*auditor)->EnsureTopics({unknown}, kPatience)));
}

TEST_F(ClientTest, DeletesATopicThatIsGoneWithoutComplaint) {
  EXPECT_TRUE(admin_->DeleteTopic(Fresh("sankofa.never"), kPatience).ok());
}

// Whoever has just made its topic is not told that there is none.
TEST_F(ClientTest, ATopicThatWasMadeIsKnownAtOnce) {
  for (int i = 0; i < 20; ++i) {
    const auto fresh = OpenAdmin(As("node"));
    ASSERT_TRUE(fresh.ok());
    const std::string topic = Fresh("sankofa.made");
    ASSERT_TRUE((*fresh)->EnsureTopics({{.name = topic, .partitions = 2}}, kPatience).ok());
    const auto watermarks = (*fresh)->TopicWatermarks(topic, kPatience);
    ASSERT_TRUE(watermarks.ok()) << watermarks.status();
    EXPECT_THAT(*watermarks, SizeIs(2));
  }
}

TEST_F(ClientTest, SaysThatATopicIsNotThere) {
  EXPECT_TRUE(
      absl::IsUnavailable(admin_->TopicWatermarks(Fresh("sankofa.never"), kPatience).status()));
}

TEST_F(ClientTest, CarriesRecordsInOrderOfTheirKey) {
  const std::string topic = MakeTopic();
  const std::string group = Fresh("sankofa.test");
  auto producer = MakeProducer(As("registration"));
  constexpr int kRecords = 1'000;
  for (int i = 0; i < kRecords; ++i) {
    const Record record{
        .topic = topic,
        .key = absl::StrCat("case-", i % 17),
        .value = absl::StrCat(i),
        .headers = {{"ce_id", absl::StrCat(i)}, {"binary", std::string("\0\xFF", 2)}}};
    ASSERT_TRUE(producer->Produce(record, i + 1).ok());
  }
  EXPECT_EQ(producer->outstanding(), kRecords);
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  EXPECT_EQ(producer->outstanding(), 0);
  ASSERT_THAT(reports_, SizeIs(kRecords));
  for (const auto& [id, outcome] : reports_) EXPECT_TRUE(outcome.ok()) << id << ": " << outcome;

  auto consumer = MakeConsumer(As("validation"), {.group = group, .topics = {topic}});
  const std::vector<Message> messages = Collect(*consumer, kRecords);
  ASSERT_THAT(messages, SizeIs(kRecords));
  std::map<std::string, int> last;
  Offsets next;
  for (const Message& message : messages) {
    int number = 0;
    ASSERT_TRUE(absl::SimpleAtoi(message.value, &number));
    EXPECT_EQ(message.key, absl::StrCat("case-", number % 17));
    EXPECT_THAT(message.headers, ElementsAre(Header{"ce_id", message.value},
                                             Header{"binary", std::string("\0\xFF", 2)}));
    if (last.contains(message.key)) {
      EXPECT_GT(number, last[message.key]);
    }
    last[message.key] = number;
    next[message.from()] = message.offset + 1;
    EXPECT_LT(absl::Now() - message.timestamp, absl::Minutes(5));
  }
  EXPECT_EQ(consumer->Lag(), 0);
  ASSERT_TRUE(consumer->Commit(next).ok());
  EXPECT_TRUE(consumer->Health().ok());
  consumer->Close();
  const auto committed = admin_->GroupOffsets(group, topic, kPatience);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(*committed, next);
  EXPECT_TRUE(admin_->GroupOffsets(group, topic + "_other", kPatience)->empty());
  EXPECT_TRUE(admin_->GroupOffsets(group + "_other", topic, kPatience)->empty());

  // The next member of the group goes on where this one stopped.
  auto successor = MakeConsumer(As("validation"), {.group = group, .topics = {topic}});
  ASSERT_TRUE(producer->Produce({.topic = topic, .key = "case-0", .value = "more"}, 0).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  const std::vector<Message> more = Collect(*successor, 1);
  ASSERT_THAT(more, SizeIs(1));
  EXPECT_EQ(more[0].value, "more");
}

TEST_F(ClientTest, TellsAnEmptyValueFromNone) {
  const std::string topic = MakeTopic();
  auto producer = MakeProducer(As("registration"));
  ASSERT_TRUE(producer->Produce({.topic = topic, .key = "k", .value = ""}, 1).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  auto consumer = MakeConsumer(As("node"), {.group = Fresh("sankofa.test"), .topics = {topic}});
  const auto messages = Collect(*consumer, 1);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_TRUE(messages[0].has_value);
  EXPECT_EQ(messages[0].value, "");
}

TEST_F(ClientTest, RebalancesWithinAGroup) {
  const std::string topic = MakeTopic("sankofa.test", {.partitions = 4});
  const std::string group = Fresh("sankofa.test");
  std::set<TopicPartition> first_has;
  std::set<TopicPartition> revoked;
  ConsumerOptions options{.group = group, .topics = {topic}};
  options.on_assigned = [&](const std::vector<TopicPartition>& partitions) {
    first_has = {partitions.begin(), partitions.end()};
  };
  options.on_revoked = [&](const std::vector<TopicPartition>& partitions, bool lost) {
    EXPECT_FALSE(lost);
    revoked = {partitions.begin(), partitions.end()};
  };
  auto first = MakeConsumer(As("validation"), options);
  const auto poll = [](Consumer& consumer) {
    const auto batch = consumer.PollBatch(10, absl::Milliseconds(50));
    EXPECT_TRUE(batch.ok()) << batch.status();
  };
  const absl::Time deadline = absl::Now() + kPatience;
  while (first_has.size() < 4 && absl::Now() < deadline) poll(*first);
  EXPECT_THAT(first_has, SizeIs(4));
  EXPECT_THAT(first->assignment(), SizeIs(4));
  auto second = MakeConsumer(As("validation"), {.group = group, .topics = {topic}});
  while ((first->assignment().size() != 2 || second->assignment().size() != 2) &&
         absl::Now() < deadline) {
    poll(*first);
    poll(*second);
  }
  EXPECT_THAT(revoked, SizeIs(4));
  EXPECT_THAT(first->assignment(), SizeIs(2));
  EXPECT_THAT(second->assignment(), SizeIs(2));
}

TEST_F(ClientTest, PausesResumesAndSeeks) {
  const std::string topic = MakeTopic("sankofa.test", {.partitions = 1});
  auto producer = MakeProducer(As("registration"));
  const auto produce = [&](const std::string& value) {
    ASSERT_TRUE(producer->Produce({.topic = topic, .key = "k", .value = value}, 1).ok());
    ASSERT_TRUE(producer->Flush(kPatience).ok());
  };
  produce("a");
  produce("b");
  auto consumer = MakeConsumer(As("node"), {.group = Fresh("sankofa.test"), .topics = {topic}});
  ASSERT_THAT(Collect(*consumer, 2), SizeIs(2));
  ASSERT_TRUE(consumer->Pause(consumer->assignment()).ok());
  produce("c");
  const auto paused = consumer->PollBatch(10, absl::Milliseconds(300));
  ASSERT_TRUE(paused.ok());
  EXPECT_THAT(*paused, IsEmpty());
  ASSERT_TRUE(consumer->Resume(consumer->assignment()).ok());
  EXPECT_EQ(Collect(*consumer, 1).at(0).value, "c");
  ASSERT_TRUE(consumer->Seek({topic, 0}, 1).ok());
  const auto again = Collect(*consumer, 2);
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_EQ(again[0].value, "b");
  EXPECT_EQ(again[1].value, "c");
}

TEST_F(ClientTest, KnowsTheLag) {
  const std::string topic = MakeTopic("sankofa.test", {.partitions = 1});
  auto producer = MakeProducer(As("registration"));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(producer->Produce({.topic = topic, .key = "k", .value = "v"}, 1).ok());
  }
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  auto consumer = MakeConsumer(As("node"), {.group = Fresh("sankofa.test"), .topics = {topic}});
  std::vector<Message> got;
  const absl::Time deadline = absl::Now() + kPatience;
  while (got.empty() && absl::Now() < deadline) {
    auto batch = consumer->PollBatch(4, absl::Milliseconds(200));
    if (batch.ok()) got = *std::move(batch);
  }
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(consumer->Lag(), static_cast<std::int64_t>(10 - got.size()));
}

TEST_F(ClientTest, RefusesARecordThatIsTooLarge) {
  const std::string topic = MakeTopic();
  auto producer = MakeProducer(As("registration"));
  const Record huge{.topic = topic, .key = "k", .value = std::string(kMaxRecordBytes, 'x')};
  EXPECT_TRUE(absl::IsInvalidArgument(producer->Produce(huge, 1)));
  EXPECT_EQ(producer->outstanding(), 0);
  const Record large{.topic = topic, .key = "k", .value = std::string(kMaxRecordBytes - 200, 'x')};
  ASSERT_TRUE(producer->Produce(large, 2).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  EXPECT_TRUE(reports_.at(0).second.ok()) << reports_.at(0).second;

  // The broker may know a lower limit than we do.
  const std::string narrow = MakeTopic("sankofa.test", {.config = {{"max.message.bytes", "2000"}}});
  ASSERT_TRUE(
      producer->Produce({.topic = narrow, .key = "k", .value = std::string(4000, 'x')}, 3).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(reports_.at(1).second)) << reports_.at(1).second;
  ASSERT_TRUE(producer->Produce({.topic = narrow, .key = "k", .value = "small"}, 4).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  EXPECT_TRUE(reports_.at(2).second.ok()) << reports_.at(2).second;
}

TEST_F(ClientTest, LimitsTheProducersQueue) {
  auto client = As("registration");
  client.brokers = "127.0.0.1:1";  // nobody
  auto producer = OpenProducer(client, {.queue_records = 3});
  ASSERT_TRUE(producer.ok());
  const Record record{.topic = "sankofa.test", .key = "k", .value = "v"};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((*producer)->Produce(record, 1).ok());
  EXPECT_TRUE(absl::IsResourceExhausted((*producer)->Produce(record, 1)));
  const auto health = HealthBecomes(absl::StatusCode::kUnavailable, **producer,
                                    [&] { (*producer)->Poll(absl::Milliseconds(20)); });
  EXPECT_THAT(std::string(health.message()), HasSubstr("127.0.0.1:1"));
  EXPECT_FALSE((*producer)->Flush(absl::Milliseconds(10)).ok());
}

struct BadCertificate {
  std::string name;
  std::string certificate;  // of that name; empty for none
  std::string ca;           // likewise; empty for the right one
  std::string says;
};
void PrintTo(const BadCertificate& bad, std::ostream* out) { *out << bad.name; }

class BadCertificateTest : public ClientTest, public testing::WithParamInterface<BadCertificate> {
 protected:
  [[nodiscard]] ClientOptions Client() const {
    ClientOptions client = As(GetParam().certificate);
    if (!GetParam().ca.empty()) client.ca = folder_ + "/" + GetParam().ca + ".pem";
    return client;
  }
};

// librdkafka tries for ever: only the health tells.
TEST_P(BadCertificateTest, IsSaidByHealth) {
  auto producer = MakeProducer(Client());
  ASSERT_TRUE(producer->Produce({.topic = "sankofa.test", .key = "k", .value = "v"}, 1).ok());
  auto health = HealthBecomes(absl::StatusCode::kPermissionDenied, *producer,
                              [&] { producer->Poll(absl::Milliseconds(20)); });
  EXPECT_THAT(std::string(health.message()), HasSubstr(GetParam().says));
  EXPECT_THAT(reports_, IsEmpty());

  auto consumer = MakeConsumer(Client(), {.group = "sankofa.test", .topics = {"sankofa.test"}});
  health = HealthBecomes(absl::StatusCode::kPermissionDenied, *consumer, [&] {
    static_cast<void>(consumer->PollBatch(1, absl::Milliseconds(20)));
  });
  EXPECT_THAT(std::string(health.message()), HasSubstr(GetParam().says));

  auto admin = OpenAdmin(Client());
  ASSERT_TRUE(admin.ok());
  health = (*admin)->EnsureTopics({{.name = "sankofa.test"}}, absl::Seconds(2));
  EXPECT_TRUE(absl::IsPermissionDenied(health)) << health;
  EXPECT_THAT(std::string(health.message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCertificateTest,
    testing::Values(BadCertificate{"UnknownAuthority", "unknown-ca", "", "refuses the certificate"},
                    BadCertificate{"Expired", "expired", "", "refuses the certificate"},
                    BadCertificate{"WrongAuthority", "registration", "unknown-ca", "vouches"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ClientTest, SaysWhichFileIsWrongAtOnce) {
  ClientOptions client = As("registration");
  client.key = folder_ + "/validation.key";
  EXPECT_THAT(std::string(OpenProducer(client, {}).status().message()),
              HasSubstr("validation.key"));
  client.key = folder_ + "/nowhere.key";
  EXPECT_TRUE(absl::IsPermissionDenied(OpenConsumer(client, {.group = "g"}).status()));
  client.key = "";
  EXPECT_TRUE(absl::IsPermissionDenied(OpenAdmin(client).status()));
}

// A client has read its certificate once and for all: when the files were replaced it says so, once they have come to
// rest, and goes on; another one reads the new files. Files that are not all there are no certificate.
TEST_F(ClientTest, SaysThatItsCertificateWasRenewed) {
  std::string pattern = std::filesystem::temp_directory_path() / "renewed-XXXXXX";
  const std::filesystem::path folder = mkdtemp(pattern.data());
  ClientOptions client = As("registration");
  const ClientOptions from = client;
  client.certificate = folder / "client.pem";
  client.key = folder / "client.key";
  const auto put = [&] {
    for (const auto& [source, target] :
         {std::pair{from.key, client.key}, {from.certificate, client.certificate}}) {
      std::filesystem::copy_file(source, target + ".part",
                                 std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(target + ".part", target);
    }
  };
  put();
  auto producer = OpenProducer(client, {});
  auto consumer = OpenConsumer(client, {.group = Fresh("sankofa.test"), .topics = {MakeTopic()}});
  ASSERT_TRUE(producer.ok() && consumer.ok());
  const auto poll = [&] {
    (*producer)->Poll(absl::Milliseconds(50));
    (void)(*consumer)->PollBatch(1, absl::Milliseconds(50));
  };
  const auto renewed = [&] {
    return absl::IsAborted((*producer)->Health()) && absl::IsAborted((*consumer)->Health());
  };
  // Two looks and more, a second apart.
  const auto look = [&](absl::Duration patience) {
    const absl::Time end = absl::Now() + patience;
    while (!renewed() && absl::Now() < end) poll();
    return renewed();
  };
  std::filesystem::remove(client.certificate);
  EXPECT_FALSE(look(absl::Seconds(3)));
  put();
  EXPECT_TRUE(look(kPatience));
  EXPECT_TRUE(OpenProducer(client, {}).value()->Health().ok());
  std::filesystem::remove_all(folder);
}

TEST_F(ClientTest, SaysWhatIsNotAllowed) {
  const std::string topic = MakeTopic("secret.test");
  auto producer = MakeProducer(As("registration"));
  ASSERT_TRUE(producer->Produce({.topic = topic, .key = "k", .value = "v"}, 1).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(reports_.at(0).second)) << reports_.at(0).second;
  EXPECT_TRUE(absl::IsPermissionDenied(producer->Health()));
  EXPECT_THAT(std::string(producer->Health().message()), HasSubstr(topic));

  const std::string group = Fresh("sankofa.test");
  auto consumer = MakeConsumer(As("registration"), {.group = group, .topics = {topic}});
  const auto poll = [&] { static_cast<void>(consumer->PollBatch(1, absl::Milliseconds(20))); };
  EXPECT_TRUE(absl::IsPermissionDenied(
      HealthBecomes(absl::StatusCode::kPermissionDenied, *consumer, poll)));

  const std::vector<Acl> grants = {
      {.name = topic, .principal = "User:registration", .right = Acl::Right::kRead},
      {.name = topic, .principal = "User:registration", .right = Acl::Right::kWrite},
      {.name = topic, .principal = "User:registration", .right = Acl::Right::kDescribe}};
  ASSERT_TRUE(admin_->EnsureAcls(grants, kPatience).ok());
  ASSERT_TRUE(admin_->EnsureAcls(grants, kPatience).ok());
  const auto acls = admin_->DescribeAcls("User:registration", kPatience);
  ASSERT_TRUE(acls.ok()) << acls.status();
  EXPECT_EQ(
      std::count_if(acls->begin(), acls->end(), [&](const Acl& acl) { return acl.name == topic; }),
      3);

  // With the right, both find the way by themselves.
  const absl::Time deadline = absl::Now() + kPatience;
  while (!producer->Health().ok() && absl::Now() < deadline) {
    static_cast<void>(producer->Produce({.topic = topic, .key = "k", .value = "v"}, 2));
    producer->Poll(absl::Milliseconds(20));
  }
  EXPECT_TRUE(producer->Health().ok()) << producer->Health();
  EXPECT_FALSE(Collect(*consumer, 1).empty());
  EXPECT_TRUE(consumer->Health().ok()) << consumer->Health();

  // Taken back, it is refused again; what was not named stays.
  const std::vector<Acl> taken = {grants[0], grants[1]};
  ASSERT_TRUE(admin_->RemoveAcls(taken, kPatience).ok());
  ASSERT_TRUE(admin_->RemoveAcls(taken, kPatience).ok());
  const auto left = admin_->DescribeAcls("User:registration", kPatience);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(
      std::count_if(left->begin(), left->end(), [&](const Acl& acl) { return acl.name == topic; }),
      1);
  EXPECT_TRUE(absl::IsPermissionDenied(
      HealthBecomes(absl::StatusCode::kPermissionDenied, *consumer, poll)));
}

TEST_F(ClientTest, SaysThatTheGroupIsNotAllowed) {
  const std::string topic = MakeTopic();
  auto consumer = MakeConsumer(As("registration"), {.group = "others", .topics = {topic}});
  const auto health = HealthBecomes(absl::StatusCode::kPermissionDenied, *consumer, [&] {
    static_cast<void>(consumer->PollBatch(1, absl::Milliseconds(20)));
  });
  EXPECT_THAT(std::string(health.message()), HasSubstr("group others"));
}

// As a node's whose partner has suspended it: it is a member of the group, and then may neither read nor be one.
TEST_F(ClientTest, EndsInTimeWhereItsRightsWereTakenAway) {
  const std::string topic = MakeTopic("feed.test");
  const std::string group = Fresh("partner-test");
  std::vector<Acl> rights;
  for (const Acl::Right right : {Acl::Right::kRead, Acl::Right::kDescribe}) {
    rights.push_back({.name = topic, .principal = "User:registration", .right = right});
    rights.push_back({.resource = Acl::Resource::kGroup,
                      .name = group,
                      .principal = "User:registration",
                      .right = right});
  }
  ASSERT_TRUE(admin_->EnsureAcls(rights, kPatience).ok());
  auto producer = MakeProducer(As("node"));
  ASSERT_TRUE(producer->Produce({.topic = topic, .key = "k", .value = "v"}, 1).ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  auto consumer = MakeConsumer(As("registration"), {.group = group, .topics = {topic}});
  ASSERT_FALSE(Collect(*consumer, 1).empty());

  ASSERT_TRUE(admin_->RemoveAcls(rights, kPatience).ok());
  EXPECT_TRUE(
      absl::IsPermissionDenied(HealthBecomes(absl::StatusCode::kPermissionDenied, *consumer, [&] {
        static_cast<void>(consumer->PollBatch(1, absl::Milliseconds(20)));
      })));
  const absl::Time begun = absl::Now();
  consumer.reset();
  EXPECT_LT(absl::Now() - begun, absl::Seconds(10));
}

TEST_F(ClientTest, FailsWhereATestWantsIt) {
  const std::string topic = MakeTopic();
  auto client = As("registration");
  client.faults = std::make_shared<Faults>();
  auto producer = MakeProducer(client);
  client.faults->FailNth(Operation::kProduce, 2, absl::UnavailableError("planned"));
  client.faults->FailNth(Operation::kDelivery, 2, absl::UnavailableError("planned"));
  std::vector<absl::Status> produced;
  for (int i = 1; i <= 3; ++i) {
    produced.push_back(producer->Produce({.topic = topic, .key = "k", .value = "v"}, i));
  }
  EXPECT_TRUE(produced[0].ok() && absl::IsUnavailable(produced[1]) && produced[2].ok());
  ASSERT_TRUE(producer->Flush(kPatience).ok());
  ASSERT_THAT(reports_, SizeIs(2));
  EXPECT_TRUE(reports_[0].second.ok());
  EXPECT_TRUE(absl::IsUnavailable(reports_[1].second));

  auto consumer = MakeConsumer(client, {.group = Fresh("sankofa.test"), .topics = {topic}});
  client.faults->FailNth(Operation::kPoll, 1, absl::UnavailableError("planned"));
  client.faults->FailNth(Operation::kCommit, 1, absl::UnavailableError("planned"));
  EXPECT_TRUE(absl::IsUnavailable(consumer->PollBatch(10, absl::ZeroDuration()).status()));
  const auto messages = Collect(*consumer, 2);
  ASSERT_THAT(messages, SizeIs(2));  // the broker had kept the second
  const Offsets next = {{messages[1].from(), messages[1].offset + 1}};
  EXPECT_TRUE(absl::IsUnavailable(consumer->Commit(next)));
  EXPECT_TRUE(consumer->Commit(next).ok());
}

}  // namespace
}  // namespace sankofa::kafka
