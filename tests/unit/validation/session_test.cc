#include "services/validation/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "services/validation/voting.h"
#include "tests/unit/validation/desk.h"

namespace sankofa::validation {
namespace {

using ::testing::ElementsAre;

constexpr const char* kCase = "case-1";

// A sitting in each state, with one project on its agenda and a second one that is feasible.
struct Sitting {
  Desk desk;
  std::string project;
  std::string second;
  std::string session;
};

Sitting Begin(std::optional<Money> cap = std::nullopt) {
  Sitting sitting;
  Desk& desk = sitting.desk;
  sitting.project = desk.Feasible(kCase);
  sitting.second = desk.Feasible("case-2");
  sitting.session = desk.Scheduled(cap);
  desk.Add(sitting.session, sitting.project);
  return sitting;
}

Sitting BeginOpen(std::optional<Money> cap = std::nullopt) {
  Sitting sitting = Begin(cap);
  sitting.desk.Add(sitting.session, sitting.second);
  sitting.desk.Open(sitting.session);
  return sitting;
}

Sitting In(v1::SessionState state) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  if (state == v1::SESSION_STATE_CANCELLED) {
    desk.Must(Desk::At<v1::CancelSessionRequest>(sitting.session, ""), desk.Secretary());
  }
  if (state == v1::SESSION_STATE_OPEN || state == v1::SESSION_STATE_CLOSED) {
    desk.Open(sitting.session);
    EXPECT_TRUE(desk.Vote(sitting.session, sitting.project, "embassy", v1::VOTE_VALUE_FOR).ok());
  }
  if (state == v1::SESSION_STATE_CLOSED) desk.Close(sitting.session);
  return sitting;
}

using Command = std::function<absl::Status(Sitting&)>;

template <class Request>
Command Plain(bool second = false) {
  return [second](Sitting& sitting) {
    return sitting.desk.Do(
        Desk::At<Request>(sitting.session, second ? sitting.second : sitting.project),
        sitting.desk.Secretary());
  };
}

struct Row {
  const char* name;
  Command command;
  const char* scheduled;
  const char* open;
};

std::vector<Row> Table() {
  return {
      {"AddToAgenda", Plain<v1::AddToAgendaRequest>(true), "OK", "SESSION_NOT_SCHEDULED"},
      {"RemoveFromAgenda", Plain<v1::RemoveFromAgendaRequest>(), "OK", "SESSION_NOT_SCHEDULED"},
      {"CancelSession", Plain<v1::CancelSessionRequest>(), "OK", "SESSION_NOT_SCHEDULED"},
      {"OpenSession",
       [](Sitting& s) { return s.desk.Do(Desk::Opening(s.session), s.desk.Secretary()); }, "OK",
       "SESSION_NOT_SCHEDULED"},
      {"RecordAttendance",
       [](Sitting& s) {
         return s.desk.Do(Desk::Attendance(s.session, "ofii", v1::PRESENCE_ABSENT),
                          s.desk.Secretary());
       },
       "SESSION_NOT_OPEN", "OK"},
      {"DeclareInterest",
       [](Sitting& s) {
         return s.desk.Do(Desk::Interest(s.session, s.project, "ofii"), s.desk.Secretary());
       },
       "SESSION_NOT_OPEN", "OK"},
      {"CastVote",
       [](Sitting& s) { return s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR); },
       "SESSION_NOT_OPEN", "OK"},
      {"MarkApplicantAbsent", Plain<v1::MarkApplicantAbsentRequest>(), "SESSION_NOT_OPEN",
       "VOTE_STARTED"},
      {"DecideProject", Plain<v1::DecideProjectRequest>(), "SESSION_NOT_OPEN", "OK"},
      {"CloseSession", Plain<v1::CloseSessionRequest>(), "SESSION_NOT_OPEN", "OK"},
  };
}

void Expect(v1::SessionState state, const Row& row, const char* expected) {
  SCOPED_TRACE(absl::StrCat(v1::SessionState_Name(state), " × ", row.name));
  Sitting sitting = In(state);
  ASSERT_EQ(sitting.desk.Session(sitting.session).state(), state);
  const std::string before = sitting.desk.Session(sitting.session).SerializeAsString();
  const std::string project = sitting.desk.Project(sitting.project).SerializeAsString();
  EXPECT_EQ(Reason(row.command(sitting)), expected);
  if (std::string(expected) != "OK") {
    EXPECT_EQ(sitting.desk.Session(sitting.session).SerializeAsString(), before);
    EXPECT_EQ(sitting.desk.Project(sitting.project).SerializeAsString(), project);
  }
}

