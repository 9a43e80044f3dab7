#include "sankofa/registration/v1/case.pb.h"
#include "sankofa/registration/v1/hand_over.pb.h"
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
v1::HandOverView& HandOverOf(CaseView& view, const Event& event) {
  v1::HandOverView& hand_over =
      Slot(*view.mutable_hand_overs(), event.hand_over_id(),
           [](const v1::HandOverView& one) { return one.hand_over_id(); });
  hand_over.set_hand_over_id(event.hand_over_id());
  return hand_over;
}

template <class Event>
void AddHandOverMove(Folds& folds, const char* en, const char* fr, reg::HandOverState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    HandOverOf(view, event).set_state(NameOf(state));
  });
}

void AddHandOverFolds(Folds& folds) {
  folds.On<reg::HandOverOffered>("Hand-over offered to {}",
                                 "Transfert de responsabilité proposé à {}",
                                 [](CaseView& view, const reg::HandOverOffered& event) {
                                   v1::HandOverView& hand_over = HandOverOf(view, event);
                                   hand_over.set_state(NameOf(reg::HAND_OVER_STATE_OFFERED));
                                   hand_over.set_from_node(event.from_node());
                                   hand_over.set_to_node(event.to_node());
                                   *hand_over.mutable_answer_due_time() = event.answer_due_time();
                                   return event.to_node();
                                 });
  AddHandOverMove<reg::HandOverAccepted>(folds, "Hand-over accepted",
                                         "Transfert de responsabilité accepté",
                                         reg::HAND_OVER_STATE_ACCEPTED);
  AddHandOverMove<reg::HandOverDeclined>(folds, "Hand-over declined",
                                         "Transfert de responsabilité décliné",
                                         reg::HAND_OVER_STATE_DECLINED);
  AddHandOverMove<reg::HandOverCompleted>(folds, "Handed over, signed by both",
                                          "Responsabilité transférée, signée des deux parties",
                                          reg::HAND_OVER_STATE_COMPLETED);
  AddHandOverMove<reg::HandOverLapsed>(folds, "Hand-over lapsed without an answer in time",
                                       "Transfert de responsabilité resté sans réponse à temps",
                                       reg::HAND_OVER_STATE_LAPSED);
  folds.On<reg::CaseResponsibilityChanged>(
      "{} answers for the case", "{} répond du dossier",
      [](CaseView& view, const reg::CaseResponsibilityChanged& event) {
        view.set_responsible_organisation(event.responsible_organisation());
        view.set_responsible_node(event.responsible_node());
        return event.responsible_organisation();
      });
  folds.On<reg::PartnerDataErased>(
      "What {} had disclosed was erased", "Les données communiquées par {} ont été effacées",
      [](CaseView& /*view*/, const reg::PartnerDataErased& event) { return event.partner(); });
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
  AddHandOverFolds(folds);
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
