#include "services/validation/life_project.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/validation/v1/case_file.pb.h"
#include "sankofa/validation/v1/validation_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/validation/budget.h"
#include "services/validation/case_file.h"

namespace sankofa::validation {
namespace {

using engine::Context;
using engine::Decision;
using engine::Events;
using status::Refuse;
using v1::LifeProject;

template <class Event>
Event About(const LifeProject& project) {
  Event event;
  event.set_project_id(project.id());
  event.set_case_id(project.case_id());
  return event;
}

bool IsAuthor(const LifeProject& project, const std::string& subject) {
  return std::find(project.author_subjects().begin(), project.author_subjects().end(), subject) !=
         project.author_subjects().end();
}

absl::Status CheckCase(const v1::CaseFile& file) {
  if (file.erased()) return Refuse(common::v1::REASON_ERASED);
  if (!IsReady(file)) return Refuse(v1::REASON_CASE_NOT_READY);
  return absl::OkStatus();
}

absl::Status CheckAuthorsMax(const LifeProject& project, const Context& context) {
  if (IsAuthor(project, context.actor.subject)) return absl::OkStatus();
  if (project.author_subjects_size() < kAuthorsMax) return absl::OkStatus();
  return Refuse(v1::REASON_TOO_MANY_AUTHORS);
}

// The next version of a project that says `content` and `description`.
v1::ProjectSubmitted Freeze(const LifeProject& project, const v1::ProjectContent& content,
                            const std::string& description, const Context& context) {
  auto event = About<v1::ProjectSubmitted>(project);
  event.set_version(project.version() + 1);
  event.set_kind(project.kind());
  event.set_title(content.title());
  *event.mutable_requested() = content.requested();
  event.set_sector(content.sector());
  event.set_region(content.region());
  event.set_jobs(content.jobs());
  event.set_content_hash(ContentHash(content, description, context));
  event.set_programme(project.programme());
  *event.mutable_submitted_time() = time::ToTimestamp(context.now);
  return event;
}

void AddAuthor(LifeProject& project, const std::string& subject) {
  if (!IsAuthor(project, subject)) project.add_author_subjects(subject);
}

template <class Event>
void Write(LifeProject& project, const Event& event) {
  *project.mutable_content() = event.content();
  project.set_description(event.description());
  AddAuthor(project, event.author_subject());
}

void Move(LifeProject& project, v1::ProjectState state, const google::protobuf::Timestamp& at) {
  project.set_state(state);
  *project.mutable_state_time() = at;
}

// What a sitting decided ends the project's place on its agenda.
template <class Event>
void Conclude(LifeProject& project, const Event& event) {
  v1::CommitteeDecision& decision = *project.mutable_decision();
  decision.set_version(event.version());
  decision.set_session_id(event.session_id());
  decision.clear_reason();
  *decision.mutable_decided_time() = event.decided_time();
  project.clear_session_id();
  project.clear_state_before_committee();
}

}  // namespace

Decision LifeProjectDecider::Decide(const State& /*project*/,
                                    const v1::DraftProjectRequest& request,
                                    const Context& context) {
  const auto& file = context.Related<v1::CaseFile>(request.case_id());
  if (auto ready = CheckCase(file); !ready.ok()) return ready;
  if (HasLiveProject(file, request.kind())) return Refuse(v1::REASON_LIVE_PROJECT_EXISTS);
  if (file.projects_size() >= kProjectsPerCaseMax) return Refuse(v1::REASON_TOO_MANY_PROJECTS);
  if (auto budget = AddUp(request.content()); !budget.ok()) return budget.status();

  v1::ProjectDrafted event;
  event.set_project_id(context.NewId());
  event.set_case_id(request.case_id());
  event.set_case_reference(file.reference());
  event.set_programme(file.programme());
  event.set_kind(request.kind());
  *event.mutable_content() = request.content();
  event.set_description(request.description());
  event.set_author_subject(context.actor.subject);
  *event.mutable_drafted_time() = time::ToTimestamp(context.now);
  v1::CaseProjectOpened opened;
  opened.set_case_id(request.case_id());
  opened.set_project_id(event.project_id());
  opened.set_kind(request.kind());
  return engine::Emit(event).AddTo<v1::CaseFile>(request.case_id(), opened);
}

Decision LifeProjectDecider::Decide(const State& project, const v1::UpdateDraftRequest& request,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() != v1::PROJECT_STATE_DRAFT) return Refuse(v1::REASON_PROJECT_NOT_DRAFT);
  if (auto room = CheckAuthorsMax(project, context); !room.ok()) return room;
  if (auto budget = AddUp(request.content()); !budget.ok()) return budget.status();

  auto event = About<v1::ProjectDraftUpdated>(project);
  *event.mutable_content() = request.content();
  event.set_description(request.description());
  event.set_author_subject(context.actor.subject);
  return engine::Emit(event);
}