TEST(Session, EveryCommandInEveryState) {
  for (const Row& row : Table()) {
    Expect(v1::SESSION_STATE_SCHEDULED, row, row.scheduled);
    Expect(v1::SESSION_STATE_OPEN, row, row.open);
    Expect(v1::SESSION_STATE_CLOSED, row, "SESSION_CLOSED");
    Expect(v1::SESSION_STATE_CANCELLED, row, "SESSION_CANCELLED");
    Sitting none;
    none.session = "nothing";
    EXPECT_TRUE(absl::IsNotFound(row.command(none))) << row.name;
  }
}

// --- Planning ---

TEST(ScheduleSession, NeedsACommitteeAndADayToCome) {
  Desk desk;
  EXPECT_EQ(Reason(desk.Do(desk.SessionToday(), desk.Secretary())), "COMMITTEE_UNKNOWN");
  desk.CreateCommittee();
  auto request = desk.SessionToday();
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "OK");
  request.set_date("2017-06-29");
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "SESSION_DATE_PASSED");
  request.set_date("2017-02-30");
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "INVALID_FIELD");
  request = desk.SessionToday();
  *request.mutable_cap() = money::Of("EUR", 0);
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "AMOUNT_NOT_POSITIVE");
}

TEST(ScheduleSession, TakesTheCommitteesCapUnlessItHasItsOwn) {
  Desk desk;
  auto committee = FiveSeats();
  *committee.mutable_default_cap() = money::Of("EUR", 7'000'000);
  desk.Must(committee);
  EXPECT_EQ(desk.Session(desk.Scheduled()).cap().minor_units(), 7'000'000);
  EXPECT_EQ(desk.Session(desk.Scheduled(money::Of("EUR", 5))).cap().minor_units(), 5);
}

TEST(AddToAgenda, RecordsTheVersionAndItsHash) {
  Sitting sitting = Begin();
  const v1::AgendaItem& item = sitting.desk.Session(sitting.session).agenda(0);
  const v1::LifeProject& project = sitting.desk.Project(sitting.project);
  EXPECT_EQ(item.version(), 1);
  EXPECT_EQ(item.content_hash(), project.versions(0).content_hash());
  EXPECT_EQ(item.requested().minor_units(), 600'000);
  EXPECT_EQ(item.case_reference(), "CM-case-1");
  EXPECT_EQ(project.state(), v1::PROJECT_STATE_IN_COMMITTEE);
  EXPECT_EQ(project.session_id(), sitting.session);
}

TEST(AddToAgenda, CurrenciesMustBeTheSame) {
  Desk desk;
  const std::string project = desk.Feasible(kCase);
  const std::string in_francs = desk.Scheduled(money::Of("XAF", 40'000'000));
  EXPECT_EQ(Reason(desk.Do(Desk::At<v1::AddToAgendaRequest>(in_francs, project), desk.Secretary())),
            "CURRENCY_DIFFERS");
  const std::string session = desk.Scheduled();
  auto request = Desk::At<v1::AddToAgendaRequest>(session, project);
  *request.mutable_ceiling() = money::Of("XAF", 700'000);
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "CURRENCY_DIFFERS");
  *request.mutable_ceiling() = money::Of("EUR", -1);
  EXPECT_EQ(Reason(desk.Do(request, desk.Secretary())), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Reason(desk.Do(Desk::At<v1::AddToAgendaRequest>(session, "nothing"), desk.Secretary())),
            "PROJECT_UNKNOWN");
}

TEST(AddToAgenda, OnOneAgendaAtATime) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  const std::string other = desk.Scheduled();
  EXPECT_EQ(
      Reason(desk.Do(Desk::At<v1::AddToAgendaRequest>(other, sitting.project), desk.Secretary())),
      "PROJECT_NOT_SCHEDULABLE");
}

TEST(AddToAgenda, SoManyAndNoMore) {
  Desk desk;
  const std::string session = desk.Scheduled();
  for (int i = 0; i < kAgendaMax; ++i) desk.Add(session, desk.Feasible(absl::StrCat("case-", i)));
  const std::string project = desk.Feasible("case-too-many");
  EXPECT_EQ(Reason(desk.Do(Desk::At<v1::AddToAgendaRequest>(session, project), desk.Secretary())),
            "AGENDA_FULL");
}

TEST(AddToAgenda, ARevisedProjectTakesItsOldItemsPlace) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  desk.Must(Desk::Revision(sitting.project));
  desk.Must(desk.Study(sitting.project, true), desk.As("operator"));
  desk.Add(sitting.session, sitting.project);
  const v1::Session& session = desk.Session(sitting.session);
  ASSERT_EQ(session.agenda_size(), 1);
  EXPECT_EQ(session.agenda(0).version(), 2);
}

