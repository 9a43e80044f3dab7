#include "services/validation/life_project.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>

#include "services/platform/crypto/vault.h"
#include "services/validation/budget.h"
#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

using ::testing::ElementsAre;

constexpr const char* kCase = "case-1";

// What each command says to a project in each state. "OK" is a change of state or content.
struct Row {
  v1::ProjectState state;
  const char* update;
  const char* submit;
  const char* revise;
  const char* study;
  const char* appeal;
  const char* withdraw;
  const char* schedule;  // onto the agenda of a further sitting
};

const std::vector<Row>& Table() {
  static const std::vector<Row> table = {
      {v1::PROJECT_STATE_DRAFT, "OK", "OK", "PROJECT_IS_DRAFT", "PROJECT_NOT_SUBMITTED",
       "PROJECT_NOT_REFUSED", "OK", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_SUBMITTED, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK", "OK",
       "PROJECT_NOT_REFUSED", "OK", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_FEASIBLE, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "OK"},
      {v1::PROJECT_STATE_NOT_FEASIBLE, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_IN_COMMITTEE, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_APPROVED, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_ADJOURNED, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "OK"},
      {v1::PROJECT_STATE_REFUSED, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "PROJECT_ENDED",
       "PROJECT_NOT_SUBMITTED", "OK", "PROJECT_ENDED", "PROJECT_NOT_SCHEDULABLE"},
      {v1::PROJECT_STATE_APPEALED, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "OK",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "OK", "OK"},
      {v1::PROJECT_STATE_WITHDRAWN, "PROJECT_NOT_DRAFT", "PROJECT_NOT_DRAFT", "PROJECT_ENDED",
       "PROJECT_NOT_SUBMITTED", "PROJECT_NOT_REFUSED", "PROJECT_ENDED", "PROJECT_NOT_SCHEDULABLE"},
  };
  return table;
}

using Command = std::function<absl::Status(Desk&, const std::string& project_id)>;

absl::Status Update(Desk& desk, const std::string& id) {
  auto request = Desk::On<v1::UpdateDraftRequest>(id);
  *request.mutable_content() = PoultryFarm();
  return desk.Do(request);
}
absl::Status Submit(Desk& desk, const std::string& id) {
  return desk.Do(Desk::On<v1::SubmitProjectRequest>(id));
}
absl::Status Revise(Desk& desk, const std::string& id) { return desk.Do(Desk::Revision(id)); }
absl::Status Study(Desk& desk, const std::string& id) {
  return desk.Do(desk.Study(id, true), desk.As("operator"));
}
absl::Status Appeal(Desk& desk, const std::string& id) {
  return desk.Do(Desk::On<v1::AppealProjectRequest>(id));
}
absl::Status Withdraw(Desk& desk, const std::string& id) {
  return desk.Do(Desk::On<v1::WithdrawProjectRequest>(id));
}
absl::Status Schedule(Desk& desk, const std::string& id) {
  const std::string session = desk.Scheduled();
  return desk.Do(Desk::At<v1::AddToAgendaRequest>(session, id), desk.Secretary());
}

void Expect(v1::ProjectState state, const char* name, const Command& command, const char* expected,
            bool erased) {
  SCOPED_TRACE(absl::StrCat(v1::ProjectState_Name(state), " × ", name, erased ? " erased" : ""));
  Desk desk;
  const std::string id = Reach(desk, state).project_id;
  ASSERT_EQ(desk.Project(id).state(), state);
  if (erased) desk.Erase(kCase);
  const std::string before = desk.Project(id).SerializeAsString();
  EXPECT_EQ(Reason(command(desk, id)), expected);
  if (std::string(expected) != "OK") {
    EXPECT_EQ(desk.Project(id).SerializeAsString(), before);
  }
}

