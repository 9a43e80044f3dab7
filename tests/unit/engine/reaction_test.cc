#include <gmock/gmock.h>

#include "fixture.h"
#include "services/platform/engine/call_source.h"
#include "services/platform/engine/reactions.h"

namespace sankofa::engine {
namespace {

using ::testing::SizeIs;

// The shop's sales become books on the library's shelf.
class ReactionTest : public LibraryTest {
 protected:
  ReactionTest() {
    reactions_.On<lib::Bought>([](const lib::Bought& event, const EventMeta& meta, Commands& out) {
      lib::BuyRequest request;
      request.set_book_id(meta.partition_key);
      request.set_copies(event.copies());
      out.Add(request);
    });
    reactions_.On<lib::Renewed>([](const lib::Renewed&, const EventMeta& meta, Commands& out) {
      lib::RenewRequest request;
      request.set_loan_id(meta.partition_key);
      out.Add(request);
    });
  }

  template <class Event>
  IncomingEvent From(const std::string& stream, std::int64_t sequence, const Event& event) {
    return {.meta = {.source = "shop",
                     .stream = {"Order", stream},
                     .sequence = sequence,
                     .partition_key = stream,
                     .time = absl::FromUnixSeconds(1'498'780'800),
                     .traceparent = ""},
            .event_type = Event::descriptor()->full_name(),
            .payload = event.SerializeAsString()};
  }
  IncomingEvent Sold(const std::string& book, std::int64_t sequence, int copies = 1) {
    lib::Bought event;
    event.set_copies(copies);
    return From(book, sequence, event);
  }
  ReactionResult React(std::vector<IncomingEvent> events) {
    auto result = engine_.React(*session_, reactions_, events);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : ReactionResult{};
  }

  Reactions reactions_;
};

TEST_F(ReactionTest, RepeatsAreDroppedAndGapsAreNamed) {
  EXPECT_EQ(React({Sold("a", 1), Sold("a", 2), Sold("a", 2), Sold("b", 1)}).applied, 3);
  EXPECT_EQ(React({Sold("a", 1), Sold("a", 2)}).repeated, 2);
  const auto gap = React({Sold("a", 5), Sold("a", 6), Sold("b", 2)});
  EXPECT_EQ(gap.applied, 1) << "another stream goes on";
  ASSERT_THAT(gap.gaps, SizeIs(1));
  EXPECT_EQ(gap.gaps[0].second, 3);
  EXPECT_EQ(React({Sold("a", 3), Sold("a", 4), Sold("a", 5), Sold("a", 6)}).applied, 4);
  EXPECT_EQ(Get<lib::Book>("a").copies(), 6);
  EXPECT_EQ(Get<lib::Book>("b").copies(), 2);
}

TEST_F(ReactionTest, WhatCanNeverBeAppliedIsPutAsideWithItsReason) {
  auto unknown = Sold("a", 2);
  unknown.event_type = "sankofa.shop.v9.FromTheFuture";
  auto malformed = Sold("a", 3);
  malformed.payload = "\xff\xff\xff";
  const auto refused = From("no-such-loan", 1, lib::Renewed());
  const auto result = React({Sold("a", 1), unknown, malformed, refused, Sold("a", 4)});
  EXPECT_EQ(result.applied, 2);
  EXPECT_EQ(result.dead_letters, 3);
  EXPECT_TRUE(result.gaps.empty());
  EXPECT_EQ(Get<lib::Book>("a").copies(), 2) << "the case goes on after a dead letter";
  std::vector<std::string> reasons;
  for (const auto& letter : store_.dead_letters()) reasons.push_back(letter.reason);
  EXPECT_THAT(reasons, testing::ElementsAre("UNKNOWN_EVENT_TYPE", "MALFORMED_EVENT", "NOT_FOUND"));
}

TEST_F(ReactionTest, TypesWithoutAReactionArePassedOver) {
  EXPECT_EQ(React({From("x", 1, lib::GivenBack()), From("x", 2, lib::GivenBack())}).applied, 2);
  EXPECT_TRUE(store_.journal().empty());
  EXPECT_EQ(React({From("x", 2, lib::GivenBack())}).repeated, 1);
}

TEST_F(ReactionTest, EffectsAndMarkAreOneWrite) {
  int commits = 0;
  bool lost = true;
  store_.on_commit = [&](const WriteSet& writes) {
    ++commits;
    EXPECT_FALSE(writes.marks.empty());
    return lost ? status::Unavailable("lost") : absl::OkStatus();
  };
  EXPECT_TRUE(status::IsTransient(
      engine_.React(*session_, reactions_, std::vector{Sold("a", 1), Sold("a", 2)}).status()));
  EXPECT_TRUE(store_.journal().empty());
  EXPECT_TRUE(store_.marks().empty());
  lost = false;
  EXPECT_EQ(React({Sold("a", 1), Sold("a", 2)}).applied, 2);
  EXPECT_EQ(commits, 2);
  EXPECT_EQ(Get<lib::Book>("a").copies(), 2);
}

TEST_F(ReactionTest, AnEventThatCannotBeWrittenDoesNotHoldUpTheOthers) {
  store_.on_commit = [](const WriteSet& writes) {
    for (const auto& row : writes.journal) {
      if (row.stream.id == "poison") return status::Internal("constraint");
    }
    return absl::OkStatus();
  };
  const auto result = React({Sold("a", 1), Sold("poison", 1), Sold("b", 1)});
  EXPECT_EQ(result.applied, 2);
  EXPECT_EQ(result.dead_letters, 1);
  ASSERT_THAT(store_.dead_letters(), SizeIs(1));
  EXPECT_EQ(store_.dead_letters()[0].reason, "WRITE_FAILED");
  EXPECT_EQ(React({Sold("poison", 2)}).dead_letters, 1);
}

// Gathers: what it gives depends on what it finds at the time.
class Shop final : public CallSource {
 public:
  bool gathers() const override { return true; }
  std::vector<Calls> CallsOf(std::span<const IncomingEvent> events) override {
    ++asked;
    std::vector<Calls> all;
    for (const IncomingEvent& event : events) {
      seen.push_back(event.meta.sequence);
      all.push_back(answer(event));
    }
    return all;
  }
  std::function<Calls(const IncomingEvent&)> answer;
  int asked = 0;
  std::vector<std::int64_t> seen;
};

// The session of a database that can't be asked for keys, once.
class KeysAway : public StoreSession {
 public:
  explicit KeysAway(StoreSession& session) : session_(session) {}