TEST(RemoveFromAgenda, TheProjectStandsWhereItStoodBefore) {
  for (const auto state :
       {v1::PROJECT_STATE_FEASIBLE, v1::PROJECT_STATE_ADJOURNED, v1::PROJECT_STATE_APPEALED}) {
    Desk desk;
    const std::string project = Reach(desk, state).project_id;
    const std::string session = desk.Scheduled();
    desk.Add(session, project);
    desk.Must(Desk::At<v1::RemoveFromAgendaRequest>(session, project), desk.Secretary());
    EXPECT_EQ(desk.Project(project).state(), state);
    EXPECT_EQ(desk.Project(project).session_id(), "");
    EXPECT_TRUE(desk.Session(session).agenda().empty());
    EXPECT_EQ(
        Reason(desk.Do(Desk::At<v1::RemoveFromAgendaRequest>(session, project), desk.Secretary())),
        "PROJECT_NOT_ON_AGENDA");
  }
}

TEST(RemoveFromAgenda, AnItemWhoseProjectWentOnLeavesTheProjectAlone) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  desk.Must(Desk::On<v1::WithdrawProjectRequest>(sitting.project));
  desk.Must(Desk::At<v1::RemoveFromAgendaRequest>(sitting.session, sitting.project),
            desk.Secretary());
  EXPECT_EQ(desk.Project(sitting.project).state(), v1::PROJECT_STATE_WITHDRAWN);
}

TEST(CancelSession, FreesItsProjects) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  desk.Add(sitting.session, sitting.second);
  desk.Must(Desk::On<v1::WithdrawProjectRequest>(sitting.second));
  desk.Must(Desk::At<v1::CancelSessionRequest>(sitting.session, ""), desk.Secretary());
  EXPECT_EQ(desk.Project(sitting.project).state(), v1::PROJECT_STATE_FEASIBLE);
  EXPECT_EQ(desk.Project(sitting.second).state(), v1::PROJECT_STATE_WITHDRAWN);
}

// --- Opening ---

absl::Status OpenWith(const std::vector<std::string>& present) {
  Sitting sitting = Begin();
  return sitting.desk.Do(Desk::Opening(sitting.session, present), sitting.desk.Secretary());
}

TEST(OpenSession, NeedsQuorumAndWhoPresides) {
  EXPECT_EQ(Reason(OpenWith({"embassy", "minrex", "chamber"})), "OK");
  EXPECT_EQ(Reason(OpenWith({"embassy", "minrex"})), "QUORUM_NOT_REACHED");
  // Three of five, but nobody of the state of origin; then nobody of the host state.
  EXPECT_EQ(Reason(OpenWith({"embassy", "ofii", "chamber"})), "QUORUM_NOT_REACHED");
  EXPECT_EQ(Reason(OpenWith({"minrex", "anpe", "chamber"})), "QUORUM_NOT_REACHED");
  EXPECT_EQ(Reason(OpenWith({"ofii", "anpe", "chamber"})), "PRESIDING_SEAT_ABSENT");
}

TEST(OpenSession, NotBeforeItsDayAndNotWithoutAgenda) {
  Desk desk;
  desk.CreateCommittee();
  auto request = desk.SessionToday();
  request.set_date("2017-07-01");
  desk.Must(request, desk.Secretary());
  const std::string session = desk.world.Last<v1::SessionScheduled>()->session_id();
  EXPECT_EQ(Reason(desk.Do(Desk::Opening(session), desk.Secretary())), "SESSION_NOT_DUE");
  desk.now += absl::Hours(24);
  EXPECT_EQ(Reason(desk.Do(Desk::Opening(session), desk.Secretary())), "AGENDA_EMPTY");
  desk.Add(session, desk.Feasible());
  EXPECT_EQ(Reason(desk.Do(Desk::Opening(session), desk.Secretary())), "OK");
}

TEST(OpenSession, HostileAttendance) {
  EXPECT_EQ(Reason(OpenWith({"embassy", "minrex", "ofii", "nobody"})), "SEAT_UNKNOWN");
  EXPECT_EQ(Reason(OpenWith({"embassy", "minrex", "minrex"})), "INVALID_FIELD");
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  v1::VacateSeatRequest vacate;
  vacate.set_committee_code(kCommittee);
  vacate.set_seat_code("chamber");
  desk.Must(vacate);
  EXPECT_EQ(Reason(desk.Do(Desk::Opening(sitting.session), desk.Secretary())), "SEAT_VACANT");
  v1::AppointSeatRequest appoint;
  appoint.set_committee_code(kCommittee);
  *appoint.mutable_seat() = SeatOf("chamber", v1::COLLEGE_CIVIL_SOCIETY);
  appoint.mutable_seat()->clear_deputy_subject();
  desk.Must(appoint);
  auto opening = Desk::Opening(sitting.session);
  opening.mutable_attendance(4)->set_presence(v1::PRESENCE_DEPUTY);
  EXPECT_EQ(Reason(desk.Do(opening, desk.Secretary())), "DEPUTY_UNKNOWN");
}

