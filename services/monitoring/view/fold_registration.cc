#include "sankofa/registration/v1/case.pb.h"
#include "sankofa/registration/v1/referral.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "services/monitoring/names.h"
#include "services/monitoring/view/folds.h"

namespace sankofa::monitoring {
namespace {

namespace reg = registration::v1;
using v1::CaseView;

void SetState(CaseView& view, reg::CaseState state) { view.set_state(NameOf(state)); }

void SetHeader(CaseView& view, const reg::CaseHeader& header) {
  view.set_origin_country(header.origin_country());
  view.set_host_country(header.host_country());
  view.set_return_type(NameOf(header.return_type()));
  view.set_programme(header.programme());
  view.set_region(header.region());
}

void SetReferral(CaseView& view, const std::string& id, reg::ReferralState state) {
  v1::ReferralView& referral =
      Slot(*view.mutable_referrals(), id, [](const auto& one) { return one.referral_id(); });
  referral.set_referral_id(id);
  referral.set_state(NameOf(state));
}

void AddCaseFolds(Folds& folds) {
  folds.On<reg::CaseRegistered>(
      "Case registered", "Dossier enregistré",
      [](CaseView& view, const reg::CaseRegistered& event) {
        SetState(view, reg::CASE_STATE_REGISTERED);
        view.set_person_id(event.person_id());
        view.set_reference(event.reference());
        view.set_origin_country(event.origin_country());
        view.set_host_country(event.host_country());
        view.set_return_type(NameOf(event.return_type()));
        view.set_programme(event.programme());
        view.set_region(event.region());
        view.set_responsible_organisation(event.responsible_organisation());
        view.set_adults(event.adults());
        view.set_children(event.children());
        view.set_arrival_date(event.arrival_date());
      });
  folds.On<reg::CaseHeaderChanged>(
      "Header changed", "En-tête modifié",
      [](CaseView& view, const reg::CaseHeaderChanged& event) { SetHeader(view, event.header()); });
  folds.On<reg::CaseSubmitted>("Submitted to the partner", "Soumis au partenaire",
                               [](CaseView& view, const reg::CaseSubmitted& event) {
                                 SetState(view, reg::CASE_STATE_SUBMITTED);
                                 if (event.has_header()) SetHeader(view, event.header());
                               });
  folds.On<reg::CaseAccepted>("Accepted", "Accepté",
                              [](CaseView& view, const reg::CaseAccepted& /*event*/) {
                                SetState(view, reg::CASE_STATE_ACCEPTED);
                              });
  folds.On<reg::CaseRefused>("Refused", "Refusé",
                             [](CaseView& /*view*/, const reg::CaseRefused& /*event*/) {});
  folds.On<reg::CaseArrived>("Arrived", "Arrivée confirmée",
                             [](CaseView& view, const reg::CaseArrived& event) {
                               SetState(view, reg::CASE_STATE_ARRIVED);
                               view.set_arrival_date(event.arrival_date());
                             });
  folds.On<reg::CaseAssessed>("Needs and abilities assessed", "Besoins et capacités évalués",
                              [](CaseView& view, const reg::CaseAssessed& event) {
                                if (view.state() == NameOf(reg::CASE_STATE_ARRIVED)) {
                                  SetState(view, reg::CASE_STATE_ASSESSED);
                                }
                                view.set_orientation(event.orientation());
                                view.set_adults(event.adults());
                                view.set_children(event.children());
                              });
  folds.On<reg::CaseReintegrationStarted>(
      "Reintegration started", "Réintégration commencée",
      [](CaseView& view, const reg::CaseReintegrationStarted& /*event*/) {
        SetState(view, reg::CASE_STATE_REINTEGRATING);
      });
  folds.On<reg::CaseClosed>("Case closed", "Dossier clos",
                            [](CaseView& view, const reg::CaseClosed& event) {
                              SetState(view, reg::CASE_STATE_CLOSED);
                              view.set_close_reason(NameOf(event.reason()));
                            });
  folds.On<reg::CaseReopened>("Case opened again", "Dossier rouvert",
                              [](CaseView& view, const reg::CaseReopened& event) {
                                SetState(view, event.state());
                                view.clear_close_reason();
                              });
}

void AddConsentFolds(Folds& folds) {
  const auto nothing = [](CaseView& /*view*/, const auto& /*event*/) {};
  folds.On<reg::ConsentGiven>("Consent given", "Consentement donné", nothing);
  folds.On<reg::ConsentWithdrawn>("Consent withdrawn", "Consentement retiré", nothing);
  folds.On<reg::ConsentOverridden>("Sharing without consent decided",
                                   "Partage sans consentement décidé", nothing);
  folds.On<reg::BestInterestsRecorded>("Best interests of the child determined",
                                       "Intérêt supérieur de l'enfant déterminé", nothing);
  folds.On<reg::CaseLodged>("Moved into a reception centre", "Hébergé dans un centre d'accueil",
                            nothing);
  folds.On<reg::CaseLeftCentre>("Left the reception centre", "A quitté le centre d'accueil",
                                nothing);
}

template <class Event>
void AddReferralFold(Folds& folds, const char* en, const char* fr, reg::ReferralState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    SetReferral(view, event.referral_id(), state);
  });
}

}  // namespace

void AddRegistrationFolds(Folds& folds) {
  AddCaseFolds(folds);
  AddConsentFolds(folds);
  AddReferralFold<reg::ReferralSent>(folds, "Referral sent", "Orientation envoyée",
                                     reg::REFERRAL_STATE_IN_PROGRESS);
  AddReferralFold<reg::ReferralAccepted>(folds, "Referral accepted", "Orientation acceptée",
                                         reg::REFERRAL_STATE_ACCEPTED);
  AddReferralFold<reg::ReferralRejected>(folds, "Referral rejected", "Orientation refusée",
                                         reg::REFERRAL_STATE_REJECTED);
  AddReferralFold<reg::ReferralDone>(folds, "Referral: service given", "Orientation: service rendu",
                                     reg::REFERRAL_STATE_DONE);
  AddReferralFold<reg::ReferralRevoked>(folds, "Referral taken back", "Orientation retirée",
                                        reg::REFERRAL_STATE_REVOKED);
  AddReferralFold<reg::ReferralLapsed>(folds, "Referral not answered in time",
                                       "Orientation restée sans réponse",
                                       reg::REFERRAL_STATE_LAPSED);
}

}  // namespace sankofa::monitoring
