#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/funding/v1/grant.pb.h"
#include "services/monitoring/names.h"
#include "services/monitoring/view/folds.h"

namespace sankofa::monitoring {
namespace {

namespace fund = funding::v1;
using v1::CaseView;
using v1::GrantView;
using v1::InstalmentView;

template <class Event>
GrantView& GrantOf(CaseView& view, const Event& event) {
  GrantView& grant = Slot(*view.mutable_grants(), event.grant_id(),
                          [](const auto& one) { return one.grant_id(); });
  grant.set_grant_id(event.grant_id());
  return grant;
}

InstalmentView& InstalmentOf(GrantView& grant, int number) {
  InstalmentView& instalment =
      Slot(*grant.mutable_instalments(), number, [](const auto& one) { return one.number(); });
  instalment.set_number(number);
  return instalment;
}

template <class Event>
void AddInstalmentMove(Folds& folds, const char* en, const char* fr, fund::InstalmentState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    InstalmentOf(GrantOf(view, event), event.instalment()).set_state(NameOf(state));
    return std::to_string(event.instalment());
  });
}

void AddGrantFolds(Folds& folds) {
  folds.On<fund::GrantReserved>("Grant reserved", "Subvention réservée",
                                [](CaseView& view, const fund::GrantReserved& event) {
                                  GrantView& grant = GrantOf(view, event);
                                  grant.set_state(NameOf(fund::GRANT_STATE_RESERVED));
                                  grant.set_project_id(event.project_id());
                                  grant.set_programme(event.programme());
                                  grant.set_budget_line(event.budget_line());
                                  *grant.mutable_amount() = event.amount();
                                  for (const fund::Instalment& planned : event.instalments()) {
                                    InstalmentView& instalment =
                                        InstalmentOf(grant, planned.number());
                                    instalment.set_state(NameOf(fund::INSTALMENT_STATE_PLANNED));
                                    *instalment.mutable_amount() = planned.amount();
                                  }
                                });
  folds.On<fund::GrantSigned>("Grant signed", "Subvention signée",
                              [](CaseView& view, const fund::GrantSigned& event) {
                                GrantOf(view, event).set_state(NameOf(fund::GRANT_STATE_SIGNED));
                              });
  folds.On<fund::GrantCompleted>(
      "Grant completed", "Subvention achevée",
      [](CaseView& view, const fund::GrantCompleted& event) {
        GrantOf(view, event).set_state(NameOf(fund::GRANT_STATE_COMPLETED));
      });
  folds.On<fund::GrantCancelled>(
      "Grant cancelled", "Subvention annulée",
      [](CaseView& view, const fund::GrantCancelled& event) {
        GrantView& grant = GrantOf(view, event);
        grant.set_state(NameOf(fund::GRANT_STATE_CANCELLED));
        for (InstalmentView& instalment : *grant.mutable_instalments()) {
          const bool paid = instalment.state() == NameOf(fund::INSTALMENT_STATE_PAID) ||
                            instalment.state() == NameOf(fund::INSTALMENT_STATE_PROOF_SUBMITTED) ||
                            instalment.state() == NameOf(fund::INSTALMENT_STATE_PROVEN);
          if (!paid) instalment.set_state(NameOf(fund::INSTALMENT_STATE_VOIDED));
        }
      });
  folds.On<fund::RefundRecorded>("Refund received", "Remboursement reçu",
                                 [](CaseView& /*view*/, const fund::RefundRecorded& /*event*/) {});
}

}  // namespace

void AddFundingFolds(Folds& folds) {
  AddGrantFolds(folds);
  AddInstalmentMove<fund::InstalmentRequested>(
      folds, "Instalment {} requested", "Tranche {} demandée", fund::INSTALMENT_STATE_REQUESTED);
  AddInstalmentMove<fund::InstalmentApproved>(
      folds, "Instalment {} approved", "Tranche {} approuvée", fund::INSTALMENT_STATE_APPROVED);
  AddInstalmentMove<fund::InstalmentReturned>(
      folds, "Instalment {} sent back", "Tranche {} renvoyée", fund::INSTALMENT_STATE_PLANNED);
  AddInstalmentMove<fund::InstalmentReleased>(
      folds, "Instalment {} released", "Tranche {} débloquée", fund::INSTALMENT_STATE_RELEASED);
  AddInstalmentMove<fund::InstalmentPaid>(folds, "Instalment {} paid", "Tranche {} payée",
                                          fund::INSTALMENT_STATE_PAID);
  AddInstalmentMove<fund::InstalmentFailed>(folds, "Payment of instalment {} failed",
                                            "Échec du paiement de la tranche {}",
                                            fund::INSTALMENT_STATE_FAILED);
  AddInstalmentMove<fund::ProofSubmitted>(folds, "Proof for instalment {} handed in",
                                          "Justificatif de la tranche {} remis",
                                          fund::INSTALMENT_STATE_PROOF_SUBMITTED);
  AddInstalmentMove<fund::ProofRejected>(folds, "Proof for instalment {} refused",
                                         "Justificatif de la tranche {} refusé",
                                         fund::INSTALMENT_STATE_PAID);
  AddInstalmentMove<fund::InstalmentProven>(folds, "Instalment {} proven", "Tranche {} justifiée",
                                            fund::INSTALMENT_STATE_PROVEN);
}

}  // namespace sankofa::monitoring
