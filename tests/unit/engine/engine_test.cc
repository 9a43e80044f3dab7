#include "services/platform/engine/engine.h"

#include <gmock/gmock.h>

#include <map>

#include "fixture.h"

namespace sankofa::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(LibraryTest, LaterCommandsOfABatchSeeWhatEarlierOnesDid) {
  const auto outcomes = Run({Buy("r1", "sankofa", 1), Lend("r2", "ama", "sankofa"),
                             Lend("r3", "kofi", "sankofa"), Buy("r4", "other", 2)});
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_TRUE(outcomes[1].ok());
  EXPECT_EQ(ReasonOf(outcomes[2]), "NO_COPY_LEFT");
  EXPECT_TRUE(outcomes[3].ok()) << "a refusal must cost its batch nothing";
  EXPECT_EQ(Get<lib::Book>("sankofa").copies(), 0);
  EXPECT_EQ(store_.journal().size(), 4U);
}

TEST_F(LibraryTest, ARequestIdTakesEffectOnce) {
  const auto first = Run({Buy("r1", "b", 3)});
  const auto again = Run({Buy("r1", "b", 3), Buy("r1", "b", 3)});
  EXPECT_EQ(Get<lib::Book>("b").copies(), 3);
  for (const auto& outcome : again) {
    EXPECT_EQ((*outcome)->SerializeAsString(), (*first[0])->SerializeAsString());
  }
  EXPECT_EQ(ReasonOf(Run({Buy("r1", "b", 4)})[0]), "REQUEST_ID_REUSED");
  auto other_caller = Buy("r1", "b", 3);
  other_caller.actor.subject = "somebody-else";
  EXPECT_EQ(ReasonOf(Run({other_caller})[0]), "REQUEST_ID_REUSED");
  EXPECT_EQ(Get<lib::Book>("b").copies(), 3);
}

TEST_F(LibraryTest, ARefusedRequestMayBeSentAgainWhenTheStateHasChanged) {
  EXPECT_EQ(ReasonOf(Run({Lend("r1", "ama", "b")})[0]), "NO_COPY_LEFT");
  EXPECT_TRUE(Run({Buy("r2", "b", 1)})[0].ok());
  EXPECT_TRUE(Run({Lend("r1", "ama", "b")})[0].ok());
}

TEST_F(LibraryTest, TheAnswerAndTheEtag) {
  EXPECT_EQ(ReasonOf(Run({Renew("r0", "nothing")})[0]), "NOT_FOUND");
  (void)Run({Buy("r1", "b", 1)});
  const auto lent = Run({Lend("r2", "ama", "b")});
  const auto& loan = static_cast<const lib::Loan&>(**lent[0]);
  EXPECT_EQ(loan.id(), DerivedId("r2"));
  EXPECT_EQ(loan.etag(), "1");
  EXPECT_EQ(loan.reader_name(), "") << "answers to commands show nothing personal";
  EXPECT_TRUE(Run({Renew("r3", loan.id(), "", "1")})[0].ok());
  EXPECT_EQ(ReasonOf(Run({Renew("r4", loan.id(), "", "1")})[0]), "STALE_ETAG");
  EXPECT_TRUE(Run({Renew("r4", loan.id(), "", "2")})[0].ok());
  EXPECT_EQ(ReasonOf(Run({Renew("r5", loan.id())})[0]), "RENEWALS_EXHAUSTED");
}

TEST_F(LibraryTest, FurtherAggregatesFollowFromTheState) {
  (void)Run({Buy("r1", "b", 1)});
  (void)Run({Lend("r2", "ama", "b")});
  EXPECT_TRUE(Run({GiveBack("r3", DerivedId("r2"))})[0].ok());
  EXPECT_EQ(Get<lib::Book>("b").copies(), 1);
  // Lent and given back in one batch: the name is known only under the lock.
  const auto both = Run({Lend("r4", "ama", "b"), GiveBack("r5", DerivedId("r4"))});
  EXPECT_TRUE(both[0].ok());
  EXPECT_TRUE(both[1].ok()) << both[1].status();
  EXPECT_EQ(Get<lib::Book>("b").copies(), 1);
}

TEST_F(LibraryTest, WhatCannotBeWrittenTakesOnlyItselfAlong) {
  store_.on_commit = [](const WriteSet& writes) {
    for (const auto& row : writes.journal) {
      if (row.stream.id == "poison") return status::Internal("constraint");
    }
    return absl::OkStatus();
  };
  const auto outcomes = Run({Buy("r1", "a", 1), Buy("r2", "poison", 1), Buy("r3", "c", 1)});
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(ReasonOf(outcomes[1]), "INTERNAL");
  EXPECT_TRUE(outcomes[2].ok());
  EXPECT_EQ(Get<lib::Book>("c").copies(), 1);
  EXPECT_FALSE(store_.streams().contains(KeyOf<lib::Book>("poison")));
}

