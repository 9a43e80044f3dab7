#include "services/monitoring/view/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <thread>

#include "tests/unit/monitoring/events.h"
#include "tests/unit/monitoring/memory_views.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace fund = funding::v1;

class ViewsTest : public ::testing::Test {
 protected:
  void Commit(const std::string& type, const std::string& id, const auto& event,
              const std::string& case_id = kCase) {
    journals.events.push_back(Published(type, id, ++sequences[type + id], event,
                                        Noon("2017-01-01") + absl::Hours(++hours), case_id));
  }
  // The events that the consumer has not come to yet.
  std::vector<engine::IncomingEvent> Rest() {
    std::vector<engine::IncomingEvent> rest(
        journals.events.begin() + static_cast<std::ptrdiff_t>(consumed), journals.events.end());
    consumed = journals.events.size();
    return rest;
  }
  absl::StatusOr<v1::CaseView> Get() { return views.Get(kCase, absl::InfiniteFuture()); }
  void Watch(std::int64_t after, const std::shared_ptr<Sink>& sink) {
    ASSERT_TRUE(hub.Add(kCase, after, sink).ok());
  }
  [[nodiscard]] std::string Stored() { return store.values[kCase]; }
  [[nodiscard]] std::string Rebuilt() {
    return FoldAll(kCase, journals.events)->SerializeAsString();
  }

  MemoryViewStore store;
  Journals journals;
  WatchHub hub{3};
  Views views{store, journals, hub};
  std::map<std::string, std::int64_t> sequences;
  std::size_t consumed = 0;
  int hours = 0;
};

TEST_F(ViewsTest, GrowsWithTheEventsWithoutAskingTheJournals) {
  Commit("Case", kCase, Registered());
  Commit("Case", kCase, Arrived());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  Commit("LifeProject", "p1", Submitted("p1"));
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_EQ(journals.replays, 0);
  EXPECT_EQ(Stored(), Rebuilt());
  EXPECT_EQ(Get()->token(), 3);
  EXPECT_EQ(journals.replays, 0);
}

TEST_F(ViewsTest, IsFoldedAnewWhereTheStoreHasNone) {
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  Commit("Case", kCase, Arrived());
  (void)Rest();  // the consumer is behind
  store.values.clear();
  EXPECT_EQ(Get()->state(), "ARRIVED");
  EXPECT_EQ(Stored(), Rebuilt());  // and put back
  EXPECT_EQ(Get()->state(), "ARRIVED");
  EXPECT_EQ(journals.replays, 1);
}

TEST_F(ViewsTest, WithTheStoreAwayReadersAreServedAndTheConsumerWaits) {
  Commit("Case", kCase, Registered());
  store.away = true;
  const auto events = Rest();
  EXPECT_TRUE(absl::IsUnavailable(views.Apply(events)));
  EXPECT_EQ(Get()->state(), "REGISTERED");
  journals.away = true;
  EXPECT_TRUE(absl::IsUnavailable(Get().status()));
  journals.away = false;
  store.away = false;
  ASSERT_TRUE(views.Apply(events).ok());
  EXPECT_EQ(Stored(), Rebuilt());
}

TEST_F(ViewsTest, AnUnknownCaseIsNotFound) {
  EXPECT_EQ(test::Reason(Get().status()), "NOT_FOUND");
  EXPECT_THAT(store.values, IsEmpty());
}

TEST_F(ViewsTest, AGapIsFilledFromTheJournals) {
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  Commit("Case", kCase, Arrived());
  (void)Rest();  // left the topic before it was read
  Commit("Case", kCase, Assessed());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_EQ(journals.replays, 1);
  EXPECT_EQ(Stored(), Rebuilt());
}

TEST_F(ViewsTest, WithAJournalAwayACaseLosesItsViewAndHoldsNobodyUp) {
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  Commit("Case", kCase, Arrived());
  (void)Rest();
  Commit("Case", kCase, Assessed());
  Commit("Case", kOtherCase, Registered(), kOtherCase);
  journals.away = true;
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_FALSE(store.values.contains(kCase));  // better none than an old one
  EXPECT_TRUE(store.values.contains(kOtherCase));
  journals.away = false;
  EXPECT_EQ(Get()->state(), "ASSESSED");
}

TEST_F(ViewsTest, RepeatsChangeNothing) {
  Commit("Case", kCase, Registered());
  Commit("Case", kCase, Arrived());
  const auto events = Rest();
  ASSERT_TRUE(views.Apply(events).ok());
  const auto sink = std::make_shared<Sink>();
  Watch(2, sink);
  const std::string before = Stored();
  ASSERT_TRUE(views.Apply(events).ok());
  EXPECT_EQ(Stored(), before);
  EXPECT_THAT(sink->messages, IsEmpty());
}

TEST_F(ViewsTest, WhoWritesAfterSomebodyElseReadsAgain) {
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  Commit("Grant", "g1", Reserved("g1"));
  const auto grant = Rest();
  Commit("LifeProject", "p1", Submitted("p1"));
  const auto project = Rest();
  // Another consumer writes between this one's reading and writing.
  store.before_put = [&] { ASSERT_TRUE(views.Apply(project).ok()); };
  ASSERT_TRUE(views.Apply(grant).ok());
  EXPECT_EQ(Stored(), Rebuilt());
}

