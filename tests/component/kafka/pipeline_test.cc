#include <atomic>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "services/platform/kafka/event.h"
#include "tests/component/kafka/broker.h"
#include "tests/unit/kafka/fakes.h"

// Relay and reaction runner through the real broker; journal and engine are in memory.
namespace sankofa::kafka {
namespace {

using testing::SizeIs;

class PipelineTest : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    if (HasFatalFailure()) return;
    // A service of its own, so that neither topic nor group is another test's. Its certificate is registration's.
    service_ = Fresh("pipeline");
    topics_.push_back(TopicOf(service_));
    for (RelayRow& row : journal_.rows) Rename(row);
  }

  void Add(int rows, int cases) {
    for (int i = 0; i < rows; ++i) {
      journal_.Add(absl::StrCat("case-", i % cases), std::string(300, 'x'));
      Rename(journal_.rows.back());
    }
  }

  [[nodiscard]] std::unique_ptr<Relay> MakeRelay() {
    RelayOptions options;
    options.node = kNode;
    options.service = service_;
    options.look_after = [this](const std::vector<std::string>& topics)
        -> absl::StatusOr<std::map<std::string, std::int64_t>> {
      std::map<std::string, std::int64_t> records;
      for (const std::string& topic : topics) {
        auto status = admin_->EnsureTopics({{.name = topic}}, kPatience);
        if (!status.ok()) return status;
        const auto partitions = admin_->TopicWatermarks(topic, kPatience);
        if (!partitions.ok()) return partitions.status();
        for (const auto& [_, marks] : *partitions) records[topic] += marks.next;
      }
      return records;
    };
    return std::make_unique<Relay>(options, source_, [this](ProducerOptions producer) {
      return OpenProducer(As("registration"), std::move(producer));
    });
  }

  [[nodiscard]] std::unique_ptr<ReactionRunner> MakeRunner() {
    ReactionOptions options;
    options.node = kNode;
    options.service = service_ + "_listener";
    options.sources = {service_};
    return std::make_unique<ReactionRunner>(
        options, sink_, replay_, [this](ConsumerOptions consumer) {
          return OpenConsumer(As("validation"), std::move(consumer));
        });
  }

  template <class Done>
  [[nodiscard]] static bool Await(Done done) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!done() && absl::Now() < deadline) std::this_thread::yield();
    return done();
  }

  FakeJournal journal_;
  FakeRelaySource source_{journal_};
  FakeSink sink_;
  FakeReplay replay_{journal_};
  std::string service_;

 private:
  void Rename(RelayRow& row) const {
    row.row.event_type = absl::StrCat(TopicOf(service_), ".v1.Happened");
  }
};

TEST_F(PipelineTest, EveryEventTakesEffectOnceAndInOrder) {
  Add(2'000, 50);
  const auto relay = MakeRelay();
  const auto runner = MakeRunner();
  relay->Start();
  runner->Start();
  EXPECT_TRUE(Await([&] { return runner->applied() == 2'000; }))
      << relay->Health() << runner->Health();
  relay->Stop();
  runner->Stop();
  EXPECT_EQ(journal_.cursor, journal_.rows.back().at);
  EXPECT_THAT(sink_.applied, SizeIs(2'000));
  EXPECT_EQ(sink_.repeated, 0);
  EXPECT_THAT(sink_.dead_letters, SizeIs(0));
  EXPECT_EQ(replay_.fetches, 0);

  // Whoever comes next has nothing to do again.
  const auto successor = MakeRunner();
  Add(10, 5);
  const auto again = MakeRelay();
  again->Start();
  successor->Start();
  EXPECT_TRUE(Await([&] { return successor->applied() == 10; }));
  again->Stop();
  successor->Stop();
  EXPECT_EQ(sink_.repeated, 0);
}

TEST_F(PipelineTest, ParksWhatTheBrokerRefuses) {
  ASSERT_TRUE(
      admin_
          ->EnsureTopics({{.name = TopicOf(service_), .config = {{"max.message.bytes", "20000"}}}},
                         kPatience)
          .ok());
  Add(100, 10);
  journal_.rows[42].row.payload.assign(50'000, 'x');  // of case-2
  const auto relay = MakeRelay();
  const auto runner = MakeRunner();
  relay->Start();
  runner->Start();
  // 90 of other cases, and four of case-2 before it.
  EXPECT_TRUE(Await([&] { return runner->applied() == 94 && relay->parked() == 1; }))
      << runner->applied() << " applied, " << relay->parked() << " parked";
  relay->Stop();
  runner->Stop();
  EXPECT_THAT(journal_.parked, SizeIs(1));
  EXPECT_TRUE(journal_.parked.contains("case-2"));
  EXPECT_EQ(journal_.parked["case-2"].at, journal_.rows[42].at);
}

TEST_F(PipelineTest, SaysThatItsCertificateIsRefused) {
  Add(1, 1);
  RelayOptions options;
  options.node = kNode;
  options.service = service_;
  Relay relay(options, source_, [this](ProducerOptions producer) {
    return OpenProducer(As("expired"), std::move(producer));
  });
  relay.Start();
  EXPECT_TRUE(Await([&] { return absl::IsPermissionDenied(relay.Health()); })) << relay.Health();
  const absl::Time before = absl::Now();
  relay.Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(3));
}

}  // namespace
}  // namespace sankofa::kafka
