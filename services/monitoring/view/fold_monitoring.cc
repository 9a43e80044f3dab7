#include "sankofa/monitoring/v1/alert.pb.h"
#include "sankofa/monitoring/v1/follow_up.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "services/monitoring/names.h"
#include "services/monitoring/view/folds.h"

namespace sankofa::monitoring {
namespace {

using v1::CaseView;
using v1::FollowUpView;
using v1::VisitView;

template <class Event>
FollowUpView& FollowUpOf(CaseView& view, const Event& event) {
  FollowUpView& follow_up = Slot(*view.mutable_follow_ups(), event.follow_up_id(),
                                 [](const auto& one) { return one.follow_up_id(); });
  follow_up.set_follow_up_id(event.follow_up_id());
  return follow_up;
}

VisitView& VisitOf(FollowUpView& follow_up, int number) {
  VisitView& visit =
      Slot(*follow_up.mutable_visits(), number, [](const auto& one) { return one.number(); });
  visit.set_number(number);
  return visit;
}

template <class Event>
v1::AlertView& AlertOf(CaseView& view, const Event& event) {
  v1::AlertView& alert = Slot(*view.mutable_alerts(), event.alert_id(),
                              [](const auto& one) { return one.alert_id(); });
  alert.set_alert_id(event.alert_id());
  return alert;
}

template <class Event>
void AddAlertMove(Folds& folds, const char* en, const char* fr, v1::AlertState state) {
  folds.On<Event>(en, fr, [state](CaseView& view, const Event& event) {
    AlertOf(view, event).set_state(NameOf(state));
  });
}

void AddFollowUpFolds(Folds& folds) {
  folds.On<v1::FollowUpPlanned>("Follow-up planned", "Suivi planifié",
                                [](CaseView& view, const v1::FollowUpPlanned& event) {
                                  FollowUpView& follow_up = FollowUpOf(view, event);
                                  follow_up.set_state(NameOf(v1::FOLLOW_UP_STATE_ACTIVE));
                                  for (const v1::Visit& planned : event.visits()) {
                                    VisitView& visit = VisitOf(follow_up, planned.number());
                                    visit.set_months(planned.months());
                                    visit.set_planned_date(planned.planned_date());
                                    visit.set_state(NameOf(planned.state()));
                                  }
                                });
  folds.On<v1::VisitRecorded>("Visit at {} months made", "Visite à {} mois effectuée",
                              [](CaseView& view, const v1::VisitRecorded& event) {
                                VisitView& visit =
                                    VisitOf(FollowUpOf(view, event), event.visit_number());
                                visit.set_state(NameOf(v1::VISIT_STATE_RECORDED));
                                visit.set_visit_date(event.visit_date());
                                visit.set_business_status(NameOf(event.business_status()));
                                visit.set_jobs(event.jobs());
                                return std::to_string(event.months());
                              });
  folds.On<v1::VisitMissed>("Visit at {} months missed", "Visite à {} mois manquée",
                            [](CaseView& view, const v1::VisitMissed& event) {
                              VisitOf(FollowUpOf(view, event), event.visit_number())
                                  .set_state(NameOf(v1::VISIT_STATE_MISSED));
                              return std::to_string(event.months());
                            });
  folds.On<v1::VisitRescheduled>("Visit moved to {}", "Visite reportée au {}",
                                 [](CaseView& view, const v1::VisitRescheduled& event) {
                                   VisitView& visit =
                                       VisitOf(FollowUpOf(view, event), event.visit_number());
                                   visit.set_state(NameOf(v1::VISIT_STATE_PLANNED));
                                   visit.set_planned_date(event.planned_date());
                                   return event.planned_date();
                                 });
  folds.On<v1::FollowUpClosed>("Follow-up closed", "Suivi clos",
                               [](CaseView& view, const v1::FollowUpClosed& event) {
                                 FollowUpView& follow_up = FollowUpOf(view, event);
                                 follow_up.set_state(NameOf(v1::FOLLOW_UP_STATE_CLOSED));
                                 for (VisitView& visit : *follow_up.mutable_visits()) {
                                   if (visit.state() == NameOf(v1::VISIT_STATE_PLANNED)) {
                                     visit.set_state(NameOf(v1::VISIT_STATE_CANCELLED));
                                   }
                                 }
                               });
}

}  // namespace

void AddMonitoringFolds(Folds& folds) {
  AddFollowUpFolds(folds);
  folds.On<v1::SurveyRecorded>("Survey at {} months recorded", "Enquête à {} mois enregistrée",
                               [](CaseView& view, const v1::SurveyRecorded& event) {
                                 v1::SurveyView& survey =
                                     Slot(*view.mutable_surveys(), event.window_months(),
                                          [](const auto& one) { return one.window_months(); });
                                 survey.set_window_months(event.window_months());
                                 survey.set_instrument(event.instrument());
                                 survey.set_instrument_version(event.instrument_version());
                                 survey.set_taken_date(event.taken_date());
                                 survey.set_economic(event.scores().economic());
                                 survey.set_social(event.scores().social());
                                 survey.set_psychosocial(event.scores().psychosocial());
                                 survey.set_composite(event.scores().composite());
                                 return std::to_string(event.window_months());
                               });
  folds.On<v1::AlertRaised>("Alert raised", "Alerte signalée",
                            [](CaseView& view, const v1::AlertRaised& event) {
                              v1::AlertView& alert = AlertOf(view, event);
                              alert.set_kind(NameOf(event.kind()));
                              alert.set_state(NameOf(v1::ALERT_STATE_RAISED));
                              *alert.mutable_deadline_time() = event.deadline_time();
                            });
  AddAlertMove<v1::AlertAcknowledged>(folds, "Alert taken on", "Alerte prise en charge",
                                      v1::ALERT_STATE_ACKNOWLEDGED);
  AddAlertMove<v1::AlertEscalated>(folds, "Alert escalated", "Alerte transmise à la hiérarchie",
                                   v1::ALERT_STATE_ESCALATED);
  AddAlertMove<v1::AlertResolved>(folds, "Alert resolved", "Alerte résolue",
                                  v1::ALERT_STATE_RESOLVED);
}

}  // namespace sankofa::monitoring