TEST_F(ViewsTest, AReaderWhoFoldedAnewNeverTakesTheViewBack) {
  Commit("Case", kCase, Registered());
  (void)Rest();
  // While the reader folds what there was, the consumer writes what came meanwhile.
  store.before_put = [&] {
    Commit("Case", kCase, Arrived());
    ASSERT_TRUE(views.Apply(Rest()).ok());
  };
  EXPECT_EQ(Get()->token(), 1);
  EXPECT_EQ(Stored(), Rebuilt());
  EXPECT_EQ(Get()->token(), 2);
}

TEST_F(ViewsTest, RebuildSaysWhatItFound) {
  using Rebuilt = Views::Rebuilt;
  const auto rebuild = [&] { return *views.Rebuild(kCase, absl::InfiniteFuture()); };
  EXPECT_EQ(rebuild(), Rebuilt::kUnknown);
  Commit("Case", kCase, Registered());
  EXPECT_EQ(rebuild(), Rebuilt::kMissing);
  EXPECT_EQ(rebuild(), Rebuilt::kSame);
  Commit("Case", kCase, Arrived());
  EXPECT_EQ(rebuild(), Rebuilt::kBehind);
  v1::CaseView wrong = *FoldAll(kCase, journals.events);
  wrong.set_state("CLOSED");
  store.values[kCase] = wrong.SerializeAsString();
  EXPECT_EQ(rebuild(), Rebuilt::kDiffering);
  EXPECT_EQ(rebuild(), Rebuilt::kSame);
  journals.events.pop_back();
  EXPECT_EQ(rebuild(), Rebuilt::kAhead);
  EXPECT_EQ(Get()->token(), 2);  // left as it was
  store.away = true;
  EXPECT_FALSE(views.Rebuild(kCase, absl::InfiniteFuture()).ok());
}

// ---- Who watches --------------------------------------------------------------------------------------------------------

TEST_F(ViewsTest, WatchersGetEachChangeOnceAndResume) {
  const auto first = std::make_shared<Sink>();
  Watch(-1, first);
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  hub.Notify(*Get());  // as the opening of a stream does
  Commit("Case", kCase, Arrived());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_THAT(first->tokens(), ElementsAre(1, 2));
  EXPECT_EQ(first->messages.back().resume_token(), "2");

  const auto second = std::make_shared<Sink>();
  Watch(*ParseResumeToken(first->messages.front().resume_token()), second);
  hub.Notify(*Get());
  EXPECT_THAT(second->tokens(), ElementsAre(2));  // what is new, in one message
  const auto third = std::make_shared<Sink>();
  Watch(2, third);
  hub.Notify(*Get());
  EXPECT_THAT(third->messages, IsEmpty());  // nothing is
}

TEST_F(ViewsTest, WatchersHearFromAnotherProcessAndFromTheJournals) {
  const auto sink = std::make_shared<Sink>();
  Watch(-1, sink);
  Commit("Case", kCase, Registered());
  store.values[kCase] = Rebuilt();  // written by another process
  views.Refresh(hub.Watched(), 10);
  EXPECT_THAT(sink->tokens(), ElementsAre(1));
  store.away = true;
  Commit("Case", kCase, Arrived());
  views.Refresh(hub.Watched(), 0);
  EXPECT_THAT(sink->tokens(), ElementsAre(1));
  views.Refresh(hub.Watched(), 10);
  EXPECT_THAT(sink->tokens(), ElementsAre(1, 2));
}

TEST_F(ViewsTest, ASlowWatcherIsEndedAndForgotten) {
  const auto slow = std::make_shared<Sink>();
  slow->full = true;
  Watch(-1, slow);
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_THAT(slow->finished, ElementsAre("WATCH_INTERRUPTED"));
  EXPECT_THAT(hub.Watched(), IsEmpty());
}

TEST_F(ViewsTest, AnErasedCaseEndsItsStreams) {
  const auto sink = std::make_shared<Sink>();
  Watch(-1, sink);
  Commit("Case", kCase, Registered());
  Commit("Case", kCase, Erased());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  EXPECT_THAT(sink->messages, IsEmpty());
  EXPECT_THAT(sink->finished, ElementsAre("CASE_ERASED"));
  EXPECT_TRUE(Get()->erased());
  EXPECT_EQ(Stored(), Rebuilt());
}