TEST(LifeProject, EveryCommandInEveryState) {
  for (const Row& row : Table()) {
    Expect(row.state, "UpdateDraft", Update, row.update, false);
    Expect(row.state, "SubmitProject", Submit, row.submit, false);
    Expect(row.state, "ReviseProject", Revise, row.revise, false);
    Expect(row.state, "RecordFeasibility", Study, row.study, false);
    Expect(row.state, "AppealProject", Appeal, row.appeal, false);
    Expect(row.state, "WithdrawProject", Withdraw, row.withdraw, false);
    Expect(row.state, "AddToAgenda", Schedule, row.schedule, false);
  }
}

TEST(LifeProject, NothingIsWrittenOnAnErasedCase) {
  for (const Row& row : Table()) {
    Expect(row.state, "UpdateDraft", Update, "ERASED", true);
    Expect(row.state, "SubmitProject", Submit, "ERASED", true);
    Expect(row.state, "ReviseProject", Revise, "ERASED", true);
    Expect(row.state, "RecordFeasibility", Study, "ERASED", true);
    Expect(row.state, "AppealProject", Appeal, "ERASED", true);
    Expect(row.state, "WithdrawProject", Withdraw, "ERASED", true);
    Expect(row.state, "AddToAgenda", Schedule, "PROJECT_NOT_SCHEDULABLE", true);
  }
}

TEST(LifeProject, UnknownProjectIsNotFound) {
  Desk desk;
  EXPECT_TRUE(absl::IsNotFound(Submit(desk, "nothing")));
}

TEST(DraftProject, NeedsACaseThatIsAssessedAndOpen) {
  const std::map<v1::CaseStanding, const char*> table = {
      {v1::CASE_STANDING_EARLY, "CASE_NOT_READY"},
      {v1::CASE_STANDING_ASSESSED, "OK"},
      {v1::CASE_STANDING_REINTEGRATING, "OK"},
      {v1::CASE_STANDING_CLOSED, "CASE_NOT_READY"},
  };
  Desk unknown;
  EXPECT_EQ(Reason(unknown.Do(Desk::DraftOf(kCase))), "CASE_NOT_READY");
  for (const auto& [standing, expected] : table) {
    Desk desk;
    desk.MoveCase(kCase, standing);
    EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), expected) << standing;
  }
  Desk erased;
  erased.AssessCase(kCase);
  erased.Erase(kCase);
  EXPECT_EQ(Reason(erased.Do(Desk::DraftOf(kCase))), "ERASED");
}

TEST(DraftProject, TakesProgrammeAndReferenceFromTheCase) {
  Desk desk;
  const std::string id = desk.Draft(kCase);
  const v1::LifeProject& project = desk.Project(id);
  EXPECT_EQ(project.programme(), "ofii-cameroon-2017");
  EXPECT_EQ(project.case_reference(), "CM-case-1");
  EXPECT_EQ(project.version(), 0);
  EXPECT_THAT(project.author_subjects(), ElementsAre("author"));
}

TEST(DraftProject, OneLiveProjectOfAKind) {
  Desk desk;
  const std::string first = desk.Draft(kCase);
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), "LIVE_PROJECT_EXISTS");
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase, v1::PROJECT_KIND_SOCIAL))), "OK");
  desk.Must(Desk::On<v1::WithdrawProjectRequest>(first));
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), "OK");
}

TEST(DraftProject, ACaseHasSoManyProjectsAndNoMore) {
  Desk desk;
  for (int i = 0; i < kProjectsPerCaseMax; ++i) {
    desk.Must(Desk::On<v1::WithdrawProjectRequest>(desk.Draft(kCase)));
  }
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), "TOO_MANY_PROJECTS");
}

TEST(SubmitProject, FreezesAVersionWithItsHash) {
  Desk desk;
  const std::string id = desk.Draft(kCase);
  ASSERT_TRUE(Submit(desk, id).ok());
  const auto* event = desk.world.Last<v1::ProjectSubmitted>();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->version(), 1);
  EXPECT_EQ(event->requested().minor_units(), 600'000);
  EXPECT_EQ(event->case_id(), kCase);
  EXPECT_FALSE(event->content_hash().empty());
  EXPECT_EQ(desk.Project(id).versions(0).content_hash(), event->content_hash());
}