  absl::StatusOr<Loaded> Load(const LoadRequest& request) override {
    return session_.Load(request);
  }
  absl::StatusOr<std::map<std::string, SubjectKey>> LoadKeys(
      const std::vector<std::string>& subjects) override {
    if (std::exchange(away_, false)) return absl::UnavailableError("the connection was lost");
    return session_.LoadKeys(subjects);
  }
  absl::Status Commit(const WriteSet& writes) override { return session_.Commit(writes); }
  void Rollback() override { session_.Rollback(); }
  absl::StatusOr<std::map<StreamKey, StoredStream>> Peek(
      const std::vector<StreamKey>& streams) override {
    return session_.Peek(streams);
  }
  absl::StatusOr<std::map<std::string, SubjectKey>> PeekKeys(
      const std::vector<std::string>& subjects) override {
    return session_.PeekKeys(subjects);
  }
  absl::StatusOr<std::vector<DueCommand>> Due(absl::Time now, int limit) override {
    return session_.Due(now, limit);
  }
  absl::StatusOr<std::vector<JournalRow>> ReadStream(const StreamKey& stream,
                                                     std::int64_t from_sequence,
                                                     int limit) override {
    return session_.ReadStream(stream, from_sequence, limit);
  }

 private:
  StoreSession& session_;
  bool away_ = true;
};

TEST_F(ReactionTest, AFailureThatPassesPutsNothingAside) {
  reactions_.On<lib::Lent>([](const lib::Lent& event, const EventMeta& /*meta*/, Commands& out) {
    lib::LendRequest request;
    request.set_reader_id(event.reader_id());
    request.set_book_id(event.book_id());
    request.set_reader_name("Ama Mensah-Test");
    out.Add(request);
  });
  React({Sold("a", 1)});
  lib::Lent lent;
  lent.set_reader_id("ama");
  lent.set_book_id("a");
  KeysAway session(*session_);
  const std::vector<IncomingEvent> events = {From("order", 1, lent)};
  EXPECT_TRUE(absl::IsUnavailable(engine_.React(session, reactions_, events).status()));
  EXPECT_TRUE(store_.dead_letters().empty());
  const auto again = engine_.React(session, reactions_, events);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->applied, 1);
  EXPECT_EQ(Get<lib::Book>("a").copies(), 0);
}

class GatheringTest : public ReactionTest {
 protected:
  GatheringTest() {
    shop_.answer = [this](const IncomingEvent& event) -> Calls {
      auto request = std::make_shared<lib::BuyRequest>();
      request->set_book_id(event.meta.partition_key);
      request->set_copies(1);
      request->set_etag(etag_);
      return std::vector{CallFor(event, request, "copy"), CallFor(event, Copy(*request), "again")};
    };
  }
  static std::shared_ptr<lib::BuyRequest> Copy(lib::BuyRequest request) {
    request.clear_etag();
    return std::make_shared<lib::BuyRequest>(std::move(request));
  }
  absl::StatusOr<ReactionResult> ReactGathering(std::vector<IncomingEvent> events) {
    return engine_.React(*session_, shop_, events);
  }