TEST(OpenSession, VacantSeatsDoNotCount) {
  Sitting sitting = Begin();
  Desk& desk = sitting.desk;
  for (const char* code : {"ofii", "chamber"}) {
    v1::VacateSeatRequest vacate;
    vacate.set_committee_code(kCommittee);
    vacate.set_seat_code(code);
    desk.Must(vacate);
  }
  EXPECT_EQ(
      Reason(desk.Do(Desk::Opening(sitting.session, {"embassy", "minrex"}), desk.Secretary())),
      "OK");
  EXPECT_EQ(desk.Session(sitting.session).seats_size(), 3);
}

// --- Votes ---

TEST(CastVote, OneVoteASeat) {
  Sitting s = BeginOpen();
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR)), "OK");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR)), "ALREADY_VOTED");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_AGAINST)),
            "ALREADY_VOTED");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.second, "ofii", v1::VOTE_VALUE_FOR)), "OK");
}

TEST(CastVote, ByWhoSitsThereAndNobodyElse) {
  Sitting s = BeginOpen();
  const auto vote = Desk::VoteOf(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR);
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As("anpe-holder"))), "NOT_SEAT_HOLDER");
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As("ofii-deputy"))), "NOT_SEAT_HOLDER");
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As(""))), "NOT_SEAT_HOLDER");
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.Secretary())), "NOT_SEAT_HOLDER");

  s.desk.Must(Desk::Attendance(s.session, "ofii", v1::PRESENCE_DEPUTY), s.desk.Secretary());
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As("ofii-holder"))), "NOT_SEAT_HOLDER");
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As("ofii-deputy"))), "OK");
  // The holder comes back and finds that the seat has voted.
  s.desk.Must(Desk::Attendance(s.session, "ofii", v1::PRESENCE_HOLDER), s.desk.Secretary());
  EXPECT_EQ(Reason(s.desk.Do(vote, s.desk.As("ofii-holder"))), "ALREADY_VOTED");
}

TEST(CastVote, NotForAnAbsentOrUnknownSeat) {
  Sitting s = BeginOpen();
  s.desk.Must(Desk::Attendance(s.session, "ofii", v1::PRESENCE_ABSENT), s.desk.Secretary());
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR)), "SEAT_ABSENT");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "nobody", v1::VOTE_VALUE_FOR)),
            "SEAT_UNKNOWN");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, "nothing", "anpe", v1::VOTE_VALUE_FOR)),
            "PROJECT_NOT_ON_AGENDA");
}

TEST(CastVote, NotWithAnInterestAndAVoteBeforeIsVoid) {
  Sitting s = BeginOpen();
  s.desk.Must(Desk::Interest(s.session, s.project, "ofii"), s.desk.As("ofii-holder"));
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.project, "ofii", v1::VOTE_VALUE_FOR)),
            "INTEREST_DECLARED");
  EXPECT_EQ(Reason(s.desk.Vote(s.session, s.second, "ofii", v1::VOTE_VALUE_FOR)), "OK");
  s.desk.Must(Desk::Interest(s.session, s.second, "ofii"), s.desk.Secretary());
  EXPECT_EQ(FindItem(s.desk.Session(s.session), s.second)->votes_size(), 0);
  EXPECT_EQ(Reason(s.desk.Do(Desk::Interest(s.session, s.second, "anpe"),
                             s.desk.As("ofii-holder", {"committee_member"}))),
            "NOT_SEAT_HOLDER");
  EXPECT_EQ(Reason(s.desk.Do(Desk::Interest(s.session, s.second, "nobody"), s.desk.Secretary())),
            "SEAT_UNKNOWN");
}

TEST(CastVote, NotForASeatWithoutAVote) {
  Desk desk;
  auto committee = FiveSeats();
  auto observer = SeatOf("observer", v1::COLLEGE_OPERATORS);
  observer.set_without_vote(true);
  *committee.add_seats() = observer;
  desk.Must(committee);
  const std::string project = desk.Feasible();
  const std::string session = desk.Scheduled();
  desk.Add(session, project);
  auto opening = Desk::Opening(session);
  opening.add_attendance()->set_seat_code("observer");
  opening.mutable_attendance(5)->set_presence(v1::PRESENCE_HOLDER);
  desk.Must(opening, desk.Secretary());
  EXPECT_EQ(Reason(desk.Vote(session, project, "observer", v1::VOTE_VALUE_FOR)),
            "SEAT_HAS_NO_VOTE");
}

