#include "services/validation/commands.h"

#include "services/validation/case_file.h"
#include "services/validation/committee.h"
#include "services/validation/forwarded_vote.h"
#include "services/validation/life_project.h"
#include "services/validation/partner_node.h"
#include "services/validation/session.h"
#include "services/validation/voting.h"

namespace sankofa::validation {
namespace {

using engine::Names;
using engine::Registry;
using engine::Target;

void BindCaseFile(Registry& registry) {
  const auto id = [](const auto& request) { return request.case_id(); };
  registry.Command<CaseFileDecider, v1::OpenCaseFileRequest>({.target = Target::kEither, .id = id});
  registry.Command<CaseFileDecider, v1::MoveCaseFileRequest>({.target = Target::kEither, .id = id});
  registry.Command<CaseFileDecider, v1::EraseCaseFileRequest>(
      {.target = Target::kEither,
       .id = id,
       .names = [](const auto&, const auto& file, Names& names) {
         for (const v1::CaseProject& project : file.projects()) {
           names.Add<v1::LifeProject>(project.project_id());
         }
       }});
}

void BindLifeProject(Registry& registry) {
  const auto id = [](const auto& request) { return request.project_id(); };
  const auto case_file = [](const auto&, const v1::LifeProject& project, Names& names) {
    names.Add<v1::CaseFile>(project.case_id());
  };
  registry.Command<LifeProjectDecider, v1::DraftProjectRequest>(
      {.target = Target::kNew, .names = [](const auto& request, const auto&, Names& names) {
         names.Add<v1::CaseFile>(request.case_id());
       }});
  registry.Command<LifeProjectDecider, v1::UpdateDraftRequest>({.id = id});
  registry.Command<LifeProjectDecider, v1::SubmitProjectRequest>({.id = id, .names = case_file});
  registry.Command<LifeProjectDecider, v1::ReviseProjectRequest>({.id = id, .names = case_file});
  registry.Command<LifeProjectDecider, v1::RecordFeasibilityRequest>({.id = id});
  registry.Command<LifeProjectDecider, v1::AppealProjectRequest>({.id = id, .names = case_file});
  registry.Command<LifeProjectDecider, v1::WithdrawProjectRequest>({.id = id, .names = case_file});
}

void BindCommittee(Registry& registry) {
  const auto id = [](const auto& request) { return request.committee_code(); };
  registry.Command<CommitteeDecider, v1::CreateCommitteeRequest>(
      {.target = Target::kNew, .id = id});
  registry.Command<CommitteeDecider, v1::UpdateCommitteeRequest>({.id = id});
  registry.Command<CommitteeDecider, v1::AppointSeatRequest>({.id = id});
  registry.Command<CommitteeDecider, v1::VacateSeatRequest>({.id = id});
}

void BindSession(Registry& registry) {
  const auto id = [](const auto& request) { return request.session_id(); };
  const auto project = [](const auto& request, const auto&, Names& names) {
    names.Add<v1::LifeProject>(request.project_id());
  };
  const auto agenda = [](const auto&, const v1::Session& session, Names& names) {
    for (const v1::AgendaItem& item : session.agenda()) {
      names.Add<v1::LifeProject>(item.project_id());
    }
  };
  registry.Command<SessionDecider, v1::ScheduleSessionRequest>(
      {.target = Target::kNew, .names = [](const auto& request, const auto&, Names& names) {
         names.Add<v1::Committee>(request.committee_code());
       }});
  registry.Command<SessionDecider, v1::AddToAgendaRequest>({.id = id, .names = project});
  registry.Command<SessionDecider, v1::RemoveFromAgendaRequest>({.id = id, .names = project});
  registry.Command<SessionDecider, v1::CancelSessionRequest>({.id = id, .names = agenda});
  registry.Command<SessionDecider, v1::OpenSessionRequest>(
      {.id = id, .names = [](const auto&, const v1::Session& session, Names& names) {
         names.Add<v1::Committee>(session.committee_code());
       }});
  registry.Command<SessionDecider, v1::RecordAttendanceRequest>({.id = id});
  registry.Command<SessionDecider, v1::DeclareInterestRequest>({.id = id});
  registry.Command<SessionDecider, v1::CastVoteRequest>({.id = id});
  registry.Command<SessionDecider, v1::ReceiveVoteRequest>(
      {.target = Target::kEither,
       .id = id,
       .names = [](const v1::ReceiveVoteRequest& request, const v1::Session&, Names& names) {
         names.Add<v1::ForwardedVote>(request.vote().vote_id());
       }});
  registry.Command<SessionDecider, v1::MarkApplicantAbsentRequest>({.id = id, .names = project});
  registry.Command<SessionDecider, v1::DecideProjectRequest>(
      {.id = id,
       .names = [](const v1::DecideProjectRequest& request, const v1::Session& session,
                   Names& names) {
         names.Add<v1::LifeProject>(request.project_id());
         const v1::AgendaItem* item = FindItem(session, request.project_id());
         if (item != nullptr) names.Add<v1::CaseFile>(item->case_id());
       }});
  registry.Command<SessionDecider, v1::CloseSessionRequest>({.id = id, .names = agenda});
}

void BindForwardedVote(Registry& registry) {
  registry.Command<PartnerNodeDecider, v1::NotePartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  registry.Command<ForwardedVoteDecider, v1::ForwardVoteRequest>(
      {.target = Target::kNew, .names = [](const auto& request, const auto&, Names& names) {
         names.Add<v1::PartnerNode>(request.to_node());
       }});
  registry.Command<ForwardedVoteDecider, v1::ReceiveVoteAnswerRequest>(
      {.id = [](const auto& request) { return request.vote_id(); }});
}

}  // namespace

void BindCommands(Registry& registry) {
  BindCaseFile(registry);
  BindLifeProject(registry);
  BindCommittee(registry);
  BindSession(registry);
  BindForwardedVote(registry);
}

}  // namespace sankofa::validation
