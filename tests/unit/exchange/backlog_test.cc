#include "services/exchange/feed/backlog.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/exchange/fixture.h"

namespace sankofa::exchange {
namespace {

using test::Reason;

engine::Context With(const v1::Partner& partner) {
  engine::Context context = Now();
  context.related[engine::KeyOf<v1::Partner>("fr")] = &partner;
  return context;
}

v1::Partner Standing(v1::PartnerState state) {
  v1::Partner partner;
  partner.set_id("fr");
  partner.set_state(state);
  return partner;
}

v1::KeepMessageRequest Keep(const std::string& id) {
  v1::KeepMessageRequest request;
  request.set_partner_id("fr");
  request.mutable_message()->set_id(id);
  return request;
}

v1::TakeKeptMessagesRequest Take(const std::vector<std::string>& ids) {
  v1::TakeKeptMessagesRequest request;
  request.set_partner_id("fr");
  for (const auto& id : ids) request.add_message_ids(id);
  return request;
}

v1::StartCatchUpRequest Start() {
  v1::StartCatchUpRequest request;
  request.set_partner_id("fr");
  return request;
}

v1::AdvanceCatchUpRequest Advance(std::int64_t round, const std::string& after, bool done) {
  v1::AdvanceCatchUpRequest request;
  request.set_partner_id("fr");
  request.set_round(round);
  request.set_after(after);
  request.set_done(done);
  return request;
}

// States: nothing known, a message kept, going through the cases, done with it. Partner: as it stands.
TEST(BacklogTest, WhatIsRefusedInWhichState) {
  v1::Backlog none;
  v1::Backlog kept;
  v1::Backlog going;
  v1::Backlog done;
  const v1::Partner suspended = Standing(v1::PARTNER_STATE_SUSPENDED);
  ASSERT_EQ(Reason(test::Run<BacklogDecider>(kept, Keep("a"), With(suspended))), "OK");
  ASSERT_EQ(Reason(test::Run<BacklogDecider>(going, Start(), Now())), "OK");
  done = going;
  ASSERT_EQ(Reason(test::Run<BacklogDecider>(done, Advance(1, "c", true), Now())), "OK");

  for (const v1::Backlog& before : {none, kept, going, done}) {
    for (const auto state :
         {v1::PARTNER_STATE_UNSPECIFIED, v1::PARTNER_STATE_ACTIVE, v1::PARTNER_STATE_SUSPENDED}) {
      const v1::Partner partner = Standing(state);
      v1::Backlog backlog = before;
      EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Keep("b"), With(partner))),
                state == v1::PARTNER_STATE_SUSPENDED ? "OK" : "LOOK_AGAIN");
      backlog = before;
      EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Take({"a"}), With(partner))),
                before.kept().empty() ? "LOOK_AGAIN" : "OK");
      backlog = before;
      EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Start(), With(partner))), "OK");
      EXPECT_EQ(backlog.round(), before.round() + 1);
      EXPECT_FALSE(backlog.done());
      backlog = before;
      EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Advance(1, "d", false), With(partner))),
                "OK");
      EXPECT_EQ(backlog.after() == "d", before.round() == 1 && !before.done());
    }
  }
}

TEST(BacklogTest, HoldsSoManyAndNoMore) {
  const v1::Partner suspended = Standing(v1::PARTNER_STATE_SUSPENDED);
  v1::Backlog backlog;
  for (int i = 0; i < kKeptMessagesMax; ++i) {
    ASSERT_EQ(Reason(test::Run<BacklogDecider>(backlog, Keep(absl::StrCat(i)), With(suspended))),
              "OK");
  }
  EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Keep("more"), With(suspended))),
            "BACKLOG_FULL");
  EXPECT_EQ(Reason(test::Run<BacklogDecider>(backlog, Keep("7"), With(suspended))), "OK")
      << "it is there";
  v1::Backlog heavy;
  auto large = Keep("large");
  large.mutable_message()->set_payload(std::string(kKeptBytesMax, 'x'));
  EXPECT_EQ(Reason(test::Run<BacklogDecider>(heavy, large, With(suspended))), "BACKLOG_FULL");
}

// Whatever is kept and taken in whatever order: each message is there once, from when it was kept to when it was taken.
RC_GTEST_PROP(BacklogTest, HoldsWhatWasKeptAndNotTaken, ()) {
  const v1::Partner suspended = Standing(v1::PARTNER_STATE_SUSPENDED);
  v1::Backlog backlog;
  std::vector<std::string> expected;
  const auto steps = *rc::gen::container<std::vector<std::pair<bool, int>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange(0, 8)));
  for (const auto& [keeps, number] : steps) {
    const std::string id = absl::StrCat(number);
    const auto there = std::find(expected.begin(), expected.end(), id);
    if (keeps) {
      RC_ASSERT(test::Run<BacklogDecider>(backlog, Keep(id), With(suspended)).ok());
      if (there == expected.end()) expected.push_back(id);
    } else {
      const bool taken = test::Run<BacklogDecider>(backlog, Take({id}), Now()).ok();
      RC_ASSERT(taken == (there != expected.end()));
      if (taken) expected.erase(there);
    }
    std::vector<std::string> held;
    for (const auto& message : backlog.kept()) held.push_back(message.id());
    RC_ASSERT(held == expected);
  }
}

}  // namespace
}  // namespace sankofa::exchange
