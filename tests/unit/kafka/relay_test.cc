#include "services/platform/kafka/relay.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "services/platform/telemetry/log.h"
#include "tests/unit/kafka/fakes.h"

namespace sankofa::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A node's relay over a journal and a broker in memory. Time moves only when nothing else does.
struct Node {
  Node() {
    EXPECT_TRUE(broker.MakeAdmin()->EnsureTopics({{.name = "sankofa.registration"}}, {}).ok());
    options.node = kNode;
    options.service = kService;
    options.metrics.published = [this](std::int64_t rows) { published += rows; };
    options.metrics.lag = [this](std::int64_t rows) { lag = rows; };
    options.metrics.oldest_unpublished = [this](absl::Duration age) { oldest = age; };
    options.metrics.parked = [this](std::int64_t cases) { parked = cases; };
  }

  Relay& Start() {
    relay.reset();
    source = std::make_unique<FakeRelaySource>(journal);
    relay = std::make_unique<Relay>(
        options, *source,
        [this](ProducerOptions producer) { return broker.MakeProducer(std::move(producer)); },
        clock);
    return *relay;
  }

  // Topics are looked after as the platform does it. Those in `refused` can't be had.
  void LookAfterTopics() {
    options.look_after = [this](const std::vector<std::string>& topics)
        -> absl::StatusOr<std::map<std::string, std::int64_t>> {
      std::map<std::string, std::int64_t> records;
      for (const std::string& topic : topics) {
        ++looks[topic];
        if (refused.contains(topic)) continue;
        if (auto status = broker.MakeAdmin()->EnsureTopics({{.name = topic}}, {}); !status.ok()) {
          return status;
        }
        const auto partitions = broker.MakeAdmin()->TopicWatermarks(topic, {});
        if (!partitions.ok()) return partitions.status();
        records[topic] = 0;
        for (const auto& [_, marks] : *partitions) records[topic] += marks.next;
      }
      return records;
    };
  }
  void LoseTopic(const std::string& topic = "sankofa.registration") {
    EXPECT_TRUE(broker.MakeAdmin()->DeleteTopic(topic, {}).ok());
  }

  // A row whose payload begins with "to <topic> " goes there.
  void Route() {
    options.to_record = [](const engine::JournalRow& row) {
      Record record = ToRecord(row, kNode, kService);
      const std::vector<std::string> words = absl::StrSplit(row.payload, ' ');
      if (words.size() > 2 && words[0] == "to") record.topic = words[1];
      return record;
    };
  }

  // What took effect at a consumer of the topic, by stream.
  [[nodiscard]] std::map<std::string, std::vector<std::int64_t>> EffectOf(
      const std::string& topic) const {
    std::map<std::string, std::vector<std::int64_t>> effect;
    for (const Message& message : broker.Messages(topic)) {
      const auto sequence =
          std::find_if(message.headers.begin(), message.headers.end(),
                       [](const Header& header) { return header.name == "ce_sequence"; });
      std::vector<std::int64_t>& applied = effect[message.key];
      const std::int64_t number = std::stoll(sequence->value);
      if (number == static_cast<std::int64_t>(applied.size()) + 1) applied.push_back(number);
    }
    return effect;
  }

  // As kill -9 does: nothing is saved, and the database gives the lock up.
  void Crash() {
    relay.reset();
    source->Release();
  }

  // Rounds until nothing was done for `quiet`, or for ten minutes: a relay that can't go on tries again and again.
  void Run(absl::Duration quiet = absl::Seconds(6)) {
    absl::Time until = clock.Now() + quiet;
    const absl::Time end = clock.Now() + absl::Minutes(10);
    while (clock.Now() < std::min(until, end)) {
      if (relay->Step(absl::ZeroDuration())) {
        until = clock.Now() + quiet;
      } else {
        clock.Advance(absl::Milliseconds(50));
      }
    }
  }

