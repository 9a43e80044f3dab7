#include "services/platform/kafka/reaction_runner.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "services/platform/telemetry/log.h"
#include "tests/unit/kafka/fakes.h"

namespace sankofa::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kTopic[] = "sankofa.registration";
constexpr char kGroup[] = "sankofa.monitoring";

// A service that reacts to registration's events. Time moves only when nothing else does.
struct Listener {
  Listener() {
    EXPECT_TRUE(broker.MakeAdmin()->EnsureTopics({{.name = kTopic}}, {}).ok());
    producer = broker.MakeProducer({});
    options.node = kNode;
    options.service = "monitoring";
    options.sources = {kService};
    options.commit_interval = absl::ZeroDuration();
    options.metrics.applied = [this](std::int64_t events) { applied += events; };
    options.metrics.repeated = [this](std::int64_t events) { repeated += events; };
    options.metrics.dead_letters = [this](std::int64_t events) { dead_letters += events; };
    options.metrics.lag = [this](std::int64_t messages) { lag = messages; };
    options.metrics.waiting = [this](std::int64_t events) { waiting = events; };
  }

  // Where one runs already, that is a crash: it commits nothing more.
  ReactionRunner& Start() {
    runner.reset();
    runner = std::make_unique<ReactionRunner>(
        options, sink, replay,
        [this](ConsumerOptions consumer) { return broker.MakeConsumer(std::move(consumer)); },
        clock);
    return *runner;
  }

  // Rounds until nothing was done for `quiet`, or for ten minutes.
  void Run(absl::Duration quiet = absl::Seconds(6)) {
    absl::Time until = clock.Now() + quiet;
    const absl::Time end = clock.Now() + absl::Minutes(10);
    while (clock.Now() < std::min(until, end)) {
      if (runner->Step(absl::ZeroDuration())) {
        until = clock.Now() + quiet;
      } else {
        clock.Advance(absl::Milliseconds(50));
      }
    }
  }

  // An event of the case, in the journal and in the topic.
  void Publish(const std::string& stream, const std::string& payload = "x") {
    Skip(stream, payload);
    Send(ToRecord(source.rows.back().row, kNode, kService));
  }
  // An event that is in the journal only.
  void Skip(const std::string& stream, const std::string& payload = "x") {
    source.Add(stream, payload);
  }
  // The event at `index` of the journal once more.
  void Again(std::size_t index) { Send(ToRecord(source.rows.at(index).row, kNode, kService)); }
  void Send(const Record& record) {
    EXPECT_TRUE(producer->Produce(record, 0).ok());
    producer->Poll({});
  }

  // All of the journal took effect, each stream in order and nothing twice.
  [[nodiscard]] bool Complete() const {
    std::map<std::string, std::vector<std::int64_t>> expected;
    for (const RelayRow& row : source.rows) {
      expected[row.row.stream.id].push_back(row.row.sequence);
    }
    return Applied() == expected;
  }
  [[nodiscard]] std::map<std::string, std::vector<std::int64_t>> Applied() const {
    std::map<std::string, std::vector<std::int64_t>> streams;
    for (const engine::IncomingEvent& event : sink.applied) {
      streams[event.meta.stream.id].push_back(event.meta.sequence);
    }
    return streams;
  }
  // Messages that the group would read again.
  [[nodiscard]] std::int64_t Uncommitted() const {
    const Offsets committed = broker.Committed(group);
    std::int64_t count = 0;
    for (const Message& message : broker.Messages(topic)) {
      const auto offset = committed.find(message.from());
      count += offset == committed.end() || message.offset >= offset->second ? 1 : 0;
    }
    return count;
  }

