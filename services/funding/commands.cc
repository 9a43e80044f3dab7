#include "services/funding/commands.h"

#include "services/funding/budget/agreement.h"
#include "services/funding/budget/budget_line.h"
#include "services/funding/grant/facts.h"
#include "services/funding/grant/grant.h"
#include "services/funding/grant/known.h"
#include "services/funding/programme/programme.h"

namespace sankofa::funding {
namespace {

using engine::FactCall;
using engine::Names;
using engine::Registry;
using engine::Target;

void RegisterBudget(Registry& registry) {
  registry.Command<AgreementDecider, v1::RecordAgreementRequest>(
      {.target = Target::kNew, .id = [](const auto& request) { return request.agreement(); }});
  registry.Command<ProgrammeDecider, v1::LoadProgrammeRequest>(
      {.target = Target::kNew, .id = [](const auto& request) { return request.programme(); }});
  registry.Command<ProgrammeDecider, v1::PublishRuleSetRequest>(
      {.id = [](const auto& request) { return request.programme(); }});
  registry.Command<BudgetLineDecider, v1::OpenBudgetLineRequest>(
      {.target = Target::kNew,
       .id = [](const auto& request) { return request.budget_line(); },
       .names = [](const auto& request, const auto& /*line*/,
                   Names& names) { names.Add<v1::Agreement>(request.agreement()); }});
  registry.Command<BudgetLineDecider, v1::TransferBudgetRequest>(
      {.id = [](const auto& request) { return request.budget_line(); },
       .names = [](const auto& request, const auto& /*line*/,
                   Names& names) { names.Add<v1::BudgetLine>(request.to_budget_line()); }});
}

// A command on a grant that touches nothing else.
template <class Request>
void OnGrant(Registry& registry) {
  registry.Command<GrantDecider, Request>(
      {.id = [](const Request& request) { return request.grant_id(); }});
}

void RegisterGrant(Registry& registry) {
  registry.Command<GrantDecider, v1::ReserveGrantRequest>(
      {.target = Target::kNew,
       .names =
           [](const auto& request, const auto& /*grant*/, Names& names) {
             names.Add<v1::ApprovedProject>(request.project_id());
             names.Add<v1::CaseFile>(request.case_id());
             names.Add<v1::PersonFunding>(request.person_id());
             names.Add<v1::BudgetLine>(request.budget_line());
             names.Add<v1::Programme>(request.programme());
           },
       .facts = [](FactCall& call, const auto& request) { return FactsFor(call, request); }});
  OnGrant<v1::SignGrantRequest>(registry);
  OnGrant<v1::RequestInstalmentRequest>(registry);
  OnGrant<v1::ApproveInstalmentRequest>(registry);
  OnGrant<v1::ReturnInstalmentRequest>(registry);
  registry.Command<GrantDecider, v1::ReleaseInstalmentRequest>(
      {.id = [](const auto& request) { return request.grant_id(); },
       .names = [](const auto& /*request*/, const auto& grant,
                   Names& names) { names.Add<v1::Programme>(grant.programme()); },
       .facts = [](FactCall& call, const auto& request) { return FactsFor(call, request); }});
  registry.Command<GrantDecider, v1::RecordPaymentRequest>(
      {.id = [](const auto& request) { return request.grant_id(); },
       .names =
           [](const auto& request, const auto& grant, Names& names) {
             names.Add<v1::BudgetLine>(grant.budget_line());
             names.Add<v1::PaymentId>(PaymentIdKey(request.provider(), request.payment_id()));
           }});
  OnGrant<v1::FailPaymentRequest>(registry);
  OnGrant<v1::SubmitProofRequest>(registry);
  OnGrant<v1::AcceptProofRequest>(registry);
  OnGrant<v1::RejectProofRequest>(registry);
  registry.Command<GrantDecider, v1::CompleteGrantRequest>(
      {.id = [](const auto& request) { return request.grant_id(); },
       .names = [](const auto& /*request*/, const auto& grant,
                   Names& names) { names.Add<v1::PersonFunding>(grant.person_id()); }});
  registry.Command<GrantDecider, v1::CancelGrantRequest>(
      {.id = [](const auto& request) { return request.grant_id(); },
       .names =
           [](const auto& /*request*/, const auto& grant, Names& names) {
             names.Add<v1::ApprovedProject>(grant.project_id());
             names.Add<v1::BudgetLine>(grant.budget_line());
             names.Add<v1::PersonFunding>(grant.person_id());
           }});
  registry.Command<GrantDecider, v1::RecordRefundRequest>(
      {.id = [](const auto& request) { return request.grant_id(); },
       .names =
           [](const auto& request, const auto& grant, Names& names) {
             names.Add<v1::BudgetLine>(grant.budget_line());
             names.Add<v1::PaymentId>(PaymentIdKey(request.provider(), request.payment_id()));
           }});
}

// What reactions ask for, and the aggregates that get events without having commands.
void RegisterKnown(Registry& registry) {
  registry.Command<ApprovedProjectDecider, v1::NoteApprovalRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.project_id(); }});
  registry.Command<CaseFileDecider, v1::NoteCaseRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.case_id(); }});
  registry.Command<CaseFileDecider, v1::NoteCaseFilingRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.case_id(); }});
  registry.Command<CaseFileDecider, v1::NoteCaseErasureRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.case_id(); }});
  registry.AggregateOf<PersonFundingDecider>();
  registry.AggregateOf<PaymentIdDecider>();
}

}  // namespace

void BindCommands(Registry& registry) {
  RegisterBudget(registry);
  RegisterGrant(registry);
  RegisterKnown(registry);
}

}  // namespace sankofa::funding