TEST(CastVote, ProposedAmountGoesWithForAndStaysWithinTheRequest) {
  Sitting s = BeginOpen();
  const auto propose = [&s](const Money& amount, v1::VoteValue value) {
    auto vote = Desk::VoteOf(s.session, s.project, "ofii", value);
    *vote.mutable_proposed_amount() = amount;
    return Reason(s.desk.Do(vote, s.desk.As("ofii-holder")));
  };
  EXPECT_EQ(propose(money::Of("EUR", 1), v1::VOTE_VALUE_AGAINST), "AMOUNT_WITHOUT_APPROVAL");
  EXPECT_EQ(propose(money::Of("EUR", 0), v1::VOTE_VALUE_FOR), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(propose(money::Of("XAF", 1), v1::VOTE_VALUE_FOR), "CURRENCY_DIFFERS");
  EXPECT_EQ(propose(money::Of("EUR", 600'001), v1::VOTE_VALUE_FOR), "AMOUNT_OVER_REQUEST");
  EXPECT_EQ(propose(money::Of("EUR", 600'000), v1::VOTE_VALUE_FOR), "OK");
}

// --- Decisions ---

std::string Decide(Sitting& s, const std::string& project, const v1::DecideProjectRequest& base) {
  auto request = base;
  request.set_session_id(s.session);
  request.set_project_id(project);
  return Reason(s.desk.Do(request, s.desk.Secretary()));
}

void VoteAll(Sitting& s, const std::string& project,
             const std::vector<std::pair<std::string, v1::VoteValue>>& votes) {
  for (const auto& [seat, value] : votes) {
    ASSERT_EQ(Reason(s.desk.Vote(s.session, project, seat, value)), "OK");
  }
}

TEST(DecideProject, ApprovesWhatIsAskedForUnlessToldOtherwise) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  v1::DecideProjectRequest request;
  request.add_conditions("Facture du fournisseur");
  EXPECT_EQ(Decide(s, s.project, request), "OK");
  const auto* event = s.desk.world.Last<v1::ProjectApproved>();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->amount().minor_units(), 600'000);
  EXPECT_EQ(event->programme(), "ofii-cameroon-2017");
  EXPECT_EQ(event->sector(), "agriculture");
  EXPECT_EQ(event->session_id(), s.session);
  EXPECT_EQ(event->version(), 1);
  EXPECT_THAT(event->conditions(), ElementsAre("Facture du fournisseur"));
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_APPROVED);
  EXPECT_EQ(s.desk.Project(s.project).approved_amount().minor_units(), 600'000);
  EXPECT_EQ(Decide(s, s.project, request), "PROJECT_DECIDED");
}

TEST(DecideProject, ByTheSeatThatPresidesOrTheSecretary) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  const auto decision = Desk::Decision(s.session, s.project);
  EXPECT_EQ(Reason(s.desk.Do(decision, s.desk.As("ofii-holder"))), "NOT_PRESIDING");
  EXPECT_EQ(Reason(s.desk.Do(decision, s.desk.As("minrex-holder"))), "NOT_PRESIDING");
  EXPECT_EQ(Reason(s.desk.Do(decision, s.desk.As(""))), "NOT_PRESIDING");
  EXPECT_EQ(Reason(s.desk.Do(decision, s.desk.As("embassy-holder"))), "OK");
  // With the chair interested in a project, the deputy chair presides over it.
  s.desk.AllVote(s.session, s.second, v1::VOTE_VALUE_FOR);
  s.desk.Must(Desk::Interest(s.session, s.second, "embassy"), s.desk.As("embassy-holder"));
  const auto second = Desk::Decision(s.session, s.second);
  EXPECT_EQ(Reason(s.desk.Do(second, s.desk.As("embassy-holder"))), "NOT_PRESIDING");
  EXPECT_EQ(Reason(s.desk.Do(second, s.desk.As("minrex-holder"))), "OK");
}

TEST(DecideProject, NeedsTheQuorumOfSeatsWithoutAnInterest) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  s.desk.Must(Desk::Interest(s.session, s.project, "chamber"), s.desk.Secretary());
  s.desk.Must(Desk::Interest(s.session, s.project, "ofii"), s.desk.Secretary());
  EXPECT_EQ(Decide(s, s.project, {}), "OK");  // 3 of 5

  s.desk.AllVote(s.session, s.second, v1::VOTE_VALUE_FOR);
  for (const char* seat : {"chamber", "ofii", "anpe"}) {
    s.desk.Must(Desk::Interest(s.session, s.second, seat), s.desk.Secretary());
  }
  EXPECT_EQ(Decide(s, s.second, {}), "QUORUM_NOT_REACHED");  // 2 of 5, never 2 of 2
}

TEST(DecideProject, NeedsEachStateWithoutAnInterest) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  for (const char* seat : {"minrex", "anpe"}) {
    s.desk.Must(Desk::Interest(s.session, s.project, seat), s.desk.Secretary());
  }
  EXPECT_EQ(Decide(s, s.project, {}), "QUORUM_NOT_REACHED");
}

TEST(DecideProject, QuorumIsOfThoseWhoAreThereNow) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  for (const char* seat : {"chamber", "ofii", "anpe"}) {
    s.desk.Must(Desk::Attendance(s.session, seat, v1::PRESENCE_ABSENT), s.desk.Secretary());
  }
  EXPECT_EQ(Decide(s, s.project, {}), "QUORUM_NOT_REACHED");
  s.desk.Must(Desk::Attendance(s.session, "ofii", v1::PRESENCE_DEPUTY), s.desk.Secretary());
  EXPECT_EQ(Decide(s, s.project, {}), "OK");
}

TEST(DecideProject, OnlyTheFrozenVersion) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  s.desk.Must(Desk::Revision(s.project));
  EXPECT_EQ(Decide(s, s.project, {}), "PROJECT_VERSION_CHANGED");
  EXPECT_EQ(Reason(s.desk.Do(Desk::At<v1::MarkApplicantAbsentRequest>(s.session, s.project),
                             s.desk.Secretary())),
            "PROJECT_VERSION_CHANGED");
  // Found feasible, put before another sitting: still not this one's to decide.
  s.desk.Must(s.desk.Study(s.project, true), s.desk.As("operator"));
  const std::string later = s.desk.Scheduled();
  s.desk.Add(later, s.project);
  EXPECT_EQ(Decide(s, s.project, {}), "PROJECT_VERSION_CHANGED");
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_IN_COMMITTEE);
}