  time::ManualClock clock{absl::FromUnixSeconds(1'500'000'000)};
  FakeJournal source;
  MemoryBroker broker;
  std::unique_ptr<Producer> producer;
  FakeSink sink;
  FakeReplay replay{source};
  ReactionOptions options;
  std::string group = kGroup;
  std::string topic = kTopic;
  std::unique_ptr<ReactionRunner> runner;
  std::int64_t applied = 0;
  std::int64_t repeated = 0;
  std::int64_t dead_letters = 0;
  std::int64_t lag = -1;
  std::int64_t waiting = -1;
};

TEST(ReactionRunnerTest, AppliesInOrderAndCommits) {
  Listener listener;
  for (int i = 0; i < 100; ++i) listener.Publish(absl::StrCat("case-", i % 7));
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.applied, 100);
  EXPECT_EQ(listener.runner->applied(), 100);
  EXPECT_EQ(listener.repeated, 0);
  EXPECT_EQ(listener.lag, 0);
  EXPECT_EQ(listener.waiting, 0);
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_TRUE(listener.runner->Health().ok());
  listener.Start();  // the group's next member has nothing to do
  listener.Run();
  EXPECT_EQ(listener.sink.repeated, 0);
}

TEST(ReactionRunnerTest, DropsWhatComesAgainAfterACrash) {
  Listener listener;
  listener.Start();
  listener.Run();
  listener.broker.faults().FailNth(Operation::kCommit, 1, absl::UnavailableError("crashed"));
  for (int i = 0; i < 20; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  listener.runner->Step(absl::ZeroDuration());
  EXPECT_TRUE(listener.Complete());
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.sink.repeated, 20);
}

TEST(ReactionRunnerTest, TriesTheSameEventsUntilTheDatabaseIsBack) {
  Listener listener;
  const telemetry::LogCapture log;
  listener.Start();
  listener.sink.down = true;
  for (int i = 0; i < 20; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  listener.Run(absl::Minutes(5));
  EXPECT_TRUE(absl::IsUnavailable(listener.runner->Health()));
  EXPECT_EQ(listener.Uncommitted(), 20);
  for (int i = 0; i < 20; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  listener.sink.down = false;
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.sink.repeated, 0);
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_TRUE(listener.runner->Health().ok());
  int waits = 0;
  for (const std::string& line : log.lines()) {
    waits += absl::StrContains(line, "reactions wait") ? 1 : 0;
  }
  EXPECT_EQ(waits, 1);
}

TEST(ReactionRunnerTest, WaitsForKafka) {
  Listener listener;
  for (int i = 0; i < 5; ++i) listener.Publish("case");
  int calls = 0;
  listener.options.ensure_topics = [&] {
    return ++calls < 4 ? absl::UnavailableError("Kafka starts") : absl::OkStatus();
  };
  listener.broker.SetAvailable(false);
  listener.Start();
  listener.Run(absl::Minutes(1));
  EXPECT_TRUE(absl::IsUnavailable(listener.runner->Health()));
  listener.broker.SetAvailable(true);
  listener.Run();
  EXPECT_EQ(calls, 4);
  EXPECT_TRUE(listener.Complete());
}

TEST(ReactionRunnerTest, SaysWhatIsNotAllowedAndGoesOn) {
  Listener listener;
  listener.Publish("case");
  listener.broker.faults().FailNth(Operation::kPoll, 1, absl::PermissionDeniedError("no right"));
  listener.Start();
  listener.runner->Step(absl::ZeroDuration());
  EXPECT_TRUE(absl::IsPermissionDenied(listener.runner->Health()));
  listener.Run();
  EXPECT_TRUE(listener.runner->Health().ok());
  EXPECT_TRUE(listener.Complete());
}

TEST(ReactionRunnerTest, DoesNothingWithoutSources) {
  Listener listener;
  listener.options.sources.clear();
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.runner->Health().ok());
}

// ---- Messages that are no events -----------------------------------------------------------------------------------------

TEST(ReactionRunnerTest, SetsMalformedMessagesAside) {
  Listener listener;
  listener.Publish("case");
  listener.Send({.topic = kTopic, .key = "case", .value = "garbage"});
  engine::JournalRow foreign = listener.source.rows.back().row;
  listener.Send(ToRecord(foreign, "tg", kService));  // of another node
  listener.Publish("case");
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_EQ(listener.dead_letters, 2);
  EXPECT_EQ(listener.runner->dead_letters(), 2);
  ASSERT_THAT(listener.sink.dead_letters, SizeIs(2));
  const engine::DeadLetter& letter = listener.sink.dead_letters[0];
  EXPECT_EQ(letter.reason, "MALFORMED_EVENT");
  EXPECT_EQ(letter.from.source, kService);
  EXPECT_EQ(letter.from.stream.type, "Kafka");
  EXPECT_THAT(letter.from.stream.id, testing::StartsWith("sankofa.registration/"));
  EXPECT_EQ(letter.sequence, 2);  // offset 1
  EXPECT_EQ(letter.payload, "garbage");
  EXPECT_FALSE(letter.detail.empty());
}

TEST(ReactionRunnerTest, SetsAMalformedMessageAsideOnce) {
  Listener listener;
  listener.broker.faults().FailNth(Operation::kCommit, 1, absl::UnavailableError("crashed"));
  listener.Send({.topic = kTopic, .key = "case", .value = "garbage"});
  listener.Start();
  listener.runner->Step(absl::ZeroDuration());
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1));
  listener.Start();
  listener.Run();
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1));
}

