#include "services/platform/service/executor.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <latch>

#include "fixture.h"

namespace sankofa::service {
namespace {

using engine::CommandCall;
using engine::Outcome;

class ExecutorTest : public engine::LibraryTest {
 protected:
  CommandCall WithDeadline(CommandCall call, absl::Duration from_now = absl::Seconds(30)) {
    call.deadline = absl::Now() + from_now;
    return call;
  }
  std::unique_ptr<Executor> Start(int workers, int queue_max, int batch_max = 8) {
    return std::make_unique<Executor>(Executor::Options{.service = "library",
                                                        .workers = workers,
                                                        .queue_max = queue_max,
                                                        .batch_max = batch_max},
                                      engine_, store_);
  }
};

TEST_F(ExecutorTest, ManyClientsAndTwoWorkersLoseAndDoubleNothing) {
  constexpr int kClients = 8;
  constexpr int kEach = 50;
  auto executor = Start(2, 10'000);
  std::latch done(kClients * kEach * 2);
  std::atomic<int> accepted = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < kEach; ++i) {
        // Every request is sent twice, as a nervous client on a bad link does.
        for (int copy = 0; copy < 2; ++copy) {
          executor->Submit(WithDeadline(Buy(absl::StrCat(client, "-", i), "b", 1)),
                           [&](const Outcome& outcome) {
                             accepted += outcome.ok() ? 1 : 0;
                             done.count_down();
                           });
        }
      }
    });
  }
  for (auto& client : clients) client.join();
  done.wait();
  EXPECT_EQ(accepted, kClients * kEach * 2);
  EXPECT_EQ(Get<engine::lib::Book>("b").copies(), kClients * kEach);
  EXPECT_EQ(store_.journal().size(), static_cast<size_t>(kClients * kEach));
}

TEST_F(ExecutorTest, BeyondTheQueueItRefusesAtOnce) {
  std::promise<void> release;
  std::promise<void> entered;
  std::atomic<bool> first = true;
  store_.on_commit = [&](const engine::WriteSet&) {
    if (first.exchange(false)) {
      entered.set_value();
      release.get_future().wait();
    }
    return absl::OkStatus();
  };
  auto executor = Start(1, 2, 1);
  std::latch done(3);
  const auto count = [&](const Outcome& outcome) {
    EXPECT_TRUE(outcome.ok());
    done.count_down();
  };
  executor->Submit(WithDeadline(Buy("r1", "a", 1)), count);
  entered.get_future().wait();
  executor->Submit(WithDeadline(Buy("r2", "a", 1)), count);
  executor->Submit(WithDeadline(Buy("r3", "a", 1)), count);
  std::string reason;
  executor->Submit(WithDeadline(Buy("r4", "a", 1)),
                   [&](const Outcome& outcome) { reason = ReasonOf(outcome); });
  EXPECT_EQ(reason, "OVERLOADED");
  release.set_value();
  done.wait();
  EXPECT_EQ(Get<engine::lib::Book>("a").copies(), 3);
}

TEST_F(ExecutorTest, TriesAgainAfterALostConnectionUntilTheDeadline) {
  std::atomic<int> failures = 3;
  store_.on_commit = [&](const engine::WriteSet&) {
    return failures-- > 0 ? status::Unavailable("lost") : absl::OkStatus();
  };
  auto executor = Start(1, 10);
  EXPECT_TRUE(executor->Run(WithDeadline(Buy("r1", "a", 1))).ok());
  failures = 1'000'000;
  EXPECT_EQ(ReasonOf(executor->Run(WithDeadline(Buy("r2", "a", 1), absl::Milliseconds(100)))),
            "DEPENDENCY_UNAVAILABLE");
  EXPECT_EQ(ReasonOf(executor->Run(WithDeadline(Buy("r3", "a", 1), -absl::Seconds(1)))),
            "DEADLINE_PASSED");
  EXPECT_EQ(store_.journal().size(), 1U);
}

TEST_F(ExecutorTest, StopFinishesWhatWaitsAndRefusesTheRest) {
  auto executor = Start(1, 100, 4);
  std::atomic<int> answered = 0;
  for (int i = 0; i < 20; ++i) {
    executor->Submit(WithDeadline(Buy(absl::StrCat("r", i), "a", 1)), [&](const Outcome& outcome) {
      EXPECT_TRUE(outcome.ok());
      ++answered;
    });
  }
  executor->Stop();
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(ReasonOf(executor->Run(WithDeadline(Buy("late", "a", 1)))), "DEPENDENCY_UNAVAILABLE");
}

}  // namespace
}  // namespace sankofa::service