  [[nodiscard]] std::vector<Message> Messages() const {
    return broker.Messages("sankofa.registration");
  }
  [[nodiscard]] RelayPosition End() const { return journal.rows.back().at; }

  // Every row for publishing took effect once and in order, and the cursor is at the end.
  [[nodiscard]] bool Complete() const {
    std::map<std::string, std::vector<std::int64_t>> expected;
    for (const RelayRow& row : journal.rows) {
      if (row.row.publish) expected[row.row.stream.id].push_back(row.row.sequence);
    }
    return Effect(Messages()) == expected && journal.cursor == End() && journal.parked.empty();
  }

  time::ManualClock clock{absl::FromUnixSeconds(1'500'000'000)};
  FakeJournal journal;
  MemoryBroker broker;
  RelayOptions options;
  std::set<std::string> refused;
  std::map<std::string, int> looks;
  std::unique_ptr<FakeRelaySource> source;
  std::unique_ptr<Relay> relay;
  std::int64_t published = 0;
  std::int64_t lag = -1;
  std::int64_t parked = -1;
  absl::Duration oldest = absl::InfiniteDuration();
};

void AddRows(FakeJournal& journal, int rows, int cases) {
  for (int i = 0; i < rows; ++i) journal.Add(absl::StrCat("case-", i % cases), absl::StrCat(i));
}

std::function<absl::Status(const Record&)> Refuse(std::string value) {
  return [value = std::move(value)](const Record& record) {
    return record.value == value ? absl::InvalidArgumentError("too large for this topic")
                                 : absl::OkStatus();
  };
}

TEST(RelayTest, PublishesInOrderAndKeepsTheCursor) {
  Node node;
  AddRows(node.journal, 100, 7);
  node.Start();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(100));
  EXPECT_EQ(node.published, 100);
  EXPECT_EQ(node.relay->published(), 100);
  EXPECT_EQ(node.lag, 0);
  EXPECT_EQ(node.oldest, absl::ZeroDuration());
  EXPECT_EQ(node.parked, 0);
  EXPECT_TRUE(node.relay->Health().ok());
  AddRows(node.journal, 10, 7);
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(110));
}

TEST(RelayTest, GoesOnWhereItStopped) {
  Node node;
  AddRows(node.journal, 10, 3);
  node.Start();
  node.Run();
  node.Crash();
  AddRows(node.journal, 10, 3);
  node.Start();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(20));
}

TEST(RelayTest, PassesOverWhatIsNotForPublishing) {
  Node node;
  node.journal.Add("a");
  node.journal.Add("a", "x", /*publish=*/false, "log");
  node.journal.Add("b");
  node.journal.Add("b", "x", /*publish=*/false, "log");
  node.Start();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(2));
}

