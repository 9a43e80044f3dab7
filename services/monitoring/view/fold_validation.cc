#include "sankofa/validation/v1/life_project.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/monitoring/names.h"
#include "services/monitoring/view/folds.h"

namespace sankofa::monitoring {
namespace {

namespace val = validation::v1;
using v1::CaseView;
using v1::ProjectView;

template <class Event>
ProjectView& ProjectOf(CaseView& view, const Event& event) {
  ProjectView& project = Slot(*view.mutable_projects(), event.project_id(),
                              [](const auto& one) { return one.project_id(); });
  project.set_project_id(event.project_id());
  return project;
}

void SetContent(ProjectView& project, const val::ProjectContent& content) {
  project.set_sector(content.sector());
  project.set_region(content.region());
  project.set_jobs(content.jobs());
  if (content.has_requested()) *project.mutable_requested() = content.requested();
}

// An event that says no more than the state.
template <class Event>
void AddMove(Folds& folds, const char* en, const char* fr, val::ProjectState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    ProjectOf(view, event).set_state(NameOf(state));
  });
}

// What a sitting decided.
template <class Event>
void AddDecision(Folds& folds, const char* en, const char* fr, val::ProjectState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    ProjectView& project = ProjectOf(view, event);
    project.set_state(NameOf(state));
    project.set_session_id(event.session_id());
    project.clear_state_before_committee();
  });
}

void AddWriting(Folds& folds) {
  folds.On<val::ProjectDrafted>("Life project begun", "Projet de vie commencé",
                                [](CaseView& view, const val::ProjectDrafted& event) {
                                  ProjectView& project = ProjectOf(view, event);
                                  project.set_state(NameOf(val::PROJECT_STATE_DRAFT));
                                  project.set_kind(NameOf(event.kind()));
                                  SetContent(project, event.content());
                                });
  folds.On<val::ProjectDraftUpdated>("Life project rewritten", "Projet de vie remanié",
                                     [](CaseView& view, const val::ProjectDraftUpdated& event) {
                                       SetContent(ProjectOf(view, event), event.content());
                                     });
  folds.On<val::ProjectRevised>("Life project revised", "Projet de vie révisé",
                                [](CaseView& view, const val::ProjectRevised& event) {
                                  ProjectView& project = ProjectOf(view, event);
                                  SetContent(project, event.content());
                                  project.clear_session_id();
                                  project.clear_state_before_committee();
                                });
  folds.On<val::ProjectSubmitted>("Life project submitted, version {}",
                                  "Projet de vie soumis, version {}",
                                  [](CaseView& view, const val::ProjectSubmitted& event) {
                                    ProjectView& project = ProjectOf(view, event);
                                    project.set_state(NameOf(val::PROJECT_STATE_SUBMITTED));
                                    project.set_version(event.version());
                                    project.set_kind(NameOf(event.kind()));
                                    project.set_sector(event.sector());
                                    project.set_region(event.region());
                                    project.set_jobs(event.jobs());
                                    *project.mutable_requested() = event.requested();
                                    return std::to_string(event.version());
                                  });
  AddMove<val::ProjectFoundFeasible>(folds, "Found feasible", "Jugé faisable",
                                     val::PROJECT_STATE_FEASIBLE);
  AddMove<val::ProjectFoundNotFeasible>(folds, "Found not feasible", "Jugé non faisable",
                                        val::PROJECT_STATE_NOT_FEASIBLE);
}

}  // namespace

void AddValidationFolds(Folds& folds) {
  AddWriting(folds);
  folds.On<val::ProjectScheduled>("On the agenda of the sitting of {}",
                                  "À l'ordre du jour de la séance du {}",
                                  [](CaseView& view, const val::ProjectScheduled& event) {
                                    ProjectView& project = ProjectOf(view, event);
                                    project.set_state_before_committee(project.state());
                                    project.set_state(NameOf(val::PROJECT_STATE_IN_COMMITTEE));
                                    project.set_session_id(event.session_id());
                                    return event.session_date();
                                  });
  folds.On<val::ProjectUnscheduled>("Taken off the agenda", "Retiré de l'ordre du jour",
                                    [](CaseView& view, const val::ProjectUnscheduled& event) {
                                      ProjectView& project = ProjectOf(view, event);
                                      project.set_state(project.state_before_committee());
                                      project.clear_state_before_committee();
                                      project.clear_session_id();
                                    });
  folds.On<val::ProjectApproved>("Life project approved", "Projet de vie approuvé",
                                 [](CaseView& view, const val::ProjectApproved& event) {
                                   ProjectView& project = ProjectOf(view, event);
                                   project.set_state(NameOf(val::PROJECT_STATE_APPROVED));
                                   project.set_session_id(event.session_id());
                                   project.clear_state_before_committee();
                                   *project.mutable_approved() = event.amount();
                                 });
  AddDecision<val::ProjectAdjourned>(folds, "Life project adjourned", "Projet de vie ajourné",
                                     val::PROJECT_STATE_ADJOURNED);
  AddDecision<val::ProjectRefused>(folds, "Life project refused", "Projet de vie refusé",
                                   val::PROJECT_STATE_REFUSED);
  AddMove<val::ProjectAppealed>(folds, "Refusal appealed", "Recours contre le refus",
                                val::PROJECT_STATE_APPEALED);
  folds.On<val::ProjectWithdrawn>("Life project withdrawn", "Projet de vie retiré",
                                  [](CaseView& view, const val::ProjectWithdrawn& event) {
                                    ProjectView& project = ProjectOf(view, event);
                                    project.set_state(NameOf(val::PROJECT_STATE_WITHDRAWN));
                                    project.clear_session_id();
                                    project.clear_state_before_committee();
                                  });
}

}  // namespace sankofa::monitoring
