#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "services/validation/minutes.h"
#include "tests/unit/validation/desk.h"

// Random people send random commands to random projects and sittings. Whatever they send and in whatever order, after
// every command the guarantees hold; they are counted here again, in another way than the deciders count.
namespace sankofa::validation {
namespace {

constexpr int kCases = 3;

// Evenly from `from` to below `to`, at any size: a small case is a short one, not one that always takes the first choice.
int Between(int from, int to) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(from, to));
}
int Pick(int below) { return Between(0, below); }
bool Chance(int percent) { return Pick(100) < percent; }

template <class T>
const T& One(const std::vector<T>& all) {
  return all[static_cast<size_t>(Pick(static_cast<int>(all.size())))];
}

// What each step may do to a project; any other step from one state to another is a broken guarantee.
const std::map<v1::ProjectState, std::set<v1::ProjectState>>& Steps() {
  static const std::map<v1::ProjectState, std::set<v1::ProjectState>> steps = {
      {v1::PROJECT_STATE_DRAFT, {v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_SUBMITTED,
       {v1::PROJECT_STATE_FEASIBLE, v1::PROJECT_STATE_NOT_FEASIBLE, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_FEASIBLE,
       {v1::PROJECT_STATE_IN_COMMITTEE, v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_NOT_FEASIBLE, {v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_IN_COMMITTEE,
       {v1::PROJECT_STATE_APPROVED, v1::PROJECT_STATE_ADJOURNED, v1::PROJECT_STATE_REFUSED,
        v1::PROJECT_STATE_FEASIBLE, v1::PROJECT_STATE_APPEALED, v1::PROJECT_STATE_SUBMITTED,
        v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_APPROVED, {v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_ADJOURNED,
       {v1::PROJECT_STATE_IN_COMMITTEE, v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_REFUSED, {v1::PROJECT_STATE_APPEALED}},
      {v1::PROJECT_STATE_APPEALED,
       {v1::PROJECT_STATE_IN_COMMITTEE, v1::PROJECT_STATE_SUBMITTED, v1::PROJECT_STATE_WITHDRAWN}},
      {v1::PROJECT_STATE_WITHDRAWN, {}},
  };
  return steps;
}

class Crowd {
 public:
  Crowd() {
    for (int i = 0; i < kCases; ++i) desk_.AssessCase(absl::StrCat("case-", i));
    CreateCommittee();
    (void)Plan();
    for (int i = 0; i < kCases; ++i) {
      projects_.push_back(desk_.Feasible(absl::StrCat("case-", i)));
      (void)desk_.Do(Desk::At<v1::AddToAgendaRequest>(sessions_[0], projects_.back()),
                     desk_.Secretary());
    }
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Remember();
      (void)Step();
      CheckAll();
    }
  }

  // How often each outcome came up, so that a test can tell that it tested something.
  [[nodiscard]] int decided() const { return decided_; }

 private:
  void CreateCommittee() {
    v1::CreateCommitteeRequest request;
    request.set_committee_code(kCommittee);
    request.set_country("CM");
    const int seats = Between(2, 8);
    for (int i = 0; i < seats; ++i) {
      const auto college =
          i < 2 ? static_cast<v1::College>(i + 1) : static_cast<v1::College>(Between(1, 5));
      const auto role = i == 0   ? v1::SEAT_ROLE_CHAIR
                        : i == 1 ? v1::SEAT_ROLE_DEPUTY_CHAIR
                                 : v1::SEAT_ROLE_MEMBER;
      v1::Seat seat = SeatOf(absl::StrCat("seat-", i), college, role);
      seat.set_without_vote(i > 1 && Chance(15));
      if (Chance(20)) seat.clear_deputy_subject();
      codes_.push_back(seat.code());
      *request.add_seats() = seat;
    }
    if (Chance(30)) request.mutable_quorum()->set_more_than_thousandths(Between(0, 1000));
    desk_.Must(request);
  }

  absl::Status Step() {
    // Mostly sittings: that is where the guarantees are.
    switch (Pick(16)) {
      case 0: return Draft();
      case 1: return WithProject(Pick(4));
      case 2: return Advance();
      case 3: return Plan();
      case 4:
      case 5: return Add();
      case 6: return OpenSession();
      case 7: return Attend();
      case 8: return Declare();
      case 9:
      case 10:
      case 11:
      case 12: return Vote();
      case 13:
      case 14: return Decide();
      default: return Rare();
    }
  }

  // Mostly a sitting that is open, where there is one.
  std::string SomeSession() {
    std::vector<std::string> open;
    for (const std::string& id : sessions_) {
      if (desk_.Session(id).state() == v1::SESSION_STATE_OPEN) open.push_back(id);
    }
    return open.empty() || Chance(20) ? One(sessions_) : One(open);
  }

  absl::Status Draft() {
    const std::string case_id = absl::StrCat("case-", Pick(kCases));
    const auto kind = static_cast<v1::ProjectKind>(Between(1, 3));
    auto request = Desk::DraftOf(case_id, kind);
    *request.mutable_content() = PoultryFarm(450'000 + 10'000 * Pick(20));
    const absl::Status status = desk_.Do(request);
    if (status.ok()) projects_.push_back(desk_.world.Last<v1::ProjectDrafted>()->project_id());
    return status;
  }
  // The next step that brings a project towards a sitting.
  absl::Status Advance() {
    if (projects_.empty()) return Draft();
    const std::string& id = One(projects_);
    if (desk_.Project(id).state() == v1::PROJECT_STATE_DRAFT) {
      return desk_.Do(Desk::On<v1::SubmitProjectRequest>(id));
    }
    return desk_.Do(desk_.Study(id, Chance(85)), desk_.As(Chance(90) ? "operator" : "author"));
  }
  absl::Status WithProject(int what) {
    if (projects_.empty()) return Draft();
    const std::string& id = One(projects_);
    if (what == 0 && Chance(40)) return desk_.Do(Desk::Revision(id));
    if (what == 1) return desk_.Do(Desk::On<v1::AppealProjectRequest>(id));
    if (what == 2 && Chance(30)) return desk_.Do(Desk::On<v1::WithdrawProjectRequest>(id));
    return desk_.Do(Desk::On<v1::SubmitProjectRequest>(id));
  }
  absl::Status Plan() {
    const auto waiting = std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& id) {
      return desk_.Session(id).state() == v1::SESSION_STATE_SCHEDULED;
    });
    if (waiting >= 2) return OpenSession();
    auto request = desk_.SessionToday();
    if (Chance(60)) *request.mutable_cap() = money::Of("EUR", 400'000 + 100'000 * Pick(12));
    const absl::Status status = desk_.Do(request, desk_.Secretary());
    if (status.ok()) sessions_.push_back(desk_.world.Last<v1::SessionScheduled>()->session_id());
    return status;
  }
  absl::Status Add() {
    if (projects_.empty() || sessions_.empty()) return Plan();
    auto request = Desk::At<v1::AddToAgendaRequest>(One(sessions_), One(projects_));
    if (Chance(30)) *request.mutable_ceiling() = money::Of("EUR", 300'000 + 100'000 * Pick(6));
    return desk_.Do(request, desk_.Secretary());
  }
  absl::Status OpenSession() {
    if (sessions_.empty()) return Plan();
    v1::OpenSessionRequest request;
    std::vector<std::string> ready;
    for (const std::string& id : sessions_) {
      const v1::Session& one = desk_.Session(id);
      if (one.state() == v1::SESSION_STATE_SCHEDULED && !one.agenda().empty()) ready.push_back(id);
    }
    request.set_session_id(ready.empty() || Chance(10) ? One(sessions_) : One(ready));
    for (const std::string& code : codes_) {
      auto* attendance = request.add_attendance();
      attendance->set_seat_code(code);
      attendance->set_presence(Chance(80) ? v1::PRESENCE_HOLDER : AnyPresence());
    }
    return desk_.Do(request, desk_.Secretary());
  }
  static v1::Presence AnyPresence() { return static_cast<v1::Presence>(Between(1, 4)); }
  absl::Status Attend() {
    if (sessions_.empty()) return Plan();
    const auto presence = Chance(60) ? v1::PRESENCE_HOLDER : AnyPresence();
    return desk_.Do(Desk::Attendance(SomeSession(), One(codes_), presence), desk_.Secretary());
  }
  // Somebody of the committee, sometimes the wrong one, sometimes the secretary.
  engine::Context Somebody(const std::string& seat) {
    const int who = Pick(10);
    if (who == 0) return desk_.Secretary();
    const std::string& of = who == 1 ? One(codes_) : seat;
    return desk_.As(absl::StrCat(of, who < 4 ? "-deputy" : "-holder"), {"committee_member"});
  }
  // Mostly a project that waits for its decision, sometimes any.
  std::string ProjectOf(const std::string& session_id) {
    const auto& agenda = desk_.Session(session_id).agenda();
    if (agenda.empty() || Chance(5)) return projects_.empty() ? "nothing" : One(projects_);
    std::vector<std::string> waiting;
    for (const v1::AgendaItem& item : agenda) {
      if (item.outcome() == v1::AGENDA_OUTCOME_UNSPECIFIED) waiting.push_back(item.project_id());
    }
    if (waiting.empty() || Chance(10)) return agenda.Get(Pick(agenda.size())).project_id();
    return One(waiting);
  }
  absl::Status Declare() {
    if (sessions_.empty()) return Plan();
    const std::string session = SomeSession();
    const std::string& seat = One(codes_);
    return desk_.Do(Desk::Interest(session, ProjectOf(session), seat), Somebody(seat));
  }
  absl::Status Vote() {
    if (sessions_.empty()) return Plan();
    const std::string session = SomeSession();
    const std::string& seat = One(codes_);
    const auto value = Chance(60) ? v1::VOTE_VALUE_FOR : static_cast<v1::VoteValue>(Between(1, 4));
    auto request = Desk::VoteOf(session, ProjectOf(session), seat, value);
    if (Chance(20)) *request.mutable_proposed_amount() = money::Of("EUR", 100'000 * Pick(8));
    return desk_.Do(request, Somebody(seat));
  }
  absl::Status Decide() {
    if (sessions_.empty()) return Plan();
    const std::string session = SomeSession();
    auto request = Desk::Decision(session, ProjectOf(session));
    request.set_reason("Motif.");
    if (Chance(30)) *request.mutable_amount() = money::Of("EUR", 50'000 * Pick(16));
    const absl::Status status =
        desk_.Do(request, Chance(80) ? desk_.Secretary() : Somebody("seat-0"));
    if (status.ok()) CheckDecision(request);
    return status;
  }
  absl::Status Rare() {
    if (sessions_.empty()) return Plan();
    const std::string session = SomeSession();
    switch (Pick(8)) {
      case 0: return desk_.Do(Desk::At<v1::CloseSessionRequest>(session, ""), Somebody("seat-0"));
      case 1:
        return desk_.Do(Desk::At<v1::MarkApplicantAbsentRequest>(session, ProjectOf(session)),
                        desk_.Secretary());
      case 2:
        return desk_.Do(Desk::At<v1::RemoveFromAgendaRequest>(session, ProjectOf(session)),
                        desk_.Secretary());
      case 3:
        return Chance(20)
                   ? desk_.Do(Desk::At<v1::CancelSessionRequest>(session, ""), desk_.Secretary())
                   : absl::OkStatus();
      case 4: {
        v1::MoveCaseFileRequest request;
        request.set_case_id(absl::StrCat("case-", Pick(kCases)));
        request.set_standing(static_cast<v1::CaseStanding>(Between(2, 5)));
        return desk_.Do(request);
      }
      default: {
        v1::EraseCaseFileRequest request;
        request.set_case_id(absl::StrCat("case-", Pick(kCases)));
        return Chance(5) ? desk_.Do(request) : absl::OkStatus();
      }
    }
  }

  // --- What must hold ---

  void Remember() {
    before_projects_.clear();
    before_sessions_.clear();
    for (const v1::LifeProject* one : desk_.world.All<v1::LifeProject>()) {
      before_projects_[one->id()] = *one;
    }
    for (const v1::Session* one : desk_.world.All<v1::Session>())
      before_sessions_[one->id()] = *one;
  }

  // G9, at the moment of a decision, from the state before it.
  void CheckDecision(const v1::DecideProjectRequest& request) {
    ++decided_;
    const v1::Session& session = before_sessions_.at(request.session_id());
    const v1::LifeProject& project = before_projects_.at(request.project_id());
    const auto item = std::find_if(
        session.agenda().begin(), session.agenda().end(),
        [&](const v1::AgendaItem& one) { return one.project_id() == request.project_id(); });
    RC_ASSERT(item != session.agenda().end());
    RC_ASSERT(session.state() == v1::SESSION_STATE_OPEN);
    RC_ASSERT(project.state() == v1::PROJECT_STATE_IN_COMMITTEE);
    RC_ASSERT(project.session_id() == session.id());
    RC_ASSERT(project.version() == item->version());
    RC_ASSERT(project.versions(project.versions_size() - 1).content_hash() == item->content_hash());

    const std::set<std::string> interested(item->interested_seats().begin(),
                                           item->interested_seats().end());
    std::map<int, int> free_by_college;
    int voting = 0;
    int free = 0;
    for (const v1::SessionSeat& one : session.seats()) {
      if (one.seat().without_vote()) continue;
      ++voting;
      const bool there =
          one.presence() == v1::PRESENCE_HOLDER || one.presence() == v1::PRESENCE_DEPUTY;
      if (!there || interested.contains(one.seat().code())) continue;
      ++free;
      ++free_by_college[one.seat().college()];
    }
    RC_ASSERT(free * 1000 > voting * session.quorum().more_than_thousandths());
    for (const int college : session.quorum().colleges()) RC_ASSERT(free_by_college[college] > 0);

    int in_favour = 0;
    int against = 0;
    for (const v1::Vote& vote : item->votes()) {
      RC_ASSERT(!interested.contains(vote.seat_code()));
      in_favour += vote.value() == v1::VOTE_VALUE_FOR ? 1 : 0;
      against += vote.value() == v1::VOTE_VALUE_AGAINST ? 1 : 0;
    }
    const int cast = item->votes_size();
    const auto state = desk_.Project(request.project_id()).state();
    if (state == v1::PROJECT_STATE_APPROVED) {
      RC_ASSERT(2 * in_favour >= cast && in_favour > 0);
      int supporters = 0;
      const std::int64_t amount =
          desk_.Project(request.project_id()).approved_amount().minor_units();
      for (const v1::Vote& vote : item->votes()) {
        if (vote.value() != v1::VOTE_VALUE_FOR) continue;
        const bool supports =
            !vote.has_proposed_amount() || vote.proposed_amount().minor_units() >= amount;
        supporters += supports ? 1 : 0;
      }
      RC_ASSERT(2 * supporters > in_favour);
    }
    if (state == v1::PROJECT_STATE_REFUSED) RC_ASSERT(2 * against >= cast && against > 0);
  }

  void CheckAll() {
    for (const v1::LifeProject* one : desk_.world.All<v1::LifeProject>()) CheckProject(*one);
    for (const v1::Session* one : desk_.world.All<v1::Session>()) CheckSession(*one);
    for (const v1::CaseFile* one : desk_.world.All<v1::CaseFile>()) CheckFile(*one);
  }

  void CheckProject(const v1::LifeProject& project) {
    const auto before = before_projects_.find(project.id());
    if (before == before_projects_.end()) {
      RC_ASSERT(project.state() == v1::PROJECT_STATE_DRAFT);
      return;
    }
    const v1::LifeProject& old = before->second;
    const bool erased_now = project.erased() && !old.erased();
    if (project.state() != old.state() && !erased_now) {
      RC_ASSERT(Steps().at(old.state()).contains(project.state()));
    }
    // Versions only grow, and what was frozen stays as it was.
    RC_ASSERT(project.versions_size() >= old.versions_size());
    for (int i = 0; i < old.versions_size(); ++i) {
      RC_ASSERT(project.versions(i).SerializeAsString() == old.versions(i).SerializeAsString());
    }
    RC_ASSERT(project.version() == project.versions_size());
    RC_ASSERT(!old.has_appeal() || old.state() != v1::PROJECT_STATE_REFUSED ||
              project.state() == v1::PROJECT_STATE_REFUSED);
    if (project.state() == v1::PROJECT_STATE_APPROVED && !project.erased()) {
      RC_ASSERT(project.approved_version() == project.version());
    }
  }

  void CheckSession(const v1::Session& session) {
    const auto before = before_sessions_.find(session.id());
    const bool over =
        before != before_sessions_.end() && (before->second.state() == v1::SESSION_STATE_CLOSED ||
                                             before->second.state() == v1::SESSION_STATE_CANCELLED);
    if (over) RC_ASSERT(session.SerializeAsString() == before->second.SerializeAsString());

    std::int64_t approved = 0;
    std::set<std::string> projects;
    for (const v1::AgendaItem& item : session.agenda()) {
      RC_ASSERT(projects.insert(item.project_id()).second);
      std::set<std::string> voted;
      for (const v1::Vote& vote : item.votes()) {
        RC_ASSERT(voted.insert(vote.seat_code()).second);
        RC_ASSERT(vote.subject() == vote.seat_code() + "-holder" ||
                  vote.subject() == vote.seat_code() + "-deputy");
      }
      for (const std::string& seat : item.interested_seats()) RC_ASSERT(!voted.contains(seat));
      if (item.outcome() != v1::AGENDA_OUTCOME_APPROVED) continue;
      RC_ASSERT(item.approved().minor_units() > 0);
      RC_ASSERT(item.approved().minor_units() <= item.requested().minor_units());
      if (item.has_ceiling()) {
        RC_ASSERT(item.approved().minor_units() <= item.ceiling().minor_units());
      }
      approved += item.approved().minor_units();
    }
    RC_ASSERT(
        (session.approved_totals_size() == 0 ? 0 : session.approved_totals(0).minor_units()) ==
        approved);
    if (session.has_cap()) RC_ASSERT(approved <= session.cap().minor_units());
    if (session.state() != v1::SESSION_STATE_CLOSED) return;
    for (const v1::AgendaItem& item : session.agenda()) {
      RC_ASSERT(item.outcome() != v1::AGENDA_OUTCOME_UNSPECIFIED);
    }
    RC_ASSERT(session.minutes().hash() == MinutesHash(session.minutes()));
  }

  // The file knows every project of the case, which of them is live, and one of a kind is.
  void CheckFile(const v1::CaseFile& file) {
    std::map<int, int> live;
    int known = 0;
    for (const v1::LifeProject* project : desk_.world.All<v1::LifeProject>()) {
      if (project->case_id() != file.id()) continue;
      ++known;
      const auto entry = std::find_if(
          file.projects().begin(), file.projects().end(),
          [&](const v1::CaseProject& one) { return one.project_id() == project->id(); });
      RC_ASSERT(entry != file.projects().end());
      const bool ended = project->state() == v1::PROJECT_STATE_REFUSED ||
                         project->state() == v1::PROJECT_STATE_WITHDRAWN;
      if (!file.erased()) RC_ASSERT(entry->live() == !ended);
      if (entry->live()) ++live[project->kind()];
    }
    RC_ASSERT(known == file.projects_size());
    for (const auto& [kind, projects] : live) RC_ASSERT(projects == 1);
  }

  Desk desk_;
  std::vector<std::string> codes_;
  std::vector<std::string> projects_;
  std::vector<std::string> sessions_;
  std::map<std::string, v1::LifeProject> before_projects_;
  std::map<std::string, v1::Session> before_sessions_;
  int decided_ = 0;
};

TEST(GuaranteeProperty, HoldWhateverTheCrowdDoes) {
  int decided = 0;
  const bool held = rc::check([&decided] {
    Crowd crowd;
    crowd.Run(Between(100, 600));
    decided += crowd.decided();
  });
  EXPECT_TRUE(held);
  EXPECT_GT(decided, 50) << "hardly anything was decided: the guarantees were not put to the test";
}

}  // namespace
}  // namespace sankofa::validation