TEST_F(ViewsTest, StreamsAreLimitedAndThoseThatAreGoneMakeRoom) {
  std::vector<std::shared_ptr<Sink>> sinks;
  for (int i = 0; i < 3; ++i) {
    sinks.push_back(std::make_shared<Sink>());
    Watch(-1, sinks.back());
  }
  EXPECT_EQ(test::Reason(hub.Add(kCase, -1, std::make_shared<Sink>())), "TOO_MANY_WATCHERS");
  sinks[0]->gone = true;
  EXPECT_THAT(hub.Watched(), ElementsAre(kCase));
  EXPECT_TRUE(hub.Add(kOtherCase, -1, std::make_shared<Sink>()).ok());
  hub.Remove(sinks[1]);
  EXPECT_TRUE(hub.Add(kOtherCase, -1, std::make_shared<Sink>()).ok());

  hub.Stop();
  EXPECT_THAT(sinks[2]->finished, ElementsAre("WATCH_INTERRUPTED"));
  EXPECT_THAT(sinks[1]->finished, IsEmpty());
  EXPECT_EQ(test::Reason(hub.Add(kCase, -1, std::make_shared<Sink>())), "WATCH_INTERRUPTED");
}

TEST(ResumeToken, IsOneOfOurs) {
  EXPECT_EQ(*ParseResumeToken(""), -1);
  EXPECT_EQ(*ParseResumeToken("17"), 17);
  for (const char* token : {"-1", "x", "1x", "99999999999999999999", " "}) {
    EXPECT_EQ(test::Reason(ParseResumeToken(token).status()), "RESUME_TOKEN_INVALID") << token;
  }
}

// ---- Many at a time -----------------------------------------------------------------------------------------------------

// Two consumers share the streams, a third empties the store and reads, and nothing is lost.
TEST_F(ViewsTest, ConcurrentWritersAgree) {
  Commit("Case", kCase, Registered());
  ASSERT_TRUE(views.Apply(Rest()).ok());
  constexpr int kEvents = 60;
  for (int i = 0; i < kEvents; ++i) {
    const int instalment = 1 + i % 2;
    Commit("Grant", "g1", InstalmentEvent<fund::InstalmentRequested>("g1", instalment));
    Commit("LifeProject", "p1", Submitted("p1"));
  }
  std::vector<engine::IncomingEvent> grants;
  std::vector<engine::IncomingEvent> projects;
  for (const auto& event : Rest()) {
    (event.meta.stream.type == "Grant" ? grants : projects).push_back(event);
  }
  const auto consume = [this](const std::vector<engine::IncomingEvent>& events) {
    for (const auto& event : events) {
      while (!views.Apply(std::span(&event, 1)).ok()) std::this_thread::yield();
    }
  };
  std::thread one(consume, grants);
  std::thread two(consume, projects);
  std::thread three([this] {
    for (int i = 0; i < 30; ++i) {
      (void)store.Drop(kCase);
      EXPECT_TRUE(Get().ok());
    }
  });
  one.join();
  two.join();
  three.join();
  EXPECT_EQ(Get()->SerializeAsString(), Rebuilt());
}

// Whatever goes wrong in between: once all events were taken, what is stored is what the journals say, or nothing.
RC_GTEST_PROP(ViewsProperty, WhatIsStoredIsWhatTheJournalsSay, ()) {
  MemoryViewStore store;
  Journals journals;
  WatchHub hub(10);
  Views views(store, journals, hub);
  std::map<std::string, std::int64_t> sequences;
  std::vector<engine::IncomingEvent> lost;
  const int steps = *rc::gen::inRange(1, 30);
  for (int i = 0; i < steps; ++i) {
    const std::string type = *rc::gen::element<std::string>("Case", "LifeProject", "Grant");
    const std::int64_t sequence = ++sequences[type];
    if (type == "Case") {
      journals.events.push_back(Published(type, kCase, sequence, Registered()));
    } else if (type == "Grant") {
      journals.events.push_back(Published(type, "g1", sequence, Reserved("g1")));
    } else {
      journals.events.push_back(Published(type, "p1", sequence, Submitted("p1")));
    }
    if (*rc::gen::inRange(0, 5) == 0) store.values.clear();
    journals.away = *rc::gen::inRange(0, 5) == 0;
    store.away = *rc::gen::inRange(0, 5) == 0;
    std::vector<engine::IncomingEvent> batch = std::move(lost);
    lost.clear();
    if (*rc::gen::inRange(0, 6) > 0) batch.push_back(journals.events.back());  // else never read
    if (!views.Apply(batch).ok()) lost = batch;
    if (*rc::gen::inRange(0, 3) == 0) (void)views.Get(kCase, absl::InfiniteFuture());
  }
  journals.away = store.away = false;
  RC_ASSERT(views.Apply(lost).ok());
  // One more event of each stream shows whatever gap is left.
  for (const auto& [type, id] : {std::pair<std::string, std::string>("Case", kCase),
                                 {"LifeProject", "p1"},
                                 {"Grant", "g1"}}) {
    const std::int64_t sequence = ++sequences[type];
    journals.events.push_back(type == "Case"    ? Published(type, id, sequence, Registered())
                              : type == "Grant" ? Published(type, id, sequence, Reserved("g1"))
                                                : Published(type, id, sequence, Submitted("p1")));
    RC_ASSERT(views.Apply(std::span(&journals.events.back(), 1)).ok());
  }
  RC_ASSERT(store.values[kCase] == FoldAll(kCase, journals.events)->SerializeAsString());
}

}  // namespace
}  // namespace sankofa::monitoring