TEST(ReactionRunnerTest, KeepsMalformedMessagesUntilTheyAreSetAside) {
  Listener listener;
  listener.sink.down = true;
  listener.Send({.topic = kTopic, .key = "case", .value = "garbage"});
  listener.Publish("case");
  listener.Start();
  listener.Run(absl::Minutes(1));
  EXPECT_EQ(listener.Uncommitted(), 2);
  listener.sink.down = false;
  listener.Run();
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1));
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
}

// ---- A partner's feed -----------------------------------------------------------------------------------------------

constexpr char kFeed[] = "feed.cm";

// Reads a feed of another cluster: keyed by case, headers of no interest, the value is "<sequence>:<payload>" or garbage.
struct FeedListener : Listener {
  FeedListener() {
    EXPECT_TRUE(broker.MakeAdmin()->EnsureTopics({{.name = kFeed}}, {}).ok());
    options.sources.clear();
    options.topics = {kFeed};
    group = options.group = "partner-cm";
    topic = kFeed;
    options.from = "partner tg";
    options.parse = [](const Message& message) -> absl::StatusOr<engine::IncomingEvent> {
      const std::size_t colon = message.value.find(':');
      if (colon == std::string::npos) return absl::InvalidArgumentError("not signed");
      engine::IncomingEvent event;
      event.meta = {.source = kService,
                    .stream = {"Case", message.key},
                    .sequence = std::stoll(message.value.substr(0, colon)),
                    .partition_key = message.key};
      event.event_type = "feed";
      event.payload = message.value.substr(colon + 1);
      return event;
    };
    sink.refused_payload = "tampered";
    // A message that can't be read claims to be the next one of its key.
    sink.refuse = [this](std::span<const Unreadable> messages) {
      engine::Gaps gaps;
      for (const Unreadable& unreadable : messages) {
        ++sink.refused;
        const engine::InboxStream stream{kService, {"Case", unreadable.message.key}};
        gaps.emplace_back(stream, sink.marks[stream] + 1);
      }
      return gaps;
    };
  }
  // Journal and topic; or, with `instead`, something else in the topic.
  void Send(const std::string& stream, const std::string& instead = {}) {
    Skip(stream);
    const std::string genuine = absl::StrCat(source.sequences[stream], ":x");
    Listener::Send({.topic = kFeed, .key = stream, .value = instead.empty() ? genuine : instead});
  }
};

TEST(FeedRunnerTest, IsReadInItsOwnWay) {
  FeedListener listener;
  for (int i = 0; i < 30; ++i) listener.Send(absl::StrCat("case-", i % 3));
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_EQ(listener.replay.fetches, 0);
}

TEST(FeedRunnerTest, TheGenuineMessageIsAskedForAtOnce) {
  for (const char* instead : {"2:tampered", "garbage"}) {
    FeedListener listener;
    listener.Send("case");
    listener.Send("case", instead);  // and nothing after it
    listener.Start();
    listener.Run(absl::Milliseconds(100));
    EXPECT_TRUE(listener.Complete()) << instead;
    EXPECT_EQ(listener.sink.refused, 1) << instead;
    EXPECT_EQ(listener.replay.fetches, 1) << instead;
    EXPECT_EQ(listener.Uncommitted(), 0) << instead;
    EXPECT_THAT(listener.sink.dead_letters, IsEmpty()) << instead;
  }
}