TEST_F(LibraryTest, ALostConnectionFailsAllAndRepeatingIsSafe) {
  bool lost = true;
  store_.on_commit = [&](const WriteSet&) {
    return lost ? status::Unavailable("connection lost") : absl::OkStatus();
  };
  for (const auto& outcome : Run({Buy("r1", "a", 1), Buy("r2", "b", 1)})) {
    EXPECT_TRUE(status::IsTransient(outcome.status()));
  }
  EXPECT_TRUE(store_.journal().empty());
  lost = false;
  (void)Run({Buy("r1", "a", 1), Buy("r2", "b", 1)});
  (void)Run({Buy("r1", "a", 1), Buy("r2", "b", 1)});
  EXPECT_EQ(store_.journal().size(), 2U);
}

TEST_F(LibraryTest, EveryStreamIsAChain) {
  (void)Run({Buy("r1", "b", 5), Lend("r2", "ama", "b"), Lend("r3", "kofi", "b")});
  (void)Run({Renew("r4", DerivedId("r2"), "kept dry"), GiveBack("r5", DerivedId("r3"))});
  std::map<StreamKey, const JournalRow*> last;
  for (const JournalRow& row : store_.journal()) {
    const JournalRow* before = last[row.stream];
    EXPECT_EQ(row.sequence, before == nullptr ? 1 : before->sequence + 1);
    EXPECT_EQ(row.previous_hash, before == nullptr ? "" : before->hash);
    EXPECT_EQ(row.hash, HashOf(row));
    auto altered = row;
    altered.actor = "somebody-else";
    EXPECT_NE(HashOf(altered), row.hash);
    last[row.stream] = &row;
  }
  for (const auto& [key, row] : last) {
    EXPECT_EQ(store_.streams().at(key).last_hash, row->hash);
    EXPECT_EQ(store_.streams().at(key).version, row->sequence);
  }
}

TEST_F(LibraryTest, NothingPersonalIsStoredInClearAndErasingDestroysTheKey) {
  (void)Run({Buy("r1", "b", 2)});
  (void)Run(
      {Lend("r2", "ama", "b", "Zipporah Unmistakable"), Lend("r3", "kofi", "b", "Kofi Other")});
  const std::string loan = DerivedId("r2");
  (void)Run({Renew("r4", loan, "allergic to dust")});
  for (const char* secret : {"Zipporah", "Unmistakable", "allergic", "Kofi Other"}) {
    EXPECT_THAT(EverythingStored(), Not(HasSubstr(secret)));
  }
  EXPECT_EQ(Get<lib::Loan>(loan).reader_name(), "");
  EXPECT_EQ(Get<lib::Loan>(loan, /*personal=*/true).reader_name(), "Zipporah Unmistakable");
  EXPECT_EQ(Get<lib::Loan>(loan, true).remarks_size(), 1);

  EXPECT_TRUE(Run({Forget("r5", loan)})[0].ok());
  EXPECT_EQ(store_.subject_keys().at("ama").wrapped, "");
  EXPECT_EQ(Get<lib::Loan>(loan, true).reader_name(), "");
  EXPECT_EQ(ReasonOf(Run({Renew("r6", loan, "a new remark")})[0]), "ERASED");
  EXPECT_TRUE(Run({Renew("r7", loan)})[0].ok()) << "what is not personal goes on";
  EXPECT_EQ(ReasonOf(Run({Lend("r8", "ama", "b", "Zipporah again")})[0]), "NO_COPY_LEFT");
  EXPECT_EQ(Get<lib::Loan>(DerivedId("r3"), true).reader_name(), "Kofi Other");
}

struct UnsealableDecider {
  using State = lib::Unsealable;
  using EventTypes = engine::EventTypes<lib::HalfSealedList>;
  static Decision Decide(const State&, const lib::BuyRequest&, const Context&) { return Events(); }
  static void Apply(State&, const lib::HalfSealedList&) {}
};

TEST_F(LibraryTest, ARegistryThatCouldLeakIsNamedBeforeItRuns) {
  EXPECT_TRUE(registry_.Check().ok());
  Registry bad;
  bad.Command<UnsealableDecider, lib::BuyRequest>({.id = [](const auto&) { return "x"; }});
  const std::string faults(bad.Check().message());
  EXPECT_THAT(faults, HasSubstr("library.v1.Unsealable"));
  EXPECT_THAT(faults, HasSubstr("HalfSealedList"));
}

TEST_F(LibraryTest, ErasedInTheSameBatchAsWritten) {
  (void)Run({Buy("r1", "b", 1)});
  const auto outcomes = Run({Lend("r2", "ama", "b", "Zipporah"), Forget("r3", DerivedId("r2")),
                             Renew("r4", DerivedId("r2"), "remark")});
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_TRUE(outcomes[1].ok());
  EXPECT_EQ(ReasonOf(outcomes[2]), "ERASED");
  EXPECT_EQ(store_.subject_keys().at("ama").wrapped, "");
  EXPECT_EQ(Get<lib::Loan>(DerivedId("r2"), true).reader_name(), "");
}

}  // namespace
}  // namespace sankofa::engine