TEST(DecideProject, NotAWithdrawnOne) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  s.desk.Must(Desk::On<v1::WithdrawProjectRequest>(s.project));
  EXPECT_EQ(Decide(s, s.project, {}), "PROJECT_NOT_IN_COMMITTEE");
}

TEST(DecideProject, NoApprovalForACaseThatIsClosed) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  s.desk.MoveCase(kCase, v1::CASE_STANDING_CLOSED);
  EXPECT_EQ(Decide(s, s.project, {}), "CASE_NOT_READY");
}

TEST(DecideProject, WithoutVotesThereIsNoDecision) {
  Sitting s = BeginOpen();
  EXPECT_EQ(Decide(s, s.project, {}), "VOTES_MISSING");
}

TEST(DecideProject, TheAnnouncedOutcomeMustBeTheVotes) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  v1::DecideProjectRequest request;
  request.set_expected_outcome(v1::AGENDA_OUTCOME_REFUSED);
  EXPECT_EQ(Decide(s, s.project, request), "OUTCOME_DIFFERS");
  request.set_expected_outcome(v1::AGENDA_OUTCOME_APPROVED);
  EXPECT_EQ(Decide(s, s.project, request), "OK");
}

TEST(DecideProject, ATieGoesToWhoPresides) {
  const auto f = v1::VOTE_VALUE_FOR;
  const auto a = v1::VOTE_VALUE_AGAINST;
  const auto j = v1::VOTE_VALUE_ADJOURN;
  struct Case {
    std::vector<std::pair<std::string, v1::VoteValue>> votes;
    std::string reason;
    v1::AgendaOutcome outcome;
  };
  const std::vector<Case> table = {
      {{{"embassy", f}, {"minrex", a}}, "OK", v1::AGENDA_OUTCOME_APPROVED},
      {{{"embassy", a}, {"minrex", f}}, "OK", v1::AGENDA_OUTCOME_REFUSED},
      {{{"embassy", j}, {"minrex", f}}, "OK", v1::AGENDA_OUTCOME_ADJOURNED},
      {{{"ofii", f}, {"minrex", a}}, "CASTING_VOTE_MISSING", v1::AGENDA_OUTCOME_UNSPECIFIED},
      {{{"embassy", a}, {"ofii", f}, {"minrex", f}}, "OK", v1::AGENDA_OUTCOME_APPROVED},
      {{{"embassy", f}, {"ofii", a}, {"minrex", a}}, "OK", v1::AGENDA_OUTCOME_REFUSED},
      // No majority and no tie: it comes back.
      {{{"embassy", f}, {"ofii", f}, {"minrex", a}, {"anpe", j}, {"chamber", j}},
       "OK",
       v1::AGENDA_OUTCOME_ADJOURNED},
      {{{"embassy", j}, {"ofii", j}, {"minrex", f}}, "OK", v1::AGENDA_OUTCOME_ADJOURNED},
      {{{"embassy", f}, {"ofii", f}, {"minrex", a}, {"anpe", j}},
       "OK",
       v1::AGENDA_OUTCOME_APPROVED},
      {{{"embassy", j}, {"ofii", f}, {"minrex", f}, {"anpe", a}},
       "OK",
       v1::AGENDA_OUTCOME_ADJOURNED},
  };
  for (const Case& one : table) {
    Sitting s = BeginOpen();
    VoteAll(s, s.project, one.votes);
    v1::DecideProjectRequest request;
    request.set_reason("Le motif.");
    EXPECT_EQ(Decide(s, s.project, request), one.reason);
    EXPECT_EQ(FindItem(s.desk.Session(s.session), s.project)->outcome(), one.outcome);
  }
}