TEST(FeedRunnerTest, WhatFollowsARefusedMessageWaitsForTheGenuineOne) {
  for (const char* instead : {"2:tampered", "garbage"}) {
    FeedListener listener;
    listener.replay.down = true;
    listener.Send("case");
    listener.Send("case", instead);
    for (int i = 0; i < 5; ++i) listener.Send("case");
    listener.Send("other");
    listener.Start();
    listener.Run();
    const auto applied = listener.Applied();
    EXPECT_THAT(applied.at("case"), ElementsAre(1)) << instead;
    EXPECT_THAT(applied.at("other"), ElementsAre(1)) << instead;
    listener.replay.down = false;
    listener.Run();
    EXPECT_TRUE(listener.Complete()) << instead;
    EXPECT_EQ(listener.Uncommitted(), 0) << instead;
  }
}

TEST(FeedRunnerTest, ARestartAsksAgain) {
  for (const char* instead : {"2:tampered", "garbage"}) {
    FeedListener listener;
    listener.replay.down = true;
    listener.Send("case");
    listener.Send("case", instead);
    listener.Start();
    listener.Run();
    EXPECT_GT(listener.Uncommitted(), 0) << instead;
    listener.replay.down = false;
    listener.Start();
    listener.Run();
    EXPECT_TRUE(listener.Complete()) << instead;
    EXPECT_EQ(listener.Uncommitted(), 0) << instead;
  }
}

TEST(FeedRunnerTest, AMissingEndIsAskedForWhenSomebodyKnowsOfIt) {
  FeedListener listener;
  listener.Send("case");
  listener.Start();
  listener.Run();
  listener.Skip("case");  // never in the topic, and nothing after it
  listener.runner->Ask({kService, {"Case", "case"}}, 2);
  listener.runner->Ask({kService, {"Case", "nobody"}}, 1);
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.waiting, 0);
}