Decision LifeProjectDecider::Decide(const State& project,
                                    const v1::SubmitProjectRequest& /*request*/,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() != v1::PROJECT_STATE_DRAFT) return Refuse(v1::REASON_PROJECT_NOT_DRAFT);
  if (auto ready = CheckCase(context.Related<v1::CaseFile>(project.case_id())); !ready.ok()) {
    return ready;
  }
  if (auto whole = CheckFreezable(project.content()); !whole.ok()) return whole;
  return engine::Emit(Freeze(project, project.content(), project.description(), context));
}

// Also of an approved project: its approval then stands for the old version only, and money waits for the new one. On
// an agenda, the item keeps the version it was put there with, and can't be decided on any more.
Decision LifeProjectDecider::Decide(const State& project, const v1::ReviseProjectRequest& request,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() == v1::PROJECT_STATE_DRAFT) return Refuse(v1::REASON_PROJECT_IS_DRAFT);
  if (project.state() == v1::PROJECT_STATE_REFUSED ||
      project.state() == v1::PROJECT_STATE_WITHDRAWN) {
    return Refuse(v1::REASON_PROJECT_ENDED);
  }
  if (auto ready = CheckCase(context.Related<v1::CaseFile>(project.case_id())); !ready.ok()) {
    return ready;
  }
  if (project.versions_size() >= kVersionsMax) return Refuse(v1::REASON_TOO_MANY_VERSIONS);
  if (auto room = CheckAuthorsMax(project, context); !room.ok()) return room;
  if (auto whole = CheckFreezable(request.content()); !whole.ok()) return whole;

  auto event = About<v1::ProjectRevised>(project);
  *event.mutable_content() = request.content();
  event.set_description(request.description());
  event.set_author_subject(context.actor.subject);
  return engine::Emit(event, Freeze(project, request.content(), request.description(), context));
}

Decision LifeProjectDecider::Decide(const State& project,
                                    const v1::RecordFeasibilityRequest& request,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() != v1::PROJECT_STATE_SUBMITTED) {
    return Refuse(v1::REASON_PROJECT_NOT_SUBMITTED);
  }
  if (request.version() != project.version()) {
    return Refuse(v1::REASON_PROJECT_VERSION_CHANGED,
                  {.fields = {{"version", "not the current one"}},
                   .metadata = {{"version", absl::StrCat(project.version())}}});
  }
  if (IsAuthor(project, context.actor.subject)) return Refuse(v1::REASON_STUDY_BY_AUTHOR);

  v1::FeasibilityStudy study;
  study.set_version(request.version());
  study.set_feasible(request.feasible());
  *study.mutable_scores() = request.scores();
  study.set_reasons(request.reasons());
  study.set_studied_by_subject(context.actor.subject);
  study.set_organisation(context.actor.organisation);
  *study.mutable_studied_time() = time::ToTimestamp(context.now);
  if (request.feasible()) {
    auto event = About<v1::ProjectFoundFeasible>(project);
    *event.mutable_study() = std::move(study);
    return engine::Emit(event);
  }
  auto event = About<v1::ProjectFoundNotFeasible>(project);
  *event.mutable_study() = std::move(study);
  return engine::Emit(event);
}

Decision LifeProjectDecider::Decide(const State& project, const v1::AppealProjectRequest& request,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() != v1::PROJECT_STATE_REFUSED) return Refuse(v1::REASON_PROJECT_NOT_REFUSED);
  if (project.has_appeal()) return Refuse(v1::REASON_APPEAL_USED);
  const auto until = time::ParseDay(project.appeal_until());
  if (!until || time::DayOf(context.now) > *until) return Refuse(v1::REASON_APPEAL_TOO_LATE);
  const auto& file = context.Related<v1::CaseFile>(project.case_id());
  if (auto ready = CheckCase(file); !ready.ok()) return ready;
  if (HasLiveProject(file, project.kind())) return Refuse(v1::REASON_LIVE_PROJECT_EXISTS);

  auto event = About<v1::ProjectAppealed>(project);
  event.mutable_appeal()->set_grounds(request.grounds());
  event.mutable_appeal()->set_version(project.version());
  *event.mutable_appeal()->mutable_appealed_time() = time::ToTimestamp(context.now);
  auto opened = About<v1::CaseProjectOpened>(project);
  opened.set_kind(project.kind());
  return engine::Emit(event).AddTo<v1::CaseFile>(project.case_id(), opened);
}

