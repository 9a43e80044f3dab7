#include "services/validation/case_file.h"

#include <gtest/gtest.h>

#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

constexpr const char* kCase = "case-1";

v1::OpenCaseFileRequest Opening(const std::string& reference) {
  v1::OpenCaseFileRequest request;
  request.set_case_id(kCase);
  request.set_reference(reference);
  return request;
}
v1::MoveCaseFileRequest Moving(v1::CaseStanding standing) {
  v1::MoveCaseFileRequest request;
  request.set_case_id(kCase);
  request.set_standing(standing);
  return request;
}
v1::EraseCaseFileRequest Erasing() {
  v1::EraseCaseFileRequest request;
  request.set_case_id(kCase);
  return request;
}

// Reactions must never fail for good: each command is accepted in every state, and in an erased file changes nothing.
TEST(CaseFile, EveryCommandInEveryState) {
  for (int standing = 0; standing <= v1::CASE_STANDING_CLOSED; ++standing) {
    for (int next = 1; next <= v1::CASE_STANDING_CLOSED; ++next) {
      Desk desk;
      if (standing > 0) desk.MoveCase(kCase, static_cast<v1::CaseStanding>(standing));
      EXPECT_EQ(Reason(desk.Do(Opening("CM-1"))), "OK");
      EXPECT_EQ(Reason(desk.Do(Moving(static_cast<v1::CaseStanding>(next)))), "OK");
      const bool again =
          standing == v1::CASE_STANDING_REINTEGRATING && next == v1::CASE_STANDING_ASSESSED;
      EXPECT_EQ(desk.File(kCase).standing(), again ? standing : next);
      EXPECT_EQ(desk.File(kCase).reference(), "CM-1");
      EXPECT_EQ(Reason(desk.Do(Erasing())), "OK");
      EXPECT_TRUE(desk.File(kCase).erased());
      const std::string before = desk.File(kCase).SerializeAsString();
      EXPECT_EQ(Reason(desk.Do(Opening("CM-2"))), "OK");
      EXPECT_EQ(Reason(desk.Do(Moving(v1::CASE_STANDING_ASSESSED))), "OK");
      EXPECT_EQ(Reason(desk.Do(Erasing())), "OK");
      EXPECT_EQ(desk.File(kCase).SerializeAsString(), before);
    }
  }
}

TEST(CaseFile, WhatIsKnownAlreadyEmitsNothing) {
  Desk desk;
  desk.MoveCase(kCase, v1::CASE_STANDING_ASSESSED);
  desk.MoveCase(kCase, v1::CASE_STANDING_ASSESSED);
  EXPECT_TRUE(desk.world.last().empty());
  desk.Must(Opening("CM-1"));
  EXPECT_FALSE(desk.world.last().empty());
  desk.Must(Opening("CM-1"));
  EXPECT_TRUE(desk.world.last().empty());
}

TEST(CaseFile, WhatIsEmptyStays) {
  Desk desk;
  desk.AssessCase(kCase);
  auto header = Opening("");
  header.set_programme("eurp-voluntary");
  desk.Must(header);
  EXPECT_EQ(desk.File(kCase).programme(), "eurp-voluntary");
  EXPECT_EQ(desk.File(kCase).reference(), "CM-case-1");
  EXPECT_EQ(desk.File(kCase).responsible_organisation(), "agency");
}

// An event that was put aside is replayed when others of its stream have taken effect.
TEST(CaseFile, WhatComesLateTakesNothingBack) {
  Desk desk;
  const auto move = [&](v1::CaseStanding standing, int sequence) {
    auto request = Moving(standing);
    request.set_sequence(sequence);
    desk.Must(request);
  };
  auto header = Opening("");
  header.set_programme("changed");
  header.set_sequence(2);
  desk.Must(header);
  move(v1::CASE_STANDING_ASSESSED, 6);
  move(v1::CASE_STANDING_ASSESSED, 8);  // opened again; that it was closed before is still to come
  move(v1::CASE_STANDING_CLOSED, 7);
  move(v1::CASE_STANDING_EARLY, 5);
  EXPECT_EQ(desk.File(kCase).standing(), v1::CASE_STANDING_ASSESSED);

  auto registered = Opening("CM-1");
  registered.set_programme("first");
  registered.set_sequence(1);
  desk.Must(registered);
  EXPECT_EQ(desk.File(kCase).programme(), "changed");
  EXPECT_EQ(desk.File(kCase).reference(), "CM-1");
  move(v1::CASE_STANDING_CLOSED, 9);
  EXPECT_EQ(desk.File(kCase).standing(), v1::CASE_STANDING_CLOSED);
}

TEST(CaseFile, ErasureOfACaseThatIsUnknownHereLeavesAMark) {
  Desk desk;
  desk.Must(Erasing());
  EXPECT_TRUE(desk.File(kCase).erased());
  desk.Must(Moving(v1::CASE_STANDING_ASSESSED));
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), "ERASED");
}

TEST(CaseFile, ErasureReachesAllProjectsOfTheCaseAndNoOther) {
  Desk desk;
  const std::string ended = desk.Draft(kCase);
  desk.Must(Desk::On<v1::WithdrawProjectRequest>(ended));
  const std::string live = desk.Draft(kCase);
  const std::string other = desk.Draft("case-2");
  desk.Must(Erasing());
  EXPECT_TRUE(desk.Project(ended).erased());
  EXPECT_TRUE(desk.Project(live).erased());
  EXPECT_FALSE(desk.Project(other).erased());
}

}  // namespace
}  // namespace sankofa::validation