TEST(DecideProject, WithTheChairAbsentTheDeputyChairsVoteBreaksTheTie) {
  Sitting s = BeginOpen();
  s.desk.Must(Desk::Attendance(s.session, "embassy", v1::PRESENCE_ABSENT), s.desk.Secretary());
  VoteAll(s, s.project, {{"minrex", v1::VOTE_VALUE_AGAINST}, {"ofii", v1::VOTE_VALUE_FOR}});
  v1::DecideProjectRequest request;
  request.set_reason("Le motif.");
  EXPECT_EQ(Decide(s, s.project, request), "OK");
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_REFUSED);
}

TEST(DecideProject, ARefusalNeedsAReasonAndFreesTheCase) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_AGAINST);
  EXPECT_EQ(Decide(s, s.project, {}), "DECISION_REASON_MISSING");
  v1::DecideProjectRequest request;
  request.set_reason("Pas de marché.");
  *request.mutable_amount() = money::Of("EUR", 1);
  EXPECT_EQ(Decide(s, s.project, request), "AMOUNT_WITHOUT_APPROVAL");
  request.clear_amount();
  request.add_conditions("Facture");
  EXPECT_EQ(Decide(s, s.project, request), "AMOUNT_WITHOUT_APPROVAL");
  request.clear_conditions();
  EXPECT_EQ(Decide(s, s.project, request), "OK");
  EXPECT_EQ(s.desk.Project(s.project).decision().reason(), "Pas de marché.");
  EXPECT_FALSE(HasLiveProject(s.desk.File(kCase), v1::PROJECT_KIND_BUSINESS_CREATION));
}

