#include "services/validation/committee.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

using ::testing::ElementsAre;

v1::AppointSeatRequest Appointing(const v1::Seat& seat) {
  v1::AppointSeatRequest request;
  request.set_committee_code(kCommittee);
  *request.mutable_seat() = seat;
  return request;
}
v1::VacateSeatRequest Vacating(const std::string& code) {
  v1::VacateSeatRequest request;
  request.set_committee_code(kCommittee);
  request.set_seat_code(code);
  return request;
}
v1::UpdateCommitteeRequest Updating() {
  v1::UpdateCommitteeRequest request;
  request.set_committee_code(kCommittee);
  return request;
}
v1::Committee& Get(Desk& desk) { return desk.world.Get<v1::Committee>(kCommittee); }

TEST(Committee, EveryCommandInEveryState) {
  Desk none;
  EXPECT_TRUE(absl::IsNotFound(none.Do(Updating())));
  EXPECT_TRUE(absl::IsNotFound(none.Do(Vacating("ofii"))));
  EXPECT_TRUE(absl::IsNotFound(none.Do(Appointing(SeatOf("x", v1::COLLEGE_OPERATORS)))));
  EXPECT_EQ(Reason(none.Do(FiveSeats())), "OK");
  EXPECT_TRUE(absl::IsAlreadyExists(none.Do(FiveSeats())));
  EXPECT_EQ(Reason(none.Do(Updating())), "OK");
  EXPECT_EQ(Reason(none.Do(Vacating("ofii"))), "OK");
  EXPECT_EQ(Reason(none.Do(Vacating("ofii"))), "SEAT_VACANT");
  EXPECT_EQ(Reason(none.Do(Vacating("nobody"))), "SEAT_UNKNOWN");
  EXPECT_EQ(Reason(none.Do(Appointing(SeatOf("ofii", v1::COLLEGE_HOST_STATE)))), "OK");
}

TEST(CreateCommittee, HasTheAssumedRulesUnlessItSaysOtherwise) {
  Desk desk;
  desk.Must(FiveSeats());
  EXPECT_EQ(Get(desk).quorum().more_than_thousandths(), 500);
  EXPECT_THAT(Get(desk).quorum().colleges(),
              ElementsAre(v1::COLLEGE_ORIGIN_STATE, v1::COLLEGE_HOST_STATE));
  EXPECT_EQ(Get(desk).appeal_period_days(), 30);
  EXPECT_FALSE(Get(desk).has_default_cap());
}

TEST(CreateCommittee, SeatsMustFitTogether) {
  const auto with = [](const v1::Seat& seat) {
    Desk desk;
    auto request = FiveSeats();
    *request.add_seats() = seat;
    return Reason(desk.Do(request));
  };
  v1::Seat seat = SeatOf("labour", v1::COLLEGE_OPERATORS);
  EXPECT_EQ(with(seat), "OK");
  seat.set_role(v1::SEAT_ROLE_CHAIR);
  EXPECT_EQ(with(seat), "CHAIR_TAKEN");
  seat = SeatOf("labour", v1::COLLEGE_OPERATORS);
  seat.set_code("ofii");
  EXPECT_EQ(with(seat), "SEAT_CODE_TWICE");
  seat = SeatOf("labour", v1::COLLEGE_OPERATORS);
  seat.set_holder_subject("ofii-deputy");
  EXPECT_EQ(with(seat), "SUBJECT_ALREADY_SEATED");
  seat = SeatOf("labour", v1::COLLEGE_OPERATORS);
  seat.set_deputy_subject(seat.holder_subject());
  EXPECT_EQ(with(seat), "SUBJECT_ALREADY_SEATED");
  seat = SeatOf("labour", v1::COLLEGE_OPERATORS);
  seat.clear_holder_subject();
  EXPECT_EQ(with(seat), "DEPUTY_WITHOUT_HOLDER");
  seat.clear_deputy_subject();
  EXPECT_EQ(with(seat), "OK");
}