TEST(FeedRunnerTest, AForgedClaimHoldsNothingUp) {
  FeedListener listener;
  listener.Send("case");
  listener.Listener::Send({.topic = kFeed, .key = "nobody", .value = "garbage"});
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.replay.fetches, 1);
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(FeedRunnerTest, AStreamThatCanNotBeHadYetKeepsNoOtherWaiting) {
  FeedListener listener;
  for (const char* stream : {"a", "b"}) {
    listener.Send(stream);
    listener.Send(stream, "2:tampered");
  }
  int asked = 0;
  bool yet = false;
  FakeReplay genuine(listener.source);
  listener.replay.answer_for =
      [&](const engine::StreamKey& stream,
          std::int64_t from) -> absl::StatusOr<std::vector<engine::IncomingEvent>> {
    if (stream.id == "a" && !yet) {
      ++asked;
      return absl::AbortedError("not yet");
    }
    return genuine.Fetch(kService, stream, from, 500);
  };
  listener.Start();
  listener.Run();
  EXPECT_THAT(listener.Applied().at("b"), ElementsAre(1, 2));
  EXPECT_THAT(listener.Applied().at("a"), ElementsAre(1));
  EXPECT_GT(asked, 1);
  yet = true;
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(FeedRunnerTest, NothingIsLostWhereTheDatabaseGoesAwayWithTheGenuineMessage) {
  for (int n = 1; n <= 4; ++n) {
    FeedListener listener;
    listener.Send("case");
    listener.Send("case", "2:tampered");
    listener.Start();
    listener.sink.calls.Plan(n, NthCall::Kind::kBefore);
    for (int i = 0; i < 4; ++i) listener.runner->Step(absl::ZeroDuration());
    listener.Start();  // a crash
    listener.Run();
    EXPECT_TRUE(listener.Complete()) << n;
    EXPECT_EQ(listener.Uncommitted(), 0) << n;
  }
}

// ---- Gaps ---------------------------------------------------------------------------------------------------------------

TEST(ReactionRunnerTest, FetchesWhatTheTopicNoLongerHolds) {
  Listener listener;
  for (int i = 0; i < 30; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  Offsets middle;
  for (const Message& message : listener.broker.Messages(kTopic)) {
    middle[message.from()] = message.offset / 2;
  }
  listener.broker.Forget(middle);
  listener.options.replay_events = 2;
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_EQ(listener.waiting, 0);
}

TEST(ReactionRunnerTest, AStreamWaitsForItsSourceAndOthersGoOn) {
  Listener listener;
  listener.replay.down = true;
  listener.Publish("a");
  listener.Skip("b");
  listener.Publish("b");  // 2, and 1 is missing
  listener.Publish("b");
  listener.Publish("a");
  listener.Start();
  listener.Run(absl::Minutes(5));
  listener.Publish("a");
  listener.Publish("b");
  listener.Run(absl::Minutes(5));
  EXPECT_EQ(listener.Applied()["a"], (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_THAT(listener.Applied()["b"], IsEmpty());
  EXPECT_EQ(listener.waiting, 3);
  EXPECT_GE(listener.Uncommitted(), 3);
  EXPECT_LT(listener.replay.fetches, 400);  // with back-off
  EXPECT_THAT(listener.sink.dead_letters, IsEmpty());
  EXPECT_TRUE(listener.runner->Health().ok());

  // A restart finds them again.
  listener.Start();
  listener.Run();
  EXPECT_EQ(listener.waiting, 3);
  listener.replay.down = false;
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.waiting, 0);
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(ReactionRunnerTest, TheMissingEventMayComeByItself) {
  Listener listener;
  listener.replay.down = true;
  listener.Skip("b");
  listener.Publish("b");
  listener.Publish("b");
  listener.Start();
  listener.Run();
  listener.Again(2);  // a repeat of a waiting one
  listener.Again(0);
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
}

// As the relay does when the case was parked: 1, 3, 2, 3.
TEST(ReactionRunnerTest, SortsWhatWasPublishedAgain) {
  Listener listener;
  listener.replay.down = true;
  listener.Publish("b");
  listener.Skip("b");
  listener.Publish("b");
  listener.Again(1);
  listener.Again(2);
  listener.Start();
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.waiting, 0);
  EXPECT_EQ(listener.Uncommitted(), 0);
  EXPECT_EQ(listener.replay.fetches, 0);
}

TEST(ReactionRunnerTest, SetsAsideWhatIsTooMuchToHold) {
  Listener listener;
  listener.options.held_stream_events = 3;
  listener.replay.down = true;
  listener.Skip("b");
  for (int i = 0; i < 3; ++i) listener.Publish("b");
  listener.Start();
  listener.Run();
  EXPECT_EQ(listener.waiting, 3);
  EXPECT_EQ(listener.Uncommitted(), 3);
  listener.Publish("b");
  listener.Run();
  EXPECT_EQ(listener.waiting, 0);
  EXPECT_EQ(listener.Uncommitted(), 0);
  ASSERT_THAT(listener.sink.dead_letters, SizeIs(4));
  for (const engine::DeadLetter& letter : listener.sink.dead_letters) {
    EXPECT_EQ(letter.reason, "GAP_NOT_FILLED");
    EXPECT_EQ(letter.from.stream.id, "b");
  }
  EXPECT_EQ(listener.dead_letters, 4);

  // The next event of the stream heals all, once the source is back.
  listener.replay.down = false;
  listener.Publish("b");
  listener.Run();
  EXPECT_TRUE(listener.Complete());
}

TEST(ReactionRunnerTest, SetsAsideTheOldestWhereAllStreamsHoldTooMuch) {
  Listener listener;
  listener.options.held_events = 3;
  listener.replay.down = true;
  listener.Start();
  for (const std::string stream : {"a", "b", "c"}) {
    listener.Skip(stream);
    listener.Publish(stream);
    listener.Run();
  }
  EXPECT_EQ(listener.waiting, 3);
  listener.Publish("c");
  listener.Run();
  EXPECT_EQ(listener.waiting, 3);
  ASSERT_THAT(listener.sink.dead_letters, SizeIs(1));
  EXPECT_EQ(listener.sink.dead_letters[0].from.stream.id, "a");
}

TEST(ReactionRunnerTest, SetsAsideWhatTakesTooManyBytes) {
  Listener listener;
  listener.options.held_bytes = 10'000;
  listener.replay.down = true;
  listener.Skip("a");
  listener.Publish("a", std::string(20'000, 'x'));
  listener.Start();
  listener.Run();
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1));
}

TEST(ReactionRunnerTest, SetsAsideWhatWaitsTooLong) {
  Listener listener;
  listener.replay.down = true;
  listener.Skip("b");
  listener.Publish("b");
  listener.Start();
  listener.Run();
  EXPECT_THAT(listener.sink.dead_letters, IsEmpty());
  listener.clock.Advance(absl::Hours(25));
  listener.Run();
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1));
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(ReactionRunnerTest, SetsAsideWhatTheSourceNoLongerHas) {
  using Answer = absl::StatusOr<std::vector<engine::IncomingEvent>>;
  engine::IncomingEvent stranger;
  stranger.meta = {.source = "funding", .stream = {"Grant", "b"}, .sequence = 1};
  engine::IncomingEvent later;
  later.meta = {.source = kService, .stream = {"Case", "b"}, .sequence = 2};
  const std::vector<Answer> answers = {absl::NotFoundError("gone"),
                                       std::vector<engine::IncomingEvent>(), std::vector{stranger},
                                       std::vector{later}};
  for (const Answer& answer : answers) {
    Listener listener;
    listener.Skip("b");
    listener.Publish("b");
    listener.Publish("a");
    listener.replay.answer = [&](std::int64_t) { return answer; };
    listener.Start();
    listener.Run();
    ASSERT_THAT(listener.sink.dead_letters, SizeIs(1));
    EXPECT_EQ(listener.sink.dead_letters[0].reason, "GAP_NOT_FILLED");
    EXPECT_EQ(listener.Applied()["a"], (std::vector<std::int64_t>{1}));
    EXPECT_EQ(listener.Uncommitted(), 0);
  }
}

// ---- Groups and threads ----------------------------------------------------------------------------------------------

TEST(ReactionRunnerTest, HandsOverToAnotherMember) {
  Listener listener;
  listener.replay.down = true;
  listener.Start();
  listener.Skip("b");
  for (int i = 0; i < 20; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  listener.Publish("b");
  listener.Run();
  const auto first = std::move(listener.runner);
  listener.Start();
  listener.Run();
  first->Step(absl::ZeroDuration());
  for (int i = 0; i < 20; ++i) listener.Publish(absl::StrCat("case-", i % 3));
  for (int i = 0; i < 10; ++i) {
    first->Step(absl::ZeroDuration());
    listener.runner->Step(absl::ZeroDuration());
  }
  listener.replay.down = false;
  listener.Run();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(ReactionRunnerTest, StopCommits) {
  Listener listener;
  listener.options.commit_interval = absl::Hours(1);
  for (int i = 0; i < 100; ++i) listener.Publish(absl::StrCat("case-", i % 7));
  ReactionRunner runner(listener.options, listener.sink, listener.replay, [&](ConsumerOptions o) {
    return listener.broker.MakeConsumer(std::move(o));
  });
  runner.Start();
  while (runner.applied() < 100) std::this_thread::yield();
  runner.Stop();
  EXPECT_TRUE(listener.Complete());
  EXPECT_EQ(listener.Uncommitted(), 0);
}

TEST(ReactionRunnerTest, StopsAtOnceWithTheDatabaseAway) {
  Listener listener;
  listener.options.retry = {absl::Hours(1), absl::Hours(1)};
  listener.Publish("case");
  listener.sink.down = true;
  ReactionRunner runner(listener.options, listener.sink, listener.replay, [&](ConsumerOptions o) {
    return listener.broker.MakeConsumer(std::move(o));
  });
  runner.Start();
  while (runner.Health().ok()) std::this_thread::yield();
  const absl::Time before = absl::Now();
  runner.Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(1));
  EXPECT_EQ(listener.Uncommitted(), 1);
}

// ---- The n-th call fails, for n = 1, 2 … until all goes through without it ----------------------------------------------

void PublishMixed(Listener& listener) {
  listener.options.batch_events = 4;
  listener.options.replay_events = 2;
  for (int i = 0; i < 12; ++i) listener.Publish(absl::StrCat("case-", i % 4));
  listener.Send({.topic = kTopic, .key = "case-1", .value = "garbage"});
  for (int i = 0; i < 5; ++i) listener.Skip("gap");
  listener.Publish("gap");
  for (int i = 0; i < 12; ++i) listener.Publish(absl::StrCat("case-", i % 4));
}

void ExpectAllDone(const Listener& listener, int n) {
  EXPECT_TRUE(listener.Complete()) << "call " << n;
  EXPECT_EQ(listener.Uncommitted(), 0) << "call " << n;
  EXPECT_THAT(listener.sink.dead_letters, SizeIs(1)) << "call " << n;
}

class FailingCallTest : public testing::TestWithParam<Operation> {};

TEST_P(FailingCallTest, LosesNothing) {
  for (int n = 1;; ++n) {
    Listener listener;
    PublishMixed(listener);
    listener.broker.faults().FailNth(GetParam(), n, absl::UnavailableError("planned"));
    listener.Start();
    // Polls go on for ever, so those that find something are what counts.
    for (int i = 0; i < 40; ++i) {
      if (!listener.runner->Step(absl::ZeroDuration())) {
        listener.clock.Advance(absl::Milliseconds(50));
      }
    }
    const bool through = listener.broker.faults().calls(GetParam()) < n;
    listener.Run();
    ExpectAllDone(listener, n);
    if (through) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Kafka, FailingCallTest,
                         testing::Values(Operation::kPoll, Operation::kCommit));

class FailingSinkTest : public testing::TestWithParam<std::tuple<NthCall::Kind, bool>> {};

TEST_P(FailingSinkTest, LosesNothing) {
  const auto [kind, crash] = GetParam();
  for (int n = 1; n < 1'000; ++n) {
    Listener listener;
    PublishMixed(listener);
    listener.sink.calls.Plan(n, kind);
    listener.Start();
    for (int i = 0; i < 200 && !listener.sink.calls.hit(); ++i) {
      if (!listener.runner->Step(absl::ZeroDuration())) {
        listener.clock.Advance(absl::Milliseconds(50));
      }
    }
    const bool through = !listener.sink.calls.hit();
    if (crash) listener.Start();
    listener.Run();
    ExpectAllDone(listener, n);
    if (through) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Database, FailingSinkTest,
                         testing::Combine(testing::Values(NthCall::Kind::kBefore,
                                                          NthCall::Kind::kAnswerLost),
                                          testing::Bool()));

// Whatever happens in whatever order: in the end every event took effect once and in order.
RC_GTEST_PROP(ReactionRunnerProperty, EveryEventTakesEffectOnceAndInOrder, ()) {
  Listener listener;
  listener.options.batch_events = *rc::gen::inRange(1, 10);
  listener.options.replay_events = *rc::gen::inRange(1, 5);
  listener.options.held_stream_events = *rc::gen::inRange(1, 8);
  listener.Start();
  const int steps = *rc::gen::inRange(1, 120);
  for (int i = 0; i < steps; ++i) {
    const std::string stream = absl::StrCat("case-", *rc::gen::inRange(0, 4));
    switch (*rc::gen::inRange(0, 17)) {
      case 0: listener.broker.SetAvailable(false); break;
      case 1: listener.broker.SetAvailable(true); break;
      case 2: listener.sink.down = true; break;
      case 3: listener.sink.down = false; break;
      case 4: listener.replay.down = true; break;
      case 5: listener.replay.down = false; break;
      case 6: listener.sink.calls.Plan(*rc::gen::inRange(1, 4), NthCall::Kind::kAnswerLost); break;
      case 7:
        listener.broker.faults().FailNth(Operation::kCommit, *rc::gen::inRange(1, 4),
                                         absl::UnavailableError("planned"));
        break;
      case 8: listener.Start(); break;
      case 9: listener.Skip(stream); break;
      case 10:
        if (!listener.source.rows.empty()) {
          listener.Again(*rc::gen::inRange<std::size_t>(0, listener.source.rows.size()));
        }
        break;
      case 11: listener.clock.Advance(absl::Seconds(*rc::gen::inRange(0, 30))); break;
      case 12:
      case 13: listener.runner->Step(absl::ZeroDuration()); break;
      default: listener.Publish(stream);
    }
  }
  listener.sink.down = listener.replay.down = false;
  listener.sink.calls.Plan(0, NthCall::Kind::kBefore);
  listener.broker.SetAvailable(true);
  listener.broker.faults().Clear();
  listener.producer->Poll({});
  listener.Run(absl::Seconds(10));
  // Its next event shows a stream that something is missing.
  for (int i = 0; i < 4; ++i) listener.Publish(absl::StrCat("case-", i));
  listener.Run(absl::Seconds(10));
  RC_ASSERT(listener.Complete());
  RC_ASSERT(listener.Uncommitted() == 0);
}

}  // namespace
}  // namespace sankofa::kafka
