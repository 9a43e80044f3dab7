#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/money/money.h"
#include "services/platform/time/time.h"
#include "services/validation/case_file.h"
#include "services/validation/commands.h"
#include "services/validation/committee.h"
#include "services/validation/life_project.h"
#include "services/validation/session.h"
#include "tests/unit/harness.h"

// The desk at which projects are handled, in memory: every command goes the way that the service has bound it.
// What a step needs to succeed is filled in, so that a test says only what it is about.
namespace sankofa::validation {

using common::v1::Money;
using test::Morning;
using test::Reason;

inline constexpr const char* kCommittee = "cm-france";
inline const std::vector<std::string>& Seats() {
  static const std::vector<std::string> codes = {"embassy", "minrex", "ofii", "anpe", "chamber"};
  return codes;
}

inline v1::Seat SeatOf(const std::string& code, v1::College college,
                       v1::SeatRole role = v1::SEAT_ROLE_MEMBER) {
  v1::Seat seat;
  seat.set_code(code);
  seat.set_college(college);
  seat.set_role(role);
  seat.set_holder_subject(absl::StrCat(code, "-holder"));
  seat.set_deputy_subject(absl::StrCat(code, "-deputy"));
  return seat;
}

// Five voting seats, chaired by the embassy, as the French-Cameroonian committee is.
inline v1::CreateCommitteeRequest FiveSeats() {
  v1::CreateCommitteeRequest request;
  request.set_committee_code(kCommittee);
  request.set_name("Comité franco-camerounais");
  request.set_country("CM");
  *request.add_seats() = SeatOf("embassy", v1::COLLEGE_HOST_STATE, v1::SEAT_ROLE_CHAIR);
  *request.add_seats() = SeatOf("minrex", v1::COLLEGE_ORIGIN_STATE, v1::SEAT_ROLE_DEPUTY_CHAIR);
  *request.add_seats() = SeatOf("ofii", v1::COLLEGE_HOST_STATE);
  *request.add_seats() = SeatOf("anpe", v1::COLLEGE_ORIGIN_STATE);
  *request.add_seats() = SeatOf("chamber", v1::COLLEGE_CIVIL_SOCIETY);
  return request;
}

// Items of 5,000 EUR and 2,000 EUR; 1,000 EUR of one's own; the rest is asked for.
inline v1::ProjectContent PoultryFarm(std::int64_t requested = 600'000) {
  v1::ProjectContent content;
  content.set_title("Élevage de volailles");
  content.set_place("Bafoussam");
  content.set_region("ouest");
  content.set_sector("agriculture");
  content.set_jobs(2);
  auto* chicks = content.add_items();
  chicks->set_label("Poussins");
  chicks->set_quantity(1000);
  *chicks->mutable_unit_price() = money::Of("EUR", 500);
  auto* building = content.add_items();
  building->set_label("Bâtiment");
  building->set_quantity(1);
  *building->mutable_unit_price() = money::Of("EUR", requested - 400'000);
  auto* own = content.add_own_contributions();
  own->set_label("Épargne");
  own->set_form(v1::CONTRIBUTION_FORM_CASH);
  *own->mutable_amount() = money::Of("EUR", 100'000);
  *content.mutable_requested() = money::Of("EUR", requested);
  return content;
}

class Desk {
 public:
  // Apart from the desk, so that a desk can be moved.
  std::unique_ptr<test::World> owned = std::make_unique<test::World>(BindCommands);
  test::World& world = *owned;
  absl::Time now = Morning();

  [[nodiscard]] engine::Context As(const std::string& subject,
                                   std::vector<std::string> roles = {}) const {
    return test::At(now, std::move(roles), subject);
  }
  [[nodiscard]] engine::Context Secretary() const {
    return As("secretary", {"committee_secretary"});
  }

  template <class Request>
  absl::Status Do(const Request& request, const engine::Context& context) {
    return world.Send(request, context);
  }
  // The same as the counsellor who writes the projects.
  template <class Request>
  absl::Status Do(const Request& request) {
    return Do(request, As("author", {"counsellor"}));
  }
  // For steps that lead to what a test is about.
  template <class Request>
  void Must(const Request& request, const engine::Context& context) {
    const absl::Status status = Do(request, context);
    status::Check(status.ok(), Request::descriptor()->name() + ": " + Reason(status));
  }
  template <class Request>
  void Must(const Request& request) {
    Must(request, As("author", {"counsellor"}));
  }

  v1::LifeProject& Project(const std::string& id) { return world.Get<v1::LifeProject>(id); }
  v1::Session& Session(const std::string& id) { return world.Get<v1::Session>(id); }
  v1::CaseFile& File(const std::string& id) { return world.Get<v1::CaseFile>(id); }

  void MoveCase(const std::string& case_id, v1::CaseStanding standing) {
    v1::MoveCaseFileRequest request;
    request.set_case_id(case_id);
    request.set_standing(standing);
    Must(request);
  }
  void AssessCase(const std::string& case_id) {
    v1::OpenCaseFileRequest request;
    request.set_case_id(case_id);
    request.set_reference(absl::StrCat("CM-", case_id));
    request.set_programme("ofii-cameroon-2017");
    request.set_host_country("FR");
    request.set_origin_country("CM");
    request.set_responsible_organisation("agency");
    Must(request);
    MoveCase(case_id, v1::CASE_STANDING_ASSESSED);
  }

  [[nodiscard]] static v1::DraftProjectRequest DraftOf(
      const std::string& case_id, v1::ProjectKind kind = v1::PROJECT_KIND_BUSINESS_CREATION) {
    v1::DraftProjectRequest request;
    request.set_case_id(case_id);
    request.set_kind(kind);
    *request.mutable_content() = PoultryFarm();
    request.set_description("Ce que la personne veut faire.");
    return request;
  }

  // --- A project in each state ---

  std::string Draft(const std::string& case_id = "case-1",
                    const v1::ProjectContent& content = PoultryFarm()) {
    if (!world.Has<v1::CaseFile>(case_id)) AssessCase(case_id);
    auto request = DraftOf(case_id);
    *request.mutable_content() = content;
    Must(request);
    return world.Last<v1::ProjectDrafted>()->project_id();
  }
  template <class Request>
  [[nodiscard]] static Request On(const std::string& project_id) {
    Request request;
    request.set_project_id(project_id);
    return request;
  }
  [[nodiscard]] v1::RecordFeasibilityRequest Study(const std::string& project_id, bool feasible) {
    auto request = On<v1::RecordFeasibilityRequest>(project_id);
    request.set_version(Project(project_id).version());
    request.set_feasible(feasible);
    request.set_reasons("Le marché est porteur.");
    return request;
  }
  [[nodiscard]] static v1::ReviseProjectRequest Revision(const std::string& project_id) {
    auto request = On<v1::ReviseProjectRequest>(project_id);
    *request.mutable_content() = PoultryFarm(550'000);
    return request;
  }
  std::string Submitted(const std::string& case_id = "case-1",
                        const v1::ProjectContent& content = PoultryFarm()) {
    const std::string id = Draft(case_id, content);
    Must(On<v1::SubmitProjectRequest>(id));
    return id;
  }
  std::string Feasible(const std::string& case_id = "case-1",
                       const v1::ProjectContent& content = PoultryFarm()) {
    const std::string id = Submitted(case_id, content);
    Must(Study(id, true), As("operator", {"counsellor"}));
    return id;
  }

  // --- Sittings ---

  void CreateCommittee() {
    if (!world.Has<v1::Committee>(kCommittee)) Must(FiveSeats());
  }
  [[nodiscard]] v1::ScheduleSessionRequest SessionToday() const {
    v1::ScheduleSessionRequest request;
    request.set_committee_code(kCommittee);
    request.set_date(time::FormatDay(time::DayOf(now)));
    request.set_place("Yaoundé");
    return request;
  }
  std::string Scheduled(std::optional<Money> cap = std::nullopt) {
    CreateCommittee();
    auto request = SessionToday();
    if (cap) *request.mutable_cap() = *cap;
    Must(request, Secretary());
    return world.Last<v1::SessionScheduled>()->session_id();
  }
  // Any command on a sitting that also names a project, or does not.
  template <class Request>
  [[nodiscard]] static Request At(const std::string& session_id, const std::string& project_id) {
    Request request;
    request.set_session_id(session_id);
    if constexpr (requires { request.set_project_id(project_id); }) {
      request.set_project_id(project_id);
    }
    return request;
  }
  void Add(const std::string& session_id, const std::string& project_id) {
    Must(At<v1::AddToAgendaRequest>(session_id, project_id), Secretary());
  }
  // Opens with these seats held by their holders.
  [[nodiscard]] static v1::OpenSessionRequest Opening(
      const std::string& session_id, const std::vector<std::string>& present = Seats()) {
    v1::OpenSessionRequest request;
    request.set_session_id(session_id);
    for (const std::string& code : present) {
      auto* attendance = request.add_attendance();
      attendance->set_seat_code(code);
      attendance->set_presence(v1::PRESENCE_HOLDER);
    }
    return request;
  }
  void Open(const std::string& session_id, const std::vector<std::string>& present = Seats()) {
    Must(Opening(session_id, present), Secretary());
  }
  [[nodiscard]] static v1::RecordAttendanceRequest Attendance(const std::string& session_id,
                                                              const std::string& seat,
                                                              v1::Presence presence) {
    v1::RecordAttendanceRequest request;
    request.set_session_id(session_id);
    request.mutable_attendance()->set_seat_code(seat);
    request.mutable_attendance()->set_presence(presence);
    return request;
  }
  [[nodiscard]] static v1::CastVoteRequest VoteOf(const std::string& session_id,
                                                  const std::string& project_id,
                                                  const std::string& seat, v1::VoteValue value) {
    auto request = At<v1::CastVoteRequest>(session_id, project_id);
    request.set_seat_code(seat);
    request.set_value(value);
    return request;
  }
  absl::Status Vote(const std::string& session_id, const std::string& project_id,
                    const std::string& seat, v1::VoteValue value) {
    return Do(VoteOf(session_id, project_id, seat, value),
              As(absl::StrCat(seat, "-holder"), {"committee_member"}));
  }
  // All five seats vote the same.
  void AllVote(const std::string& session_id, const std::string& project_id, v1::VoteValue value) {
    for (const std::string& seat : Seats()) {
      const absl::Status status = Vote(session_id, project_id, seat, value);
      status::Check(status.ok(), Reason(status));
    }
  }
  [[nodiscard]] static v1::DeclareInterestRequest Interest(const std::string& session_id,
                                                           const std::string& project_id,
                                                           const std::string& seat) {
    auto request = At<v1::DeclareInterestRequest>(session_id, project_id);
    request.set_seat_code(seat);
    return request;
  }
  [[nodiscard]] static v1::DecideProjectRequest Decision(const std::string& session_id,
                                                         const std::string& project_id) {
    return At<v1::DecideProjectRequest>(session_id, project_id);
  }
  // A sitting of its own that decides as told.
  std::string Decided(const std::string& project_id, v1::VoteValue value) {
    const std::string session_id = Scheduled();
    Add(session_id, project_id);
    Open(session_id);
    AllVote(session_id, project_id, value);
    auto decision = Decision(session_id, project_id);
    if (value == v1::VOTE_VALUE_AGAINST) decision.set_reason("Pas de marché.");
    Must(decision, Secretary());
    return session_id;
  }
  void Close(const std::string& session_id) {
    Must(At<v1::CloseSessionRequest>(session_id, ""), Secretary());
  }
  void Erase(const std::string& case_id) {
    v1::EraseCaseFileRequest request;
    request.set_case_id(case_id);
    Must(request);
  }
};

// A project brought to `state` by commands alone, and the sitting that it was before last, if any.
struct Reached {
  std::string project_id;
  std::string session_id;
};
inline Reached Reach(Desk& desk, v1::ProjectState state) {
  switch (state) {
    case v1::PROJECT_STATE_DRAFT: return {desk.Draft(), desk.Scheduled()};
    case v1::PROJECT_STATE_SUBMITTED: return {desk.Submitted(), desk.Scheduled()};
    case v1::PROJECT_STATE_FEASIBLE: return {desk.Feasible(), desk.Scheduled()};
    case v1::PROJECT_STATE_NOT_FEASIBLE: {
      const std::string id = desk.Submitted();
      desk.Must(desk.Study(id, false), desk.As("operator"));
      return {id, desk.Scheduled()};
    }
    case v1::PROJECT_STATE_IN_COMMITTEE: {
      const std::string id = desk.Feasible();
      const std::string session = desk.Scheduled();
      desk.Add(session, id);
      return {id, session};
    }
    case v1::PROJECT_STATE_APPROVED: {
      const std::string id = desk.Feasible();
      return {id, desk.Decided(id, v1::VOTE_VALUE_FOR)};
    }
    case v1::PROJECT_STATE_ADJOURNED: {
      const std::string id = desk.Feasible();
      return {id, desk.Decided(id, v1::VOTE_VALUE_ADJOURN)};
    }
    case v1::PROJECT_STATE_REFUSED: {
      const std::string id = desk.Feasible();
      return {id, desk.Decided(id, v1::VOTE_VALUE_AGAINST)};
    }
    case v1::PROJECT_STATE_APPEALED: {
      const Reached refused = Reach(desk, v1::PROJECT_STATE_REFUSED);
      desk.Must(Desk::On<v1::AppealProjectRequest>(refused.project_id));
      return refused;
    }
    case v1::PROJECT_STATE_WITHDRAWN: {
      const std::string id = desk.Draft();
      desk.Must(Desk::On<v1::WithdrawProjectRequest>(id));
      return {id, desk.Scheduled()};
    }
    default: status::Fail("no such state");
  }
}

}  // namespace sankofa::validation