  Shop shop_;
  std::string etag_;
};

TEST_F(GatheringTest, IsAskedOnlyForWhatIsNext) {
  ASSERT_EQ(ReactGathering({Sold("a", 1), Sold("a", 2)})->applied, 2);
  EXPECT_EQ(Get<lib::Book>("a").copies(), 4) << "two commands an event";
  shop_.seen.clear();
  const auto result = ReactGathering({Sold("a", 1), Sold("a", 2), Sold("a", 3), Sold("a", 5)});
  EXPECT_EQ(result->repeated, 2);
  EXPECT_EQ(result->applied, 1);
  EXPECT_THAT(result->gaps, SizeIs(1));
  EXPECT_THAT(shop_.seen, testing::ElementsAre(3));
}

TEST_F(GatheringTest, WaitsForWhoCanNotBeAsked) {
  const auto answer = shop_.answer;
  shop_.answer = [](const IncomingEvent&) -> Calls { return status::Unavailable("away"); };
  EXPECT_TRUE(status::IsTransient(ReactGathering({Sold("a", 1)}).status()));
  EXPECT_TRUE(store_.marks().empty());
  EXPECT_TRUE(store_.dead_letters().empty());
  shop_.answer = answer;
  EXPECT_EQ(ReactGathering({Sold("a", 1)})->applied, 1);
}

TEST_F(GatheringTest, PutsAsideWhatIsRefused) {
  shop_.answer = [answer = shop_.answer](const IncomingEvent& event) -> Calls {
    if (event.meta.sequence == 2) return absl::PermissionDeniedError("no");
    return answer(event);
  };
  const auto result = ReactGathering({Sold("a", 1), Sold("a", 2), Sold("a", 3)});
  EXPECT_EQ(result->applied, 2);
  EXPECT_EQ(result->dead_letters, 1);
}

TEST_F(GatheringTest, LooksAgainWhereWhatItSawHasChanged) {
  ASSERT_EQ(ReactGathering({Sold("a", 1)})->applied, 1);
  etag_ = "1";  // stale: refused as ABORTED
  shop_.asked = 0;
  shop_.answer = [this, answer = shop_.answer](const IncomingEvent& event) {
    Calls calls = answer(event);
    etag_ = absl::StrCat(store_.streams().at({"Book", "a"}).version);
    return calls;
  };
  EXPECT_EQ(ReactGathering({Sold("a", 2)})->applied, 1);
  EXPECT_EQ(shop_.asked, 2);
  EXPECT_TRUE(store_.dead_letters().empty());
  EXPECT_EQ(Get<lib::Book>("a").copies(), 4);
}

TEST_F(GatheringTest, WaitsWhereItChangesEachTime) {
  ASSERT_EQ(ReactGathering({Sold("a", 1)})->applied, 1);
  etag_ = "1";
  EXPECT_TRUE(status::IsTransient(ReactGathering({Sold("a", 2)}).status()));
  EXPECT_EQ(store_.marks().begin()->second, 1);
  EXPECT_TRUE(store_.dead_letters().empty());
  EXPECT_EQ(Get<lib::Book>("a").copies(), 2);
}

TEST_F(GatheringTest, OneThatChangesDoesNotHoldUpTheOnesBefore) {
  ASSERT_EQ(ReactGathering({Sold("a", 1)})->applied, 1);
  shop_.answer = [this, answer = shop_.answer](const IncomingEvent& event) {
    etag_ = event.meta.partition_key == "a" ? "1" : "";
    return answer(event);
  };
  EXPECT_TRUE(status::IsTransient(ReactGathering({Sold("b", 1), Sold("a", 2)}).status()));
  EXPECT_EQ(Get<lib::Book>("b").copies(), 2);
}

}  // namespace
}  // namespace sankofa::engine
