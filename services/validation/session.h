#pragma once

#include "absl/status/status.h"
#include "sankofa/validation/v1/session.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_internal.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/engine/decider.h"

// A sitting of a committee: SCHEDULED → OPEN → CLOSED, or SCHEDULED → CANCELLED.
//
// Planned, it collects projects: each goes on the agenda with the version that it has then (session_agenda.cc). Opened,
// it takes over the committee's seats and rules; members declare interests and vote, and each project is decided in the
// same commit in which it changes state (session_sitting.cc). Closed, its minutes are frozen and nothing changes.
//
// This is where G9 is kept: a decision needs the quorum without the seats that have an interest, counts no vote of
// theirs, and holds for the version on the agenda only.
namespace sankofa::validation {

inline constexpr int kAgendaMax = 60;

struct SessionDecider {
  using State = v1::Session;
  using EventTypes =
      engine::EventTypes<v1::SessionScheduled, v1::AgendaItemAdded, v1::AgendaItemRemoved,
                         v1::SessionCancelled, v1::SessionOpened, v1::AttendanceRecorded,
                         v1::InterestDeclared, v1::VoteCast, v1::AgendaItemDecided,
                         v1::SessionClosed>;

  // Touches the Committee.
  static engine::Decision Decide(const State& session, const v1::ScheduleSessionRequest& request,
                                 const engine::Context& context);
  // These three touch the LifeProject, or all on the agenda.
  static engine::Decision Decide(const State& session, const v1::AddToAgendaRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& session, const v1::RemoveFromAgendaRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& session, const v1::CancelSessionRequest& request,
                                 const engine::Context& context);

  // Touches the Committee.
  static engine::Decision Decide(const State& session, const v1::OpenSessionRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& session, const v1::RecordAttendanceRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& session, const v1::DeclareInterestRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& session, const v1::CastVoteRequest& request,
                                 const engine::Context& context);
  // A vote that was cast at a partner's node: by the same rules. Touches the ForwardedVote, which gets the answer.
  static engine::Decision Decide(const State& session, const v1::ReceiveVoteRequest& request,
                                 const engine::Context& context);
  // Touches the LifeProject.
  static engine::Decision Decide(const State& session,
                                 const v1::MarkApplicantAbsentRequest& request,
                                 const engine::Context& context);
  // Touches the LifeProject and the CaseFile.
  static engine::Decision Decide(const State& session, const v1::DecideProjectRequest& request,
                                 const engine::Context& context);
  // Touches all LifeProjects on the agenda.
  static engine::Decision Decide(const State& session, const v1::CloseSessionRequest& request,
                                 const engine::Context& context);

  static void Apply(State& session, const v1::SessionScheduled& event);
  static void Apply(State& session, const v1::AgendaItemAdded& event);
  static void Apply(State& session, const v1::AgendaItemRemoved& event);
  static void Apply(State& session, const v1::SessionCancelled& event);
  static void Apply(State& session, const v1::SessionOpened& event);
  static void Apply(State& session, const v1::AttendanceRecorded& event);
  static void Apply(State& session, const v1::InterestDeclared& event);
  static void Apply(State& session, const v1::VoteCast& event);
  static void Apply(State& session, const v1::AgendaItemDecided& event);
  static void Apply(State& session, const v1::SessionClosed& event);
};

namespace internal {

// Refuses unless the sitting is in `needed`, SCHEDULED or OPEN, with the reason that tells where it is.
[[nodiscard]] absl::Status NeedState(const v1::Session& session, v1::SessionState needed);

// True where the project is before this sitting now, also with another version than the one on the agenda.
[[nodiscard]] bool IsBefore(const v1::Session& session, const v1::LifeProject& project);

}  // namespace internal
}  // namespace sankofa::validation
