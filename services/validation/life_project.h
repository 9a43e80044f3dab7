#pragma once

#include <vector>

#include "sankofa/validation/v1/life_project.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/engine/decider.h"

// A life project, from the draft to the committee's decision:
//
//   DRAFT → SUBMITTED → FEASIBLE | NOT_FEASIBLE
//   FEASIBLE → IN_COMMITTEE → APPROVED | ADJOURNED | REFUSED
//   ADJOURNED → IN_COMMITTEE; REFUSED → APPEALED → IN_COMMITTEE, once
//   any submitted state but REFUSED → SUBMITTED with the next version
//   any state but REFUSED → WITHDRAWN
//
// What happens in a sitting is decided by the sitting (session.h), which gives its events to the project.
namespace sankofa::validation {

inline constexpr int kVersionsMax = 50;
inline constexpr int kAuthorsMax = 20;

struct LifeProjectDecider {
  using State = v1::LifeProject;
  using EventTypes =
      engine::EventTypes<v1::ProjectDrafted, v1::ProjectDraftUpdated, v1::ProjectRevised,
                         v1::ProjectSubmitted, v1::ProjectFoundFeasible,
                         v1::ProjectFoundNotFeasible, v1::ProjectScheduled, v1::ProjectUnscheduled,
                         v1::ProjectApproved, v1::ProjectAdjourned, v1::ProjectRefused,
                         v1::ProjectAppealed, v1::ProjectWithdrawn, v1::ProjectErased>;

  // These five touch the case's CaseFile: it must be ready, and has one live project of a kind.
  static engine::Decision Decide(const State& project, const v1::DraftProjectRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::SubmitProjectRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::ReviseProjectRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::AppealProjectRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::WithdrawProjectRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::UpdateDraftRequest& request,
                                 const engine::Context& context);
  static engine::Decision Decide(const State& project, const v1::RecordFeasibilityRequest& request,
                                 const engine::Context& context);

  static void Apply(State& project, const v1::ProjectDrafted& event);
  static void Apply(State& project, const v1::ProjectDraftUpdated& event);
  static void Apply(State& project, const v1::ProjectRevised& event);
  static void Apply(State& project, const v1::ProjectSubmitted& event);
  static void Apply(State& project, const v1::ProjectFoundFeasible& event);
  static void Apply(State& project, const v1::ProjectFoundNotFeasible& event);
  static void Apply(State& project, const v1::ProjectScheduled& event);
  static void Apply(State& project, const v1::ProjectUnscheduled& event);
  static void Apply(State& project, const v1::ProjectApproved& event);
  static void Apply(State& project, const v1::ProjectAdjourned& event);
  static void Apply(State& project, const v1::ProjectRefused& event);
  static void Apply(State& project, const v1::ProjectAppealed& event);
  static void Apply(State& project, const v1::ProjectWithdrawn& event);
  static void Apply(State& project, const v1::ProjectErased& event);

  // One row of `life_project`, for ListProjects.
  static const engine::Table& ProjectTable();
  static std::vector<engine::Row> Project(const State& project);
};

}  // namespace sankofa::validation