Decision LifeProjectDecider::Decide(const State& project, const v1::WithdrawProjectRequest& request,
                                    const Context& context) {
  if (project.erased()) return Refuse(common::v1::REASON_ERASED);
  if (project.state() == v1::PROJECT_STATE_REFUSED ||
      project.state() == v1::PROJECT_STATE_WITHDRAWN) {
    return Refuse(v1::REASON_PROJECT_ENDED);
  }
  auto event = About<v1::ProjectWithdrawn>(project);
  event.set_reason(request.reason());
  *event.mutable_withdrawn_time() = time::ToTimestamp(context.now);
  return engine::Emit(event).AddTo<v1::CaseFile>(project.case_id(),
                                                 About<v1::CaseProjectEnded>(project));
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectDrafted& event) {
  project.set_id(event.project_id());
  project.set_case_id(event.case_id());
  project.set_case_reference(event.case_reference());
  project.set_programme(event.programme());
  project.set_kind(event.kind());
  *project.mutable_drafted_time() = event.drafted_time();
  Write(project, event);
  Move(project, v1::PROJECT_STATE_DRAFT, event.drafted_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectDraftUpdated& event) {
  Write(project, event);
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectRevised& event) {
  Write(project, event);
  project.clear_session_id();
  project.clear_state_before_committee();
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectSubmitted& event) {
  project.set_version(event.version());
  v1::FrozenVersion& frozen = *project.add_versions();
  frozen.set_version(event.version());
  frozen.set_content_hash(event.content_hash());
  *frozen.mutable_requested() = event.requested();
  *frozen.mutable_submitted_time() = event.submitted_time();
  Move(project, v1::PROJECT_STATE_SUBMITTED, event.submitted_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectFoundFeasible& event) {
  *project.mutable_feasibility() = event.study();
  Move(project, v1::PROJECT_STATE_FEASIBLE, event.study().studied_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectFoundNotFeasible& event) {
  *project.mutable_feasibility() = event.study();
  Move(project, v1::PROJECT_STATE_NOT_FEASIBLE, event.study().studied_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectScheduled& event) {
  project.set_state_before_committee(project.state());
  project.set_session_id(event.session_id());
  Move(project, v1::PROJECT_STATE_IN_COMMITTEE, event.scheduled_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectUnscheduled& event) {
  Move(project, project.state_before_committee(), event.unscheduled_time());
  project.clear_session_id();
  project.clear_state_before_committee();
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectApproved& event) {
  Conclude(project, event);
  project.set_approved_version(event.version());
  *project.mutable_approved_amount() = event.amount();
  *project.mutable_conditions() = event.conditions();
  Move(project, v1::PROJECT_STATE_APPROVED, event.decided_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectAdjourned& event) {
  Conclude(project, event);
  project.mutable_decision()->set_reason(event.reason());
  Move(project, v1::PROJECT_STATE_ADJOURNED, event.decided_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectRefused& event) {
  Conclude(project, event);
  project.mutable_decision()->set_reason(event.reason());
  project.set_appeal_until(event.appeal_until());
  Move(project, v1::PROJECT_STATE_REFUSED, event.decided_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectAppealed& event) {
  *project.mutable_appeal() = event.appeal();
  project.clear_appeal_until();
  Move(project, v1::PROJECT_STATE_APPEALED, event.appeal().appealed_time());
}

void LifeProjectDecider::Apply(State& project, const v1::ProjectWithdrawn& event) {
  project.clear_session_id();
  project.clear_state_before_committee();
  Move(project, v1::PROJECT_STATE_WITHDRAWN, event.withdrawn_time());
}

// An approval and a refusal stay what they were, for the accounts; everything else ends.
void LifeProjectDecider::Apply(State& project, const v1::ProjectErased& event) {
  project.set_erased(true);
  project.clear_description();
  project.clear_sealed();
  if (project.has_feasibility()) project.mutable_feasibility()->clear_reasons();
  if (project.has_appeal()) project.mutable_appeal()->clear_grounds();
  project.clear_session_id();
  project.clear_state_before_committee();
  if (project.state() != v1::PROJECT_STATE_APPROVED &&
      project.state() != v1::PROJECT_STATE_REFUSED) {
    Move(project, v1::PROJECT_STATE_WITHDRAWN, event.erased_time());
  }
}

const engine::Table& LifeProjectDecider::ProjectTable() {
  static const engine::Table table{
      .name = "life_project",
      .columns = {"case_id", "case_reference", "kind", "state", "version", "title", "currency",
                  "requested_minor", "approved_currency", "approved_minor", "session_id",
                  "programme", "drafted_time"},
      .types = {"text", "text", "integer", "integer", "integer", "text", "text", "bigint", "text",
                "bigint", "text", "text", "timestamptz"}};
  return table;
}

std::vector<engine::Row> LifeProjectDecider::Project(const State& project) {
  const auto money = [](bool there, const common::v1::Money& amount) {
    using Column = std::optional<std::string>;
    return there ? std::pair<Column, Column>(amount.currency(), absl::StrCat(amount.minor_units()))
                 : std::pair<Column, Column>();
  };
  const auto requested = money(project.content().has_requested(), project.content().requested());
  const auto approved = money(project.has_approved_amount(), project.approved_amount());
  const std::string& session_id =
      project.session_id().empty() ? project.decision().session_id() : project.session_id();
  const std::string drafted = absl::FormatTime(
      absl::RFC3339_full, time::FromTimestamp(project.drafted_time()), absl::UTCTimeZone());
  engine::Row row;
  row.values = {project.case_id(),
                project.case_reference(),
                absl::StrCat(static_cast<int>(project.kind())),
                absl::StrCat(static_cast<int>(project.state())),
                absl::StrCat(project.version()),
                project.content().title(),
                requested.first,
                requested.second,
                approved.first,
                approved.second,
                session_id.empty() ? std::optional<std::string>() : session_id,
                project.programme(),
                drafted};
  return {row};
}

}  // namespace sankofa::validation