TEST(RelayTest, KeepsItsWindow) {
  Node node;
  node.options.window_rows = 3;
  node.options.window_bytes = 3'000;
  AddRows(node.journal, 50, 5);
  node.journal.Add("large", std::string(10'000, 'x'));  // larger than the window
  AddRows(node.journal, 50, 5);
  node.broker.SetAvailable(false);
  node.Start();
  node.Run();
  EXPECT_EQ(node.journal.cursor, RelayPosition());
  node.broker.SetAvailable(true);
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(101));
}

TEST(RelayTest, WaitsForKafkaAndSaysSoOnce) {
  Node node;
  AddRows(node.journal, 20, 4);
  node.broker.SetAvailable(false);
  const telemetry::LogCapture log;
  node.Start();
  node.Run(absl::Minutes(10));
  EXPECT_TRUE(absl::IsUnavailable(node.relay->Health()));
  EXPECT_EQ(node.lag, 20);
  EXPECT_GT(node.oldest, absl::Minutes(9));
  node.broker.SetAvailable(true);
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_TRUE(node.relay->Health().ok());
  int waits = 0;
  int goes_on = 0;
  for (const std::string& line : log.lines()) {
    waits += absl::StrContains(line, "relay waits") ? 1 : 0;
    goes_on += absl::StrContains(line, "relay goes on") ? 1 : 0;
  }
  EXPECT_EQ(waits, 1);
  EXPECT_EQ(goes_on, 1);
}

TEST(RelayTest, WaitsForItsTopic) {
  Node node;
  int calls = 0;
  node.options.look_after =
      [&](const auto&) -> absl::StatusOr<std::map<std::string, std::int64_t>> {
    if (++calls < 4) return absl::UnavailableError("Kafka starts");
    return std::map<std::string, std::int64_t>{{"sankofa.registration", 0}};
  };
  AddRows(node.journal, 5, 2);
  node.Start();
  EXPECT_THAT(node.Messages(), IsEmpty());
  node.Run();
  EXPECT_EQ(calls, 4);
  EXPECT_TRUE(node.Complete());
}

TEST(RelayTest, PublishesAllAgainWhereTheTopicWasLost) {
  Node node;
  node.LookAfterTopics();
  AddRows(node.journal, 30, 4);
  node.broker.RefuseRecords(Refuse("7"));
  node.Start();
  node.Run();
  EXPECT_THAT(node.journal.parked, SizeIs(1));
  node.Crash();
  node.LoseTopic();
  node.broker.RefuseRecords({});
  node.Start();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(30));

  // Once it has held something it is as it ever was, also when its records are past their time.
  node.Crash();
  AddRows(node.journal, 5, 4);
  node.Start();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(35));
}

TEST(RelayTest, NoticesALostTopicWhileItRuns) {
  Node node;
  node.LookAfterTopics();
  AddRows(node.journal, 10, 3);
  node.Start();
  node.Run();
  node.LoseTopic();
  AddRows(node.journal, 1, 1);
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(11));

  // Also where nothing is to be published.
  node.LoseTopic();
  node.Run(absl::Minutes(1));
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(11));
}

// ---- Several topics -------------------------------------------------------------------------------------------------

constexpr char kFr[] = "feed.fr";
constexpr char kIt[] = "feed.it";

// Streams of their own for each topic, all of the same few cases.
void AddRouted(FakeJournal& journal, int rows, int cases) {
  for (int i = 0; i < rows; ++i) {
    const std::string key = absl::StrCat("case-", i % cases);
    for (const char* topic : {kFr, kIt}) {
      journal.Add(key, absl::StrCat("to ", topic, " ", i), true, absl::StrCat(topic, ":", key));
    }
    journal.Add(key, "x");
  }
}

std::map<std::string, std::vector<std::int64_t>> Expected(int rows, int cases) {
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (int i = 0; i < rows; ++i)
    expected[absl::StrCat("case-", i % cases)].push_back(i / cases + 1);
  return expected;
}

struct FeedNode : Node {
  FeedNode() {
    Route();
    LookAfterTopics();
  }
  [[nodiscard]] bool AllDone(int rows, int cases) const {
    return EffectOf(kFr) == Expected(rows, cases) && EffectOf(kIt) == Expected(rows, cases) &&
           EffectOf("sankofa.registration") == Expected(rows, cases) && journal.cursor == End() &&
           journal.parked.empty();
  }
};

TEST(RelayTopicsTest, EachRowGoesToItsTopicWhichIsMadeWhenItIsNeeded) {
  FeedNode node;
  AddRouted(node.journal, 30, 4);
  node.Start();
  node.Run(absl::Minutes(1));
  EXPECT_TRUE(node.AllDone(30, 4));
  EXPECT_THAT(node.broker.Messages(kFr), SizeIs(30));
  EXPECT_THAT(node.Messages(), SizeIs(30));
  EXPECT_EQ(node.journal.topics.at(kFr), 30);
}

