#include <gtest/gtest.h>

#include <array>

#include "services/platform/money/money.h"
#include "tests/unit/validation/desk.h"

// The Cameroon sitting of 2017 as it was published (embassy of France in Cameroon): 14 projects examined, 12 approved
// for 66,972 EUR in all, 1 adjourned, 1 refused. Who got how much was not published: the amounts here are invented so
// that they come to that sum, none above the ceiling of 7,000 EUR.
namespace sankofa::validation {
namespace {

constexpr std::array<std::int64_t, 12> kApproved = {700'000, 700'000, 655'000, 612'000,
                                                    600'000, 585'000, 560'000, 540'000,
                                                    525'000, 480'000, 410'200, 330'000};
constexpr std::int64_t kTotal = 6'697'200;

TEST(Sitting2017, ComesOutAsPublished) {
  Desk desk;
  const std::string session = desk.Scheduled(money::Of("EUR", 7'000'000));
  std::vector<std::string> projects;
  for (int i = 0; i < 14; ++i) {
    projects.push_back(desk.Feasible(absl::StrCat("case-", i), PoultryFarm(700'000)));
    auto add = Desk::At<v1::AddToAgendaRequest>(session, projects.back());
    *add.mutable_ceiling() = money::Of("EUR", 700'000);
    desk.Must(add, desk.Secretary());
  }
  desk.Open(session);

  for (size_t i = 0; i < kApproved.size(); ++i) {
    desk.AllVote(session, projects[i], v1::VOTE_VALUE_FOR);
    auto decision = Desk::Decision(session, projects[i]);
    *decision.mutable_amount() = money::Of("EUR", kApproved.at(i));
    decision.set_expected_outcome(v1::AGENDA_OUTCOME_APPROVED);
    desk.Must(decision, desk.As("embassy-holder", {"committee_member"}));
  }
  desk.Must(Desk::At<v1::MarkApplicantAbsentRequest>(session, projects[12]), desk.Secretary());
  desk.AllVote(session, projects[13], v1::VOTE_VALUE_AGAINST);
  auto refusal = Desk::Decision(session, projects[13]);
  refusal.set_reason("Étude de marché insuffisante.");
  desk.Must(refusal, desk.As("embassy-holder", {"committee_member"}));
  desk.Close(session);

  const auto* closed = desk.world.Last<v1::SessionClosed>();
  ASSERT_NE(closed, nullptr);
  EXPECT_EQ(closed->examined(), 14);
  EXPECT_EQ(closed->approved(), 12);
  EXPECT_EQ(closed->adjourned(), 1);
  EXPECT_EQ(closed->refused(), 1);
  ASSERT_EQ(closed->approved_totals_size(), 1);
  EXPECT_EQ(closed->approved_totals(0).currency(), "EUR");
  EXPECT_EQ(closed->approved_totals(0).minor_units(), kTotal);
  EXPECT_EQ(money::Convert(closed->approved_totals(0), "XAF")->target.minor_units(), 43'930'752);
  EXPECT_FALSE(closed->minutes_hash().empty());

  std::int64_t of_projects = 0;
  for (size_t i = 0; i < kApproved.size(); ++i) {
    EXPECT_EQ(desk.Project(projects[i]).state(), v1::PROJECT_STATE_APPROVED);
    of_projects += desk.Project(projects[i]).approved_amount().minor_units();
  }
  EXPECT_EQ(of_projects, kTotal);
  EXPECT_EQ(desk.Project(projects[12]).state(), v1::PROJECT_STATE_ADJOURNED);
  EXPECT_EQ(desk.Project(projects[13]).state(), v1::PROJECT_STATE_REFUSED);
  EXPECT_EQ(desk.Project(projects[13]).appeal_until(), "2017-07-30");
}

}  // namespace
}  // namespace sankofa::validation
