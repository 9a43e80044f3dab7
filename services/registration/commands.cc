#include "services/registration/commands.h"

#include "services/registration/care/centre.h"
#include "services/registration/care/referral.h"
#include "services/registration/case/case.h"
#include "services/registration/person/claims.h"
#include "services/registration/person/person.h"

namespace sankofa::registration {
namespace {

using engine::Names;
using engine::Registry;
using engine::Target;

// A command on an existing person.
template <class Request>
void OnPerson(Registry& registry,
              std::function<void(const Request&, const v1::Person&, Names&)> names = {}) {
  registry.Command<PersonDecider, Request>(
      {.id = [](const Request& request) { return request.person_id(); },
       .names = std::move(names)});
}

// A command on an existing case; the person is always looked at, and told where the case opens or closes.
template <class Request>
void OnCase(Registry& registry) {
  registry.Command<CaseDecider, Request>(
      {.id = [](const Request& request) { return request.case_id(); },
       .names = [](const Request&, const v1::Case& of,
                   Names& names) { names.Add<v1::Person>(of.person_id()); }});
}

template <class Request>
void NewCase(Registry& registry) {
  registry.Command<CaseDecider, Request>(
      {.target = Target::kNew, .names = [](const Request& request, const v1::Case&, Names& names) {
         names.Add<v1::Person>(request.person_id());
       }});
}

template <class Request>
void OnReferral(Registry& registry) {
  registry.Command<ReferralDecider, Request>(
      {.id = [](const Request& request) { return request.referral_id(); }});
}

void BindPerson(Registry& registry, const Blind& blind) {
  registry.AggregateOf<DocumentClaimDecider>();
  registry.AggregateOf<IdentityClaimDecider>();
  registry.Command<PersonDecider, v1::RegisterPersonRequest>(
      {.target = Target::kNew,
       .names = [blind](const v1::RegisterPersonRequest& request, const v1::Person&, Names& names) {
         NameRegister(request, blind, names);
       }});
  OnPerson<v1::UpdatePersonRequest>(
      registry, [blind](const v1::UpdatePersonRequest& request, const v1::Person& person,
                        Names& names) { NameUpdate(request, person, blind, names); });
  OnPerson<v1::RecordVulnerabilitiesRequest>(registry);
  OnPerson<v1::AddPayoutAccountRequest>(registry);
  OnPerson<v1::RemovePayoutAccountRequest>(registry);
  OnPerson<v1::ResolveDuplicateRequest>(registry, NameResolve);
  OnPerson<v1::TellDuplicatesRequest>(
      registry, [](const v1::TellDuplicatesRequest&, const v1::Person& person, Names& names) {
        NameTell(person, names);
      });
  OnPerson<v1::ErasePersonRequest>(
      registry, [](const v1::ErasePersonRequest&, const v1::Person& person, Names& names) {
        NameErase(person, names);
      });
}

void BindCase(Registry& registry) {
  NewCase<v1::RegisterCaseRequest>(registry);
  NewCase<v1::RegisterRetroactiveCaseRequest>(registry);
  OnCase<v1::UpdateCaseHeaderRequest>(registry);
  OnCase<v1::GiveConsentRequest>(registry);
  OnCase<v1::WithdrawConsentRequest>(registry);
  OnCase<v1::OverrideConsentRequest>(registry);
  OnCase<v1::RecordBestInterestsRequest>(registry);
  OnCase<v1::SubmitCaseRequest>(registry);
  OnCase<v1::AcceptCaseRequest>(registry);
  OnCase<v1::RefuseCaseRequest>(registry);
  OnCase<v1::AnswerRetroactiveCaseRequest>(registry);
  OnCase<v1::ExpireRetroactiveCaseRequest>(registry);
  OnCase<v1::ConfirmArrivalRequest>(registry);
  OnCase<v1::AssessCaseRequest>(registry);
  OnCase<v1::StartReintegrationRequest>(registry);
  OnCase<v1::CloseCaseRequest>(registry);
  OnCase<v1::ReopenCaseRequest>(registry);
}

void BindCare(Registry& registry) {
  registry.Command<ReferralDecider, v1::SendReferralRequest>(
      {.target = Target::kNew,
       .names = [](const v1::SendReferralRequest& request, const v1::Referral&, Names& names) {
         names.Add<v1::Case>(request.case_id());
       }});
  OnReferral<v1::AcceptReferralRequest>(registry);
  OnReferral<v1::RejectReferralRequest>(registry);
  OnReferral<v1::CompleteReferralRequest>(registry);
  OnReferral<v1::RevokeReferralRequest>(registry);
  OnReferral<v1::LapseReferralRequest>(registry);

  registry.Command<CentreDecider, v1::OpenCentreRequest>(
      {.target = Target::kNew,
       .id = [](const v1::OpenCentreRequest& request) { return request.centre(); }});
  registry.Command<CentreDecider, v1::ChangeCentrePlacesRequest>(
      {.id = [](const v1::ChangeCentrePlacesRequest& request) { return request.centre(); }});
  registry.Command<CentreDecider, v1::CheckInRequest>(
      {.id = [](const v1::CheckInRequest& request) { return request.centre(); },
       .names = [](const v1::CheckInRequest& request, const v1::Centre&,
                   Names& names) { names.Add<v1::Case>(request.case_id()); }});
  registry.Command<CentreDecider, v1::CheckOutRequest>(
      {.id = [](const v1::CheckOutRequest& request) { return request.centre(); },
       .names = [](const v1::CheckOutRequest& request, const v1::Centre&,
                   Names& names) { names.Add<v1::Case>(request.case_id()); }});
}

}  // namespace

void BindCommands(Registry& registry, const Blind& blind) {
  BindPerson(registry, blind);
  BindCase(registry);
  BindCare(registry);
}

}  // namespace sankofa::registration