TEST(RelayTopicsTest, ATopicThatIsWantedIsThereBeforeItsFirstRow) {
  FeedNode node;
  node.options.topics = [] { return std::vector<std::string>{kFr}; };
  node.journal.Add("case-1");
  node.Start();
  node.Run();
  EXPECT_TRUE(node.broker.MakeAdmin()->TopicWatermarks(kFr, {}).ok());
  // Being empty is no loss, however often it is looked at.
  node.Run(absl::Minutes(2));
  EXPECT_GT(node.looks[kFr], 3);
  EXPECT_THAT(node.Messages(), SizeIs(1));
  EXPECT_EQ(node.published, 1);
}

TEST(RelayTopicsTest, ALostTopicIsFilledAgainAndNoOther) {
  FeedNode node;
  AddRouted(node.journal, 30, 4);
  node.Start();
  node.Run();
  node.LoseTopic(kFr);
  node.Run(absl::Minutes(1));
  EXPECT_TRUE(node.AllDone(30, 4));
  EXPECT_THAT(node.broker.Messages(kFr), SizeIs(30));
  EXPECT_THAT(node.broker.Messages(kIt), SizeIs(30));
  EXPECT_THAT(node.Messages(), SizeIs(30));
}

TEST(RelayTopicsTest, ATopicThatSomebodyMadeAgainIsFoundToHaveLostItsRecords) {
  FeedNode node;
  AddRouted(node.journal, 1500, 4);
  node.Start();
  node.Run();
  node.Crash();
  node.LoseTopic(kFr);
  ASSERT_TRUE(node.broker.MakeAdmin()->EnsureTopics({{.name = kFr}}, {}).ok());
  node.Start();
  node.Run();
  EXPECT_TRUE(node.AllDone(1500, 4));
  EXPECT_THAT(node.broker.Messages(kIt), SizeIs(1500));
}

TEST(RelayTopicsTest, ALossIsMadeUpForWhereverItStops) {
  for (int stop = 1; stop < 12; ++stop) {
    FeedNode node;
    AddRouted(node.journal, 900, 4);
    node.Start();
    node.Run();
    node.LoseTopic(kFr);
    node.Crash();
    node.Start();
    for (int i = 0; i < stop; ++i) node.relay->Step(absl::ZeroDuration());
    node.Crash();
    AddRouted(node.journal, 1, 1);
    node.Start();
    node.Run();
    EXPECT_EQ(node.EffectOf(kFr).at("case-0").size(), 226) << "after " << stop << " rounds";
    EXPECT_EQ(node.EffectOf(kFr).at("case-3").size(), 225) << "after " << stop << " rounds";
    EXPECT_THAT(node.journal.parked, IsEmpty());
    EXPECT_EQ(node.journal.cursor, node.End());
  }
}

TEST(RelayTopicsTest, ATopicThatCannotBeHadHoldsUpNoOther) {
  FeedNode node;
  node.refused = {kFr};
  AddRouted(node.journal, 30, 4);
  node.Start();
  node.Run();
  EXPECT_THAT(node.broker.Messages(kFr), IsEmpty());
  EXPECT_EQ(node.EffectOf(kIt), Expected(30, 4));
  EXPECT_EQ(node.EffectOf("sankofa.registration"), Expected(30, 4));
  EXPECT_EQ(node.journal.cursor, node.End());
  EXPECT_THAT(node.journal.parked, SizeIs(1)) << "all of the topic, and nothing else";
  EXPECT_LT(node.looks[kFr], 10);

  // Rows that come meanwhile wait with it, over a restart too.
  AddRouted(node.journal, 2, 2);
  node.Run();
  node.Crash();
  node.Start();
  node.Run();
  EXPECT_THAT(node.broker.Messages(kIt), SizeIs(32));
  node.refused.clear();
  node.Run(absl::Minutes(1));
  EXPECT_THAT(node.broker.Messages(kFr), SizeIs(32));
  EXPECT_THAT(node.journal.parked, IsEmpty());
}

