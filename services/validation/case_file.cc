#include "services/validation/case_file.h"

#include <algorithm>

#include "services/platform/time/time.h"

namespace sankofa::validation {

using engine::Context;
using engine::Decision;
using engine::Events;

bool IsReady(const v1::CaseFile& file) {
  return !file.erased() && (file.standing() == v1::CASE_STANDING_ASSESSED ||
                            file.standing() == v1::CASE_STANDING_REINTEGRATING);
}

bool HasLiveProject(const v1::CaseFile& file, v1::ProjectKind kind) {
  return std::any_of(
      file.projects().begin(), file.projects().end(),
      [kind](const v1::CaseProject& one) { return one.live() && one.kind() == kind; });
}

Decision CaseFileDecider::Decide(const State& file, const v1::OpenCaseFileRequest& request,
                                 const Context& /*context*/) {
  if (file.erased()) return Events();
  // An event that was put aside and comes late fills what is empty, and changes nothing.
  const bool late = request.sequence() < file.header_sequence();
  const auto given = [late](const std::string& now, const std::string& before) {
    return now.empty() || (late && !before.empty()) ? before : now;
  };
  v1::CaseFileOpened event;
  event.set_case_id(request.case_id());
  event.set_reference(given(request.reference(), file.reference()));
  event.set_programme(given(request.programme(), file.programme()));
  event.set_host_country(given(request.host_country(), file.host_country()));
  event.set_origin_country(given(request.origin_country(), file.origin_country()));
  event.set_responsible_organisation(
      given(request.responsible_organisation(), file.responsible_organisation()));
  event.set_sequence(std::max(request.sequence(), file.header_sequence()));
  State after = file;
  Apply(after, event);
  if (after.SerializeAsString() == file.SerializeAsString()) return Events();
  return engine::Emit(event);
}

// An assessment that is made again during the reintegration takes nothing back.
Decision CaseFileDecider::Decide(const State& file, const v1::MoveCaseFileRequest& request,
                                 const Context& /*context*/) {
  const bool again = file.standing() == v1::CASE_STANDING_REINTEGRATING &&
                     request.standing() == v1::CASE_STANDING_ASSESSED;
  const bool late = request.sequence() < file.standing_sequence();
  if (file.erased() || late || again) return Events();
  if (file.standing() == request.standing() && file.standing_sequence() == request.sequence()) {
    return Events();
  }
  v1::CaseFileMoved event;
  event.set_case_id(request.case_id());
  event.set_standing(request.standing());
  event.set_sequence(request.sequence());
  return engine::Emit(event);
}

// The key is destroyed in the same commit in which the projects lose their free texts. A case that is not known here
// leaves a mark all the same, so that a late event does not bring it back.
Decision CaseFileDecider::Decide(const State& file, const v1::EraseCaseFileRequest& request,
                                 const Context& context) {
  if (file.erased()) return Events();
  Events events;
  for (const v1::CaseProject& project : file.projects()) {
    v1::ProjectErased erased;
    erased.set_project_id(project.project_id());
    erased.set_case_id(request.case_id());
    *erased.mutable_erased_time() = time::ToTimestamp(context.now);
    events.AddTo<v1::LifeProject>(project.project_id(), erased);
  }
  v1::CaseFileErased event;
  event.set_case_id(request.case_id());
  events.Add(event);
  return events;
}

void CaseFileDecider::Apply(State& file, const v1::CaseFileOpened& event) {
  file.set_id(event.case_id());
  file.set_reference(event.reference());
  file.set_programme(event.programme());
  file.set_host_country(event.host_country());
  file.set_origin_country(event.origin_country());
  file.set_responsible_organisation(event.responsible_organisation());
  file.set_header_sequence(event.sequence());
}

void CaseFileDecider::Apply(State& file, const v1::CaseFileMoved& event) {
  file.set_id(event.case_id());
  file.set_standing(event.standing());
  file.set_standing_sequence(event.sequence());
}

void CaseFileDecider::Apply(State& file, const v1::CaseProjectOpened& event) {
  for (v1::CaseProject& project : *file.mutable_projects()) {
    if (project.project_id() == event.project_id()) {
      project.set_live(true);
      return;
    }
  }
  v1::CaseProject& project = *file.add_projects();
  project.set_project_id(event.project_id());
  project.set_kind(event.kind());
  project.set_live(true);
}

void CaseFileDecider::Apply(State& file, const v1::CaseProjectEnded& event) {
  for (v1::CaseProject& project : *file.mutable_projects()) {
    if (project.project_id() == event.project_id()) project.set_live(false);
  }
}

void CaseFileDecider::Apply(State& file, const v1::CaseFileErased& event) {
  file.set_id(event.case_id());
  file.set_erased(true);
  for (v1::CaseProject& project : *file.mutable_projects()) project.set_live(false);
}

}  // namespace sankofa::validation
