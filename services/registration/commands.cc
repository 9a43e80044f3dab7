#include "services/registration/commands.h"

#include <type_traits>

#include "services/registration/border/hand_over.h"
#include "services/registration/border/incoming.h"
#include "services/registration/border/partner_node.h"
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

// A command on an existing case; the person is always looked at, and told where the case opens or closes. What is done
// at this node and what at the partner's depends on whether the partner runs one.
template <class Request>
void OnCase(Registry& registry) {
  registry.Command<CaseDecider, Request>(
      {.id = [](const Request& request) { return request.case_id(); },
       .names =
           [](const Request&, const v1::Case& of, Names& names) {
             names.Add<v1::Person>(of.person_id());
             names.Add<v1::PartnerNode>(of.header().partner());
           }});
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

// A command on a hand-over that is there, or that a partner offers.
template <class Request>
void OnHandOver(Registry& registry, Target target = Target::kExisting) {
  registry.Command<HandOverDecider, Request>(
      {.target = target,
       .id = [](const Request& request) { return request.hand_over_id(); },
       .names =
           [](const Request& request, const v1::HandOver& hand_over, Names& names) {
             names.Add<v1::Case>(hand_over.case_id());
             if constexpr (std::is_same_v<Request, v1::ReceiveHandOverRequest>) {
               names.Add<v1::Case>(request.offered().case_id());
             }
             if constexpr (requires { request.sender(); }) {
               names.Add<v1::PartnerNode>(request.sender());
             }
           }});
}

void BindHandOver(Registry& registry) {
  registry.Command<HandOverDecider, v1::OfferHandOverRequest>(
      {.target = Target::kNew,
       .names = [](const v1::OfferHandOverRequest& request, const v1::HandOver&, Names& names) {
         names.Add<v1::Case>(request.case_id());
         names.Add<v1::PartnerNode>(request.to_partner());
       }});
  OnHandOver<v1::AcceptHandOverRequest>(registry);
  OnHandOver<v1::DeclineHandOverRequest>(registry);
  OnHandOver<v1::ReceiveHandOverRequest>(registry, Target::kEither);
  OnHandOver<v1::ReceiveHandOverAnswerRequest>(registry);
  OnHandOver<v1::EndHandOverRequest>(registry);
  OnHandOver<v1::LapseHandOverRequest>(registry);
}

// What partners tell and disclose, by way of exchange.
void BindBorder(Registry& registry, const Blind& blind) {
  registry.Command<PartnerNodeDecider, v1::NotePartnerRequest>(
      {.target = Target::kEither, .id = [](const auto& request) { return request.partner_id(); }});
  OnCase<v1::ReceiveCaseFactRequest>(registry);

  const auto record = [](const auto& request) {
    return PartnerPersonId(request.sender(), request.case_id());
  };
  const auto fetch = [](engine::FactCall& call, const auto& request) {
    return FetchDisclosed(call, request.case_id(), request.sender());
  };
  registry.Command<PersonDecider, v1::ReceiveCaseRequest>(
      {.target = Target::kEither,
       .id = record,
       .names = [](const v1::ReceiveCaseRequest& request, const v1::Person&,
                   Names& names) { names.Add<v1::Case>(request.case_id()); },
       .facts = fetch,
       .fact_names = [blind](const v1::ReceiveCaseRequest&, const v1::Person&,
                             const google::protobuf::Message& facts,
                             Names& names) { NameDisclosed(facts, blind, names); }});
  registry.Command<PersonDecider, v1::ReceiveDisclosureRequest>(
      {.target = Target::kEither,
       .id = record,
       .names =
           [](const v1::ReceiveDisclosureRequest& request, const v1::Person& person, Names& names) {
             names.Add<v1::Case>(request.case_id());
             NameClaims(person.search_keys(), names);
           },
       .facts = fetch,
       .fact_names =
           [blind](const v1::ReceiveDisclosureRequest&, const v1::Person&,
                   const google::protobuf::Message& facts, Names& names) {
             NameDisclosed(facts, blind, names);
             for (const v1::Referral& referral : DisclosedReferrals(&facts)) {
               names.Add<v1::Referral>(referral.id());
             }
           }});
  registry.Command<PersonDecider, v1::ErasePartnerDataRequest>(
      {.target = Target::kEither,
       .id = record,
       .names = [](const v1::ErasePartnerDataRequest& request, const v1::Person& person,
                   Names& names) {
         names.Add<v1::Case>(request.case_id());
         NameErase(person, names);
       }});
}

void BindCare(Registry& registry) {
  registry.Command<ReferralDecider, v1::SendReferralRequest>(
      {.target = Target::kNew,
       .names = [](const v1::SendReferralRequest& request, const v1::Referral&, Names& names) {
         names.Add<v1::Case>(request.case_id());
         names.Add<v1::PartnerNode>(request.to_organisation());
       }});
  registry.Command<ReferralDecider, v1::ReceiveReferralRequest>(
      {.target = Target::kEither,
       .id = [](const v1::ReceiveReferralRequest& request) { return request.referral_id(); },
       .facts =
           [](engine::FactCall& call, const v1::ReceiveReferralRequest& request) {
             return FetchDisclosed(call, request.sent().case_id(), request.sender());
           }});
  OnReferral<v1::MoveReferralRequest>(registry);
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
  BindBorder(registry, blind);
  BindHandOver(registry);
  BindCare(registry);
}

}  // namespace sankofa::registration