TEST(RelayTopicsTest, ARowThatIsTooLargeParksItsCaseInItsTopicOnly) {
  FeedNode node;
  AddRouted(node.journal, 30, 4);
  node.broker.RefuseRecords(Refuse("to feed.fr 5"));
  node.Start();
  node.Run();
  EXPECT_EQ(node.EffectOf(kIt), Expected(30, 4));
  EXPECT_EQ(node.EffectOf("sankofa.registration"), Expected(30, 4));
  EXPECT_EQ(node.EffectOf(kFr).at("case-0").size(), 8);
  EXPECT_EQ(node.EffectOf(kFr).at("case-1").size(), 1);
  EXPECT_THAT(node.journal.parked, SizeIs(1));
  // The same where the topic is filled again.
  node.LoseTopic(kFr);
  node.Run(absl::Minutes(1));
  EXPECT_EQ(node.EffectOf(kFr).at("case-0").size(), 8);
  EXPECT_EQ(node.EffectOf(kFr).at("case-1").size(), 1);
  EXPECT_THAT(node.journal.parked, SizeIs(1));
  node.broker.RefuseRecords({});
  node.relay->RetryParked();
  node.Run();
  EXPECT_TRUE(node.AllDone(30, 4));
}

TEST(RelayTest, ParksTheCaseOfARowThatIsTooLarge) {
  Node node;
  node.journal.Add("a");
  node.journal.Add("b", std::string(kMaxRecordBytes, 'x'));
  node.journal.Add("a");
  node.journal.Add("b");
  node.Start();
  node.Run();
  EXPECT_EQ(Effect(node.Messages())["a"], (std::vector<std::int64_t>{1, 2}));
  EXPECT_THAT(Effect(node.Messages())["b"], IsEmpty());
  EXPECT_EQ(node.journal.cursor, node.End());
  ASSERT_THAT(node.journal.parked, SizeIs(1));
  const ParkedCase& parked = node.journal.parked["b"];
  EXPECT_EQ(parked.at, node.journal.rows[1].at);
  EXPECT_EQ(parked.attempts, 1);
  EXPECT_FALSE(parked.reason.empty());
  EXPECT_EQ(node.relay->parked(), 1);
  EXPECT_TRUE(node.relay->Health().ok());  // the others go on

  // A restart knows of it.
  node.Crash();
  node.journal.Add("b");
  node.journal.Add("a");
  node.Start();
  node.Run();
  EXPECT_THAT(Effect(node.Messages())["b"], IsEmpty());
  EXPECT_EQ(Effect(node.Messages())["a"], (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(node.parked, 1);
}

TEST(RelayTest, TriesAParkedCaseAgainAtGrowingIntervals) {
  Node node;
  node.journal.Add("b", "bad");
  node.broker.RefuseRecords(Refuse("bad"));
  node.Start();
  node.Run();
  EXPECT_EQ(node.journal.parked["b"].attempts, 1);
  node.Run(absl::Seconds(11));
  EXPECT_EQ(node.journal.parked["b"].attempts, 2);
  node.Run(absl::Seconds(21));
  EXPECT_EQ(node.journal.parked["b"].attempts, 3);
  node.journal.Add("b");
  node.Run();
  EXPECT_THAT(node.Messages(), IsEmpty());
  node.broker.RefuseRecords({});
  node.Run();
  EXPECT_THAT(node.Messages(), IsEmpty());  // not before its time
  node.relay->RetryParked();
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(2));
  EXPECT_EQ(node.parked, 0);
  node.journal.Add("b");
  node.Run();
  EXPECT_TRUE(node.Complete());
}

TEST(RelayTest, PublishesALongParkedCaseInOrder) {
  Node node;
  node.journal.Add("b", "bad");
  for (int i = 0; i < 250; ++i) node.journal.Add("b", absl::StrCat(i));
  node.broker.RefuseRecords(Refuse("bad"));
  node.Start();
  node.Run();
  node.broker.RefuseRecords({});
  node.relay->RetryParked();
  node.Run();
  EXPECT_TRUE(node.Complete());
}

// The broker refuses a batch as a whole; what is innocent in it goes through at once.
TEST(RelayTest, PublishesTheInnocentOfARefusedBatch) {
  Node node;
  AddRows(node.journal, 10, 5);
  node.journal.Add("b", "bad");
  int calls = 0;
  node.broker.RefuseRecords([&](const Record& record) {
    const bool refused = ++calls <= 11 || record.value == "bad";
    return refused ? absl::InvalidArgumentError("batch too large") : absl::OkStatus();
  });
  node.Start();
  node.Run();
  EXPECT_THAT(node.journal.parked, SizeIs(1));
  EXPECT_TRUE(node.journal.parked.contains("b"));
  EXPECT_THAT(node.Messages(), SizeIs(10));
  node.broker.RefuseRecords({});
  node.relay->RetryParked();
  node.Run();
  EXPECT_TRUE(node.Complete());
}

// Rows behind the failed one were on their way already.
TEST(RelayTest, PublishesTheRowsBehindAFailedOneAfterIt) {
  Node node;
  node.journal.Add("b", "1");
  node.journal.Add("b", "2");
  node.journal.Add("b", "3");
  int refused = 0;
  node.broker.RefuseRecords([&](const Record& record) {
    return record.value == "2" && ++refused <= 2 ? absl::InvalidArgumentError("no")
                                                 : absl::OkStatus();
  });
  node.Start();
  node.Run();
  std::vector<std::string> values;
  for (const Message& message : node.Messages()) values.push_back(message.value);
  EXPECT_THAT(values, ElementsAre("1", "3"));
  node.relay->RetryParked();
  node.Run();
  values.clear();
  for (const Message& message : node.Messages()) values.push_back(message.value);
  EXPECT_THAT(values, ElementsAre("1", "3", "2", "3"));
  EXPECT_TRUE(node.Complete());
}

// A row before the one that parked its case is lost on its way: it waits too, and goes first.
TEST(RelayTest, KeepsARowBeforeTheParkedOne) {
  Node node;
  node.journal.Add("b", "lost once");
  node.journal.Add("b", "refused");
  bool lost = false;
  bool refuse = true;
  node.broker.RefuseRecords([&](const Record& record) {
    if (record.value == "lost once" && !std::exchange(lost, true)) {
      return absl::UnavailableError("no leader");
    }
    return record.value == "refused" && refuse ? absl::InvalidArgumentError("no")
                                               : absl::OkStatus();
  });
  node.Start();
  node.Run();
  EXPECT_EQ(Effect(node.Messages())["b"], (std::vector<std::int64_t>{1}));
  refuse = false;
  node.relay->RetryParked();
  node.Run();
  EXPECT_TRUE(node.Complete());
}

TEST(RelayTest, WaitsForARightAndSaysSo) {
  Node node;
  AddRows(node.journal, 5, 2);
  node.broker.RefuseRecords(
      [](const Record&) { return absl::PermissionDeniedError("no right to write"); });
  node.Start();
  node.Run();
  EXPECT_TRUE(absl::IsPermissionDenied(node.relay->Health()));
  EXPECT_THAT(node.journal.parked, IsEmpty());
  EXPECT_EQ(node.journal.cursor, RelayPosition());
  node.broker.RefuseRecords({});
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_TRUE(node.relay->Health().ok());
}

TEST(RelayTest, LeavesTheJournalToItsOwner) {
  Node node;
  AddRows(node.journal, 5, 2);
  node.journal.owner = 2;
  node.Start();
  node.Run();
  EXPECT_THAT(node.Messages(), IsEmpty());
  EXPECT_TRUE(node.relay->Health().ok());
  node.journal.owner = 0;
  node.Run();
  EXPECT_TRUE(node.Complete());
}

TEST(RelayTest, StopsPublishingWhenTheLockIsLost) {
  Node node;
  AddRows(node.journal, 5, 2);
  node.Start();
  node.Run();
  node.broker.SetAvailable(false);
  AddRows(node.journal, 5, 2);
  node.Run();  // they wait in the producer
  node.journal.owner = 2;
  node.Run();
  node.broker.SetAvailable(true);
  node.Run();
  EXPECT_THAT(node.Messages(), SizeIs(5));
  node.journal.owner = 0;
  node.Run();
  EXPECT_TRUE(node.Complete());
  EXPECT_THAT(node.Messages(), SizeIs(10));
}

TEST(RelayTest, OpensANewProducerWhereTheOldIsBeyondRepair) {
  Node node;
  int opened = 0;
  node.source = std::make_unique<FakeRelaySource>(node.journal);
  class Broken final : public Producer {
   public:
    absl::Status Produce(const Record&, std::uint64_t) override { return Health(); }
    void Poll(absl::Duration) override {}
    absl::Status Flush(absl::Duration) override { return Health(); }
    int outstanding() const override { return 0; }
    absl::Status Health() const override { return absl::AbortedError("fatal"); }
  };
  Relay relay(
      node.options, *node.source,
      [&](ProducerOptions options) -> absl::StatusOr<std::unique_ptr<Producer>> {
        if (++opened == 1) return absl::PermissionDeniedError("no such file");
        if (opened == 2) return std::make_unique<Broken>();
        return node.broker.MakeProducer(std::move(options));
      },
      node.clock);
  AddRows(node.journal, 5, 2);
  for (int i = 0; i < 1'000; ++i) {
    if (!relay.Step(absl::ZeroDuration())) node.clock.Advance(absl::Milliseconds(20));
  }
  EXPECT_EQ(opened, 3);
  EXPECT_TRUE(node.Complete());
}

TEST(RelayTest, StopWaitsForReportsAndSaves) {
  Node node;
  AddRows(node.journal, 500, 20);
  FakeRelaySource source(node.journal);
  {
    Relay relay(node.options, source, [&](ProducerOptions options) {
      return node.broker.MakeProducer(std::move(options));
    });
    relay.Start();
    while (relay.published() == 0) std::this_thread::yield();
    relay.Stop();
    EXPECT_EQ(node.journal.owner, 0);
    const auto published = static_cast<std::size_t>(relay.published());
    EXPECT_EQ(node.journal.cursor, node.journal.rows[published - 1].at);
    EXPECT_THAT(node.Messages(), SizeIs(published));
  }
}

TEST(RelayTest, StopsAtOnceWithKafkaAway) {
  Node node;
  AddRows(node.journal, 5, 2);
  node.broker.SetAvailable(false);
  FakeRelaySource source(node.journal);
  Relay relay(node.options, source, [&](ProducerOptions options) {
    return node.broker.MakeProducer(std::move(options));
  });
  relay.Start();
  while (relay.Health().ok()) std::this_thread::yield();
  const absl::Time before = absl::Now();
  relay.Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  EXPECT_EQ(node.journal.cursor, RelayPosition());
}

// ---- The n-th call fails, for n = 1, 2 … until all goes through without it ----------------------------------------------

void RunWithParking(Node& node) {
  node.Run();
  node.broker.RefuseRecords({});
  node.relay->RetryParked();
  node.Run();
}

void AddMixedRows(Node& node) {
  node.options.window_rows = 7;
  node.options.read_rows = 5;
  AddRows(node.journal, 20, 4);
  node.journal.Add("bad", "bad");
  AddRows(node.journal, 5, 4);
  node.journal.Add("bad", "more");
  node.journal.Add("case-1", "log", /*publish=*/false, "log");
  node.broker.RefuseRecords(Refuse("bad"));
}

class FailingCallTest : public testing::TestWithParam<Operation> {};

TEST_P(FailingCallTest, LosesNothing) {
  for (int n = 1;; ++n) {
    Node node;
    AddMixedRows(node);
    node.broker.faults().FailNth(GetParam(), n, absl::UnavailableError("planned"));
    node.Start();
    RunWithParking(node);
    EXPECT_TRUE(node.Complete()) << "call " << n;
    if (node.broker.faults().calls(GetParam()) < n) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Kafka, FailingCallTest,
                         testing::Values(Operation::kProduce, Operation::kDelivery));

class FailingJournalTest : public testing::TestWithParam<std::tuple<NthCall::Kind, bool>> {};

TEST_P(FailingJournalTest, LosesNothing) {
  const auto [kind, crash] = GetParam();
  for (int n = 1; n <= 10'000; ++n) {
    Node node;
    AddMixedRows(node);
    node.Start();
    node.journal.calls.Plan(n, kind);
    // Step by step, so that the crash comes right after the failed call.
    absl::Time until = node.clock.Now() + absl::Seconds(6);
    while (node.clock.Now() < until && !node.journal.calls.hit()) {
      if (!node.relay->Step(absl::ZeroDuration())) node.clock.Advance(absl::Milliseconds(50));
    }
    const bool through = !node.journal.calls.hit();
    if (crash) {
      node.Crash();
      node.Start();
    }
    RunWithParking(node);
    EXPECT_TRUE(node.Complete()) << "call " << n;
    if (through) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Database, FailingJournalTest,
                         testing::Combine(testing::Values(NthCall::Kind::kBefore,
                                                          NthCall::Kind::kAnswerLost),
                                          testing::Bool()));

// Whatever happens in whatever order: in the end each case has all its events, in order.
RC_GTEST_PROP(RelayProperty, OrderPerCaseSurvivesEverything, ()) {
  Node node;
  node.options.window_rows = *rc::gen::inRange(1, 10);
  node.options.read_rows = *rc::gen::inRange(1, 10);
  std::set<std::string> refused;
  int lost_at = 0;
  node.broker.RefuseRecords([&](const Record& record) {
    if (lost_at > 0) {
      --lost_at;
      if (lost_at == 0) return absl::UnavailableError("no leader");
    }
    return refused.contains(record.value) ? absl::InvalidArgumentError("no") : absl::OkStatus();
  });
  node.Start();
  const int steps = *rc::gen::inRange(1, 120);
  int value = 0;
  for (int i = 0; i < steps; ++i) {
    switch (*rc::gen::inRange(0, 16)) {
      case 0: node.broker.SetAvailable(false); break;
      case 1: node.broker.SetAvailable(true); break;
      case 2: node.journal.calls.Plan(*rc::gen::inRange(1, 5), NthCall::Kind::kBefore); break;
      case 3: node.journal.calls.Plan(*rc::gen::inRange(1, 5), NthCall::Kind::kAnswerLost); break;
      case 4:
        node.broker.faults().FailNth(Operation::kDelivery, *rc::gen::inRange(1, 5),
                                     absl::UnavailableError("planned"));
        break;
      case 5:
        node.Crash();
        node.Start();
        break;
      case 6: node.relay->RetryParked(); break;
      case 7: refused.insert(absl::StrCat(*rc::gen::inRange(0, value + 3))); break;
      case 8: refused.clear(); break;
      case 9: node.clock.Advance(absl::Seconds(*rc::gen::inRange(0, 30))); break;
      case 10: lost_at = *rc::gen::inRange(1, 5); break;
      case 11:
      case 12: node.relay->Step(absl::ZeroDuration()); break;
      default: {
        const bool publish = *rc::gen::inRange(0, 5) != 0;
        node.journal.Add(absl::StrCat("case-", *rc::gen::inRange(0, 4)), absl::StrCat(value++),
                         publish, publish ? "" : "log");
      }
    }
  }
  if (node.journal.rows.empty()) return;
  refused.clear();
  lost_at = 0;
  node.broker.SetAvailable(true);
  node.broker.faults().Clear();
  node.journal.calls.Plan(0, NthCall::Kind::kBefore);
  node.Run(absl::Seconds(10));
  node.relay->RetryParked();
  node.Run(absl::Seconds(10));
  RC_ASSERT(node.Complete());
}

}  // namespace
}  // namespace sankofa::kafka