TEST(DecideProject, TheAmountStaysWithinRequestCeilingVotesAndCap) {
  Sitting s;
  s.project = s.desk.Feasible(kCase);
  s.second = s.desk.Feasible("case-2");
  s.session = s.desk.Scheduled(money::Of("EUR", 800'000));
  auto add = Desk::At<v1::AddToAgendaRequest>(s.session, s.project);
  *add.mutable_ceiling() = money::Of("EUR", 550'000);
  s.desk.Must(add, s.desk.Secretary());
  s.desk.Add(s.session, s.second);
  s.desk.Open(s.session);
  for (const auto& [seat, amount] : std::vector<std::pair<std::string, std::int64_t>>{
           {"embassy", 580'000}, {"minrex", 500'000}, {"ofii", 520'000}}) {
    auto vote = Desk::VoteOf(s.session, s.project, seat, v1::VOTE_VALUE_FOR);
    *vote.mutable_proposed_amount() = money::Of("EUR", amount);
    s.desk.Must(vote, s.desk.As(seat + "-holder"));
  }
  const auto with = [](const Money& amount) {
    v1::DecideProjectRequest request;
    *request.mutable_amount() = amount;
    return request;
  };
  EXPECT_EQ(Decide(s, s.project, with(money::Of("EUR", 600'001))), "AMOUNT_OVER_REQUEST");
  EXPECT_EQ(Decide(s, s.project, with(money::Of("EUR", 550'001))), "AMOUNT_OVER_CEILING");
  EXPECT_EQ(Decide(s, s.project, with(money::Of("EUR", 520'001))), "AMOUNT_NOT_SUPPORTED");
  EXPECT_EQ(Decide(s, s.project, with(money::Of("XAF", 1))), "CURRENCY_DIFFERS");
  EXPECT_EQ(Decide(s, s.project, with(money::Of("EUR", 0))), "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Decide(s, s.project, with(money::Of("EUR", std::numeric_limits<int64_t>::min()))),
            "AMOUNT_NOT_POSITIVE");
  EXPECT_EQ(Decide(s, s.project, {}), "OK");
  EXPECT_EQ(s.desk.Project(s.project).approved_amount().minor_units(), 520'000);

  s.desk.AllVote(s.session, s.second, v1::VOTE_VALUE_FOR);
  EXPECT_EQ(Decide(s, s.second, {}), "CAP_EXCEEDED");
  EXPECT_EQ(Decide(s, s.second, with(money::Of("EUR", 280'001))), "CAP_EXCEEDED");
  EXPECT_EQ(Decide(s, s.second, with(money::Of("EUR", 280'000))), "OK");
  EXPECT_EQ(s.desk.Session(s.session).approved_totals(0).minor_units(), 800'000);
}

TEST(DecideProject, WithoutAnAmountTheCeilingHolds) {
  Sitting s;
  s.project = s.desk.Feasible(kCase);
  s.session = s.desk.Scheduled();
  auto add = Desk::At<v1::AddToAgendaRequest>(s.session, s.project);
  *add.mutable_ceiling() = money::Of("EUR", 400'000);
  s.desk.Must(add, s.desk.Secretary());
  s.desk.Open(s.session);
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  EXPECT_EQ(Decide(s, s.project, {}), "OK");
  EXPECT_EQ(s.desk.Project(s.project).approved_amount().minor_units(), 400'000);
}

TEST(MarkApplicantAbsent, AdjournsWithoutAVote) {
  Sitting s = BeginOpen();
  s.desk.Must(Desk::At<v1::MarkApplicantAbsentRequest>(s.session, s.project), s.desk.Secretary());
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_ADJOURNED);
  EXPECT_TRUE(FindItem(s.desk.Session(s.session), s.project)->applicant_absent());
  EXPECT_EQ(s.desk.world.Last<v1::ProjectAdjourned>()->cause(),
            v1::ADJOURNMENT_CAUSE_APPLICANT_ABSENT);
}

TEST(Adjourned, ComesBackAtALaterSitting) {
  Desk desk;
  const std::string project = Reach(desk, v1::PROJECT_STATE_ADJOURNED).project_id;
  desk.Decided(project, v1::VOTE_VALUE_FOR);
  EXPECT_EQ(desk.Project(project).state(), v1::PROJECT_STATE_APPROVED);
}

TEST(Erasure, LeavesAnOpenSittingThatCanBeClosed) {
  Sitting s = BeginOpen();
  s.desk.AllVote(s.session, s.project, v1::VOTE_VALUE_FOR);
  s.desk.Erase(kCase);
  EXPECT_EQ(Decide(s, s.project, {}), "PROJECT_NOT_IN_COMMITTEE");
  s.desk.Close(s.session);
  EXPECT_EQ(FindItem(s.desk.Session(s.session), s.project)->outcome(), v1::AGENDA_OUTCOME_DROPPED);
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_WITHDRAWN);
}

TEST(CloseSession, AdjournsWhatIsNotDecidedAndDropsWhatChanged) {
  Sitting s = BeginOpen();
  s.desk.Must(Desk::Revision(s.second));
  EXPECT_EQ(
      Reason(s.desk.Do(Desk::At<v1::CloseSessionRequest>(s.session, ""), s.desk.As("ofii-holder"))),
      "NOT_PRESIDING");
  s.desk.Must(Desk::At<v1::CloseSessionRequest>(s.session, ""), s.desk.As("embassy-holder"));
  EXPECT_EQ(s.desk.Project(s.project).state(), v1::PROJECT_STATE_ADJOURNED);
  EXPECT_EQ(s.desk.Project(s.second).state(), v1::PROJECT_STATE_SUBMITTED);
  const auto* event = s.desk.world.Last<v1::SessionClosed>();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->examined(), 1);
  EXPECT_EQ(event->adjourned(), 1);
  EXPECT_EQ(event->approved(), 0);
}

TEST(RecordAttendance, OfSeatsThatAreThere) {
  Sitting s = BeginOpen();
  EXPECT_EQ(Reason(s.desk.Do(Desk::Attendance(s.session, "nobody", v1::PRESENCE_HOLDER),
                             s.desk.Secretary())),
            "SEAT_UNKNOWN");
  s.desk.Must(Desk::Attendance(s.session, "ofii", v1::PRESENCE_HOLDER), s.desk.Secretary());
  EXPECT_TRUE(s.desk.world.last().empty());
}

}  // namespace
}  // namespace sankofa::validation
