#include "tests/unit/monitoring/events.h"

namespace sankofa::monitoring {

namespace reg = registration::v1;
namespace val = validation::v1;
namespace fund = funding::v1;

std::vector<engine::IncomingEvent> Story() {
  absl::Time now = Noon("2017-01-15");
  std::vector<engine::IncomingEvent> events;
  const auto add = [&](const std::string& type, const std::string& id, int sequence,
                       const auto& event) {
    now += absl::Hours(24);
    events.push_back(Published(type, id, sequence, event, now));
  };
  reg::CaseSubmitted submitted;
  submitted.set_case_id(kCase);
  reg::CaseAccepted accepted;
  accepted.set_case_id(kCase);
  reg::CaseReintegrationStarted started;
  started.set_case_id(kCase);
  reg::ReferralSent referral;
  referral.set_referral_id("r1");
  referral.set_case_id(kCase);
  val::ProjectDrafted drafted;
  drafted.set_project_id("p1");
  drafted.set_case_id(kCase);
  val::ProjectFoundFeasible feasible;
  feasible.set_project_id("p1");
  feasible.set_case_id(kCase);
  val::ProjectScheduled scheduled;
  scheduled.set_project_id("p1");
  scheduled.set_case_id(kCase);
  scheduled.set_session_date("2017-05-30");
  v1::FollowUpPlanned planned;
  planned.set_follow_up_id("g1");
  planned.set_case_id(kCase);
  for (const int months : {1, 6}) {
    v1::Visit& visit = *planned.add_visits();
    visit.set_number(planned.visits_size());
    visit.set_months(months);
    visit.set_planned_date("2017-07-30");
    visit.set_state(v1::VISIT_STATE_PLANNED);
  }
  v1::VisitRecorded visited;
  visited.set_follow_up_id("g1");
  visited.set_case_id(kCase);
  visited.set_visit_number(1);
  visited.set_months(1);
  visited.set_visit_date("2017-07-30");
  visited.set_business_status(v1::BUSINESS_STATUS_RUNNING);
  visited.set_jobs(2);
  visited.set_observations("Never to be seen in a view.");
  v1::SurveyRecorded survey;
  survey.set_survey_id("s1");
  survey.set_case_id(kCase);
  survey.set_window_months(6);
  survey.mutable_scores()->set_composite(345);
  v1::AlertRaised alert;
  alert.set_alert_id("a1");
  alert.set_case_id(kCase);
  alert.set_kind(v1::ALERT_KIND_LOW_SCORE);

  add("Case", kCase, 1, Registered());
  add("Case", kCase, 2, submitted);
  add("Case", kCase, 3, accepted);
  add("Case", kCase, 4, Arrived());
  add("Case", kCase, 5, Assessed());
  add("Referral", "r1", 1, referral);
  add("LifeProject", "p1", 1, drafted);
  add("LifeProject", "p1", 2, Submitted("p1"));
  add("LifeProject", "p1", 3, feasible);
  add("LifeProject", "p1", 4, scheduled);
  add("LifeProject", "p1", 5, Approved("p1"));
  add("Case", kCase, 6, started);
  add("Grant", "g1", 1, Reserved("g1"));
  add("Grant", "g1", 2, Signed("g1"));
  add("FollowUp", "g1", 1, planned);
  add("Grant", "g1", 3, InstalmentEvent<fund::InstalmentRequested>("g1", 1));
  add("Grant", "g1", 4, InstalmentEvent<fund::InstalmentApproved>("g1", 1));
  add("Grant", "g1", 5, InstalmentEvent<fund::InstalmentReleased>("g1", 1));
  add("Grant", "g1", 6, InstalmentEvent<fund::InstalmentPaid>("g1", 1));
  add("FollowUp", "g1", 2, visited);
  add("Survey", "s1", 1, survey);
  add("Alert", "a1", 1, alert);
  return events;
}

}  // namespace sankofa::monitoring