TEST(SubmitProject, HashDependsOnContentAndDescription) {
  Desk desk;
  const engine::Context context = desk.As("author");
  const std::string hash = ContentHash(PoultryFarm(), "a", context);
  EXPECT_EQ(hash, ContentHash(PoultryFarm(), "a", context));
  EXPECT_NE(hash, ContentHash(PoultryFarm(), "b", context));
  EXPECT_NE(hash, ContentHash(PoultryFarm(550'000), "a", context));
}

TEST(SubmitProject, NamesWhatIsMissing) {
  Desk desk;
  v1::ProjectContent content;
  content.set_title("Un titre");
  const std::string id = desk.Draft(kCase, content);
  const absl::Status status = Submit(desk, id);
  EXPECT_EQ(Reason(status), "PROJECT_INCOMPLETE");
  EXPECT_THAT(status::FieldsOf(status), ElementsAre("content.region", "content.sector",
                                                    "content.items", "content.requested"));
}

TEST(SubmitProject, CaseMustStillBeReady) {
  Desk desk;
  const std::string id = desk.Draft(kCase);
  desk.MoveCase(kCase, v1::CASE_STANDING_CLOSED);
  EXPECT_EQ(Reason(Submit(desk, id)), "CASE_NOT_READY");
}

TEST(ReviseProject, NextVersionStartsAgainAtSubmitted) {
  Desk desk;
  const std::string id = desk.Feasible(kCase);
  ASSERT_TRUE(Revise(desk, id).ok());
  const v1::LifeProject& project = desk.Project(id);
  EXPECT_EQ(project.state(), v1::PROJECT_STATE_SUBMITTED);
  EXPECT_EQ(project.version(), 2);
  ASSERT_EQ(project.versions_size(), 2);
  EXPECT_EQ(project.versions(0).requested().minor_units(), 600'000);
  EXPECT_EQ(project.versions(1).requested().minor_units(), 550'000);
  EXPECT_NE(project.versions(0).content_hash(), project.versions(1).content_hash());
}

TEST(ReviseProject, ApprovalStandsForTheVersionThatWasApproved) {
  Desk desk;
  const std::string id = Reach(desk, v1::PROJECT_STATE_APPROVED).project_id;
  ASSERT_TRUE(Revise(desk, id).ok());
  EXPECT_EQ(desk.Project(id).version(), 2);
  EXPECT_EQ(desk.Project(id).approved_version(), 1);
  EXPECT_EQ(desk.Project(id).state(), v1::PROJECT_STATE_SUBMITTED);
}

TEST(ReviseProject, SoManyVersionsAndNoMore) {
  Desk desk;
  const std::string id = desk.Submitted(kCase);
  for (int i = 1; i < kVersionsMax; ++i) ASSERT_TRUE(Revise(desk, id).ok());
  EXPECT_EQ(Reason(Revise(desk, id)), "TOO_MANY_VERSIONS");
}

TEST(UpdateDraft, SoManyAuthorsAndNoMore) {
  Desk desk;
  const std::string id = desk.Draft(kCase);
  auto request = Desk::On<v1::UpdateDraftRequest>(id);
  *request.mutable_content() = PoultryFarm();
  for (int i = 1; i < kAuthorsMax; ++i) desk.Must(request, desk.As(absl::StrCat("author-", i)));
  EXPECT_EQ(Reason(desk.Do(request, desk.As("one-more"))), "TOO_MANY_AUTHORS");
  EXPECT_EQ(Reason(desk.Do(request, desk.As("author-3"))), "OK");
}

TEST(RecordFeasibility, NotByAnybodyWhoWroteOnIt) {
  Desk desk;
  const std::string id = desk.Draft(kCase);
  auto update = Desk::On<v1::UpdateDraftRequest>(id);
  *update.mutable_content() = PoultryFarm();
  desk.Must(update, desk.As("second"));
  desk.Must(Desk::On<v1::SubmitProjectRequest>(id));
  EXPECT_EQ(Reason(desk.Do(desk.Study(id, true), desk.As("author"))), "STUDY_BY_AUTHOR");
  EXPECT_EQ(Reason(desk.Do(desk.Study(id, true), desk.As("second"))), "STUDY_BY_AUTHOR");
  EXPECT_EQ(Reason(desk.Do(desk.Study(id, true), desk.As("operator"))), "OK");
}

TEST(RecordFeasibility, OfTheCurrentVersionOnly) {
  Desk desk;
  const std::string id = desk.Submitted(kCase);
  auto study = desk.Study(id, true);
  desk.Must(Desk::Revision(id));
  EXPECT_EQ(Reason(desk.Do(study, desk.As("operator"))), "PROJECT_VERSION_CHANGED");
}

TEST(AppealProject, WithinThePeriodAndOnce) {
  Desk desk;
  const std::string id = Reach(desk, v1::PROJECT_STATE_REFUSED).project_id;
  EXPECT_EQ(desk.Project(id).appeal_until(), "2017-07-30");
  desk.now = absl::FromCivil(absl::CivilMinute(2017, 7, 31, 0, 0), absl::UTCTimeZone());
  EXPECT_EQ(Reason(Appeal(desk, id)), "APPEAL_TOO_LATE");
  desk.now = absl::FromCivil(absl::CivilMinute(2017, 7, 30, 23, 59), absl::UTCTimeZone());
  EXPECT_EQ(Reason(Appeal(desk, id)), "OK");

  desk.now = absl::FromCivil(absl::CivilMinute(2017, 12, 1, 9, 0), absl::UTCTimeZone());
  desk.Decided(id, v1::VOTE_VALUE_AGAINST);
  EXPECT_EQ(desk.Project(id).state(), v1::PROJECT_STATE_REFUSED);
  EXPECT_EQ(desk.Project(id).appeal_until(), "");
  EXPECT_EQ(Reason(Appeal(desk, id)), "APPEAL_USED");
}

TEST(AppealProject, NotWhereTheCommitteeHasNoAppeal) {
  Desk desk;
  auto committee = FiveSeats();
  committee.set_appeal_period_days(0);
  desk.Must(committee);
  const std::string id = Reach(desk, v1::PROJECT_STATE_REFUSED).project_id;
  EXPECT_EQ(Reason(Appeal(desk, id)), "APPEAL_TOO_LATE");
}

TEST(AppealProject, NotBesideALiveProjectOfTheKind) {
  Desk desk;
  const std::string id = Reach(desk, v1::PROJECT_STATE_REFUSED).project_id;
  const std::string other = desk.Draft(kCase);
  EXPECT_EQ(Reason(Appeal(desk, id)), "LIVE_PROJECT_EXISTS");
  desk.Must(Desk::On<v1::WithdrawProjectRequest>(other));
  EXPECT_EQ(Reason(Appeal(desk, id)), "OK");
  EXPECT_EQ(Reason(desk.Do(Desk::DraftOf(kCase))), "LIVE_PROJECT_EXISTS");
}

TEST(AppealProject, NotOfAClosedCase) {
  Desk desk;
  const std::string id = Reach(desk, v1::PROJECT_STATE_REFUSED).project_id;
  desk.MoveCase(kCase, v1::CASE_STANDING_CLOSED);
  EXPECT_EQ(Reason(Appeal(desk, id)), "CASE_NOT_READY");
}

TEST(Erasure, ClearsTheFreeTextsAndEndsWhatIsOpen) {
  for (const Row& row : Table()) {
    SCOPED_TRACE(v1::ProjectState_Name(row.state));
    Desk desk;
    const std::string id = Reach(desk, row.state).project_id;
    desk.Erase(kCase);
    v1::LifeProject project = desk.Project(id);
    const bool decided =
        row.state == v1::PROJECT_STATE_APPROVED || row.state == v1::PROJECT_STATE_REFUSED;
    EXPECT_EQ(project.state(), decided ? row.state : v1::PROJECT_STATE_WITHDRAWN);
    EXPECT_TRUE(project.erased());
    const std::string before = project.SerializeAsString();
    crypto::Redact(project);
    EXPECT_EQ(project.SerializeAsString(), before) << "a personal field was left";
  }
}

// --- Budgets ---

absl::Status SubmitContent(const v1::ProjectContent& content) {
  Desk desk;
  desk.AssessCase(kCase);
  auto request = Desk::DraftOf(kCase);
  *request.mutable_content() = content;
  if (auto drafted = desk.Do(request); !drafted.ok()) return drafted;
  return Submit(desk, desk.world.Last<v1::ProjectDrafted>()->project_id());
}

TEST(Budget, ItemsEqualRequestedAndOwn) {
  EXPECT_EQ(Reason(SubmitContent(PoultryFarm())), "OK");
  auto content = PoultryFarm();
  content.mutable_requested()->set_minor_units(600'001);
  EXPECT_EQ(Reason(SubmitContent(content)), "BUDGET_DOES_NOT_ADD_UP");
  content.mutable_requested()->set_minor_units(599'999);
  EXPECT_EQ(Reason(SubmitContent(content)), "BUDGET_DOES_NOT_ADD_UP");
  content = PoultryFarm();
  content.clear_own_contributions();
  EXPECT_EQ(Reason(SubmitContent(content)), "BUDGET_DOES_NOT_ADD_UP");
}

TEST(Budget, OneCurrency) {
  auto content = PoultryFarm();
  content.mutable_items(1)->mutable_unit_price()->set_currency("XAF");
  const absl::Status status = SubmitContent(content);
  EXPECT_EQ(Reason(status), "MONEY");
  EXPECT_THAT(status::FieldsOf(status), ElementsAre("content.items[1].unit_price.currency"));
  content = PoultryFarm();
  content.mutable_requested()->set_currency("XOF");
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
  content = PoultryFarm();
  content.mutable_own_contributions(0)->mutable_amount()->set_currency("XAF");
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
}

TEST(Budget, AmountsArePositive) {
  for (const std::int64_t amount :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    auto content = PoultryFarm();
    content.mutable_items(0)->mutable_unit_price()->set_minor_units(amount);
    EXPECT_EQ(Reason(SubmitContent(content)), "AMOUNT_NOT_POSITIVE") << amount;
    content = PoultryFarm();
    content.mutable_requested()->set_minor_units(amount);
    EXPECT_EQ(Reason(SubmitContent(content)), "AMOUNT_NOT_POSITIVE") << amount;
    content = PoultryFarm();
    content.mutable_own_contributions(0)->mutable_amount()->set_minor_units(amount);
    EXPECT_EQ(Reason(SubmitContent(content)), "AMOUNT_NOT_POSITIVE") << amount;
  }
}

TEST(Budget, SumsDoNotWrapAround) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  auto content = PoultryFarm();
  content.mutable_items(0)->mutable_unit_price()->set_minor_units(most);
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
  content.mutable_items(0)->set_quantity(1);
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
  // Half of 2^64 from each side would come to the same in wrapping arithmetic.
  content = PoultryFarm();
  content.mutable_requested()->set_minor_units(most);
  content.mutable_own_contributions(0)->mutable_amount()->set_minor_units(most);
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
}

TEST(Budget, UnknownCurrency) {
  auto content = PoultryFarm();
  for (auto& item : *content.mutable_items()) item.mutable_unit_price()->set_currency("USD");
  content.mutable_requested()->set_currency("USD");
  content.mutable_own_contributions(0)->mutable_amount()->set_currency("USD");
  EXPECT_EQ(Reason(SubmitContent(content)), "MONEY");
}

}  // namespace
}  // namespace sankofa::validation