TEST(CreateCommittee, HostileRules) {
  Desk desk;
  auto request = FiveSeats();
  request.mutable_quorum()->add_colleges(v1::COLLEGE_UNSPECIFIED);
  EXPECT_EQ(Reason(desk.Do(request)), "INVALID_FIELD");
  request = FiveSeats();
  *request.mutable_default_cap() = money::Of("EUR", -1);
  EXPECT_EQ(Reason(desk.Do(request)), "AMOUNT_NOT_POSITIVE");
  *request.mutable_default_cap() = money::Of("USD", 1);
  EXPECT_EQ(Reason(desk.Do(request)), "MONEY");
  auto update = Updating();
  desk.Must(FiveSeats());
  *update.mutable_default_cap() = money::Of("EUR", 0);
  EXPECT_EQ(Reason(desk.Do(update)), "AMOUNT_NOT_POSITIVE");
}

TEST(UpdateCommittee, WhatIsAbsentStays) {
  Desk desk;
  auto create = FiveSeats();
  *create.mutable_default_cap() = money::Of("EUR", 7'000'000);
  desk.Must(create);
  auto update = Updating();
  update.set_appeal_period_days(15);
  desk.Must(update);
  EXPECT_EQ(Get(desk).appeal_period_days(), 15);
  EXPECT_EQ(Get(desk).name(), "Comité franco-camerounais");
  EXPECT_EQ(Get(desk).default_cap().minor_units(), 7'000'000);
  EXPECT_EQ(Get(desk).quorum().more_than_thousandths(), 500);
  EXPECT_EQ(Get(desk).seats_size(), 5);
}

TEST(AppointSeat, SoManySeatsAndNoMore) {
  Desk desk;
  desk.Must(FiveSeats());
  for (int i = 5; i < kSeatsMax; ++i) {
    desk.Must(Appointing(SeatOf(absl::StrCat("seat-", i), v1::COLLEGE_OPERATORS)));
  }
  EXPECT_EQ(Reason(desk.Do(Appointing(SeatOf("one-more", v1::COLLEGE_OPERATORS)))),
            "TOO_MANY_SEATS");
}

TEST(AppointSeat, OpenSittingsKeepTheirSeats) {
  Desk desk;
  const std::string project = desk.Feasible();
  const std::string session = desk.Scheduled();
  desk.Add(session, project);
  desk.Open(session);
  desk.Must(Vacating("ofii"));
  EXPECT_EQ(Reason(desk.Vote(session, project, "ofii", v1::VOTE_VALUE_FOR)), "OK");
}

// Whatever is appointed and vacated: one chair at most, codes once, no person in two places.
RC_GTEST_PROP(CommitteeProperty, NobodySitsTwice, ()) {
  Desk desk;
  desk.Must(FiveSeats());
  const int steps = *rc::gen::inRange(1, 40);
  for (int i = 0; i < steps; ++i) {
    const std::string code = absl::StrCat("seat-", *rc::gen::inRange(0, 8));
    if (*rc::gen::inRange(0, 4) == 0) {
      (void)desk.Do(Vacating(code));
    } else {
      v1::Seat seat;
      seat.set_code(code);
      seat.set_college(static_cast<v1::College>(*rc::gen::inRange(1, 5)));
      seat.set_role(static_cast<v1::SeatRole>(*rc::gen::inRange(1, 4)));
      const int holder = *rc::gen::inRange(0, 6);
      const int deputy = *rc::gen::inRange(0, 6);
      if (holder > 0) seat.set_holder_subject(absl::StrCat("person-", holder));
      if (deputy > 0) seat.set_deputy_subject(absl::StrCat("person-", deputy));
      (void)desk.Do(Appointing(seat));
    }
    int chairs = 0;
    std::multiset<std::string> codes;
    std::multiset<std::string> subjects;
    for (const v1::Seat& seat : Get(desk).seats()) {
      chairs += seat.role() == v1::SEAT_ROLE_CHAIR ? 1 : 0;
      codes.insert(seat.code());
      if (!seat.holder_subject().empty()) subjects.insert(seat.holder_subject());
      if (!seat.deputy_subject().empty()) subjects.insert(seat.deputy_subject());
    }
    RC_ASSERT(chairs <= 1);
    for (const std::string& one : codes) RC_ASSERT(codes.count(one) == 1U);
    for (const std::string& one : subjects) RC_ASSERT(subjects.count(one) == 1U);
  }
}

}  // namespace
}  // namespace sankofa::validation
