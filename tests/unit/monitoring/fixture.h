#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "sankofa/monitoring/v1/alert.pb.h"
#include "sankofa/monitoring/v1/case_facts.pb.h"
#include "sankofa/monitoring/v1/follow_up.pb.h"
#include "sankofa/monitoring/v1/instrument.pb.h"
#include "sankofa/monitoring/v1/survey.pb.h"
#include "services/monitoring/commands.h"
#include "services/monitoring/follow_up/alert.h"
#include "services/monitoring/follow_up/case_facts.h"
#include "services/monitoring/follow_up/follow_up.h"
#include "services/monitoring/survey/instrument.h"
#include "services/monitoring/survey/survey.h"
#include "services/platform/time/time.h"
#include "tests/unit/harness.h"

// One case with one grant, signed on the morning of the Cameroon sitting, and everything that follows it.
namespace sankofa::monitoring {

inline const std::string kCase = "0190a000-0000-7000-8000-000000000001";
inline const std::string kOtherCase = "0190a000-0000-7000-8000-000000000002";
inline const std::string kGrant = "0190b000-0000-7000-8000-000000000001";

inline void BindAll(engine::Registry& registry) { BindCommands(registry); }

// Noon of a day, "2017-07-30".
inline absl::Time Noon(const std::string& day) {
  return absl::FromCivil(absl::CivilHour(*time::ParseDay(day)) + 12, absl::UTCTimeZone());
}
inline engine::Context On(const std::string& day) {
  return test::At(Noon(day), {"follow_up_officer"});
}

inline v1::RecordCaseFactRequest Fact(v1::CaseFact fact, const std::string& case_id = kCase) {
  v1::RecordCaseFactRequest request;
  request.set_case_id(case_id);
  *request.mutable_fact() = std::move(fact);
  return request;
}

inline v1::CaseFact Header(const std::string& registered_date = "2017-01-15") {
  v1::CaseFact fact;
  v1::HeaderFact& header = *fact.mutable_header();
  header.set_registered_date(registered_date);
  header.set_origin_country("CM");
  header.set_host_country("FR");
  header.set_return_type("VOLUNTARY_RETURN");
  header.set_programme("ofii-cm-2017");
  header.set_region("littoral");
  header.set_responsible_organisation("minrex");
  return fact;
}

inline v1::PlanFollowUpRequest Plan(const std::string& kind = "BUSINESS_CREATION",
                                    const std::string& grant_id = kGrant) {
  v1::PlanFollowUpRequest request;
  request.set_grant_id(grant_id);
  request.set_case_id(kCase);
  request.set_project_id("0190c000-0000-7000-8000-000000000001");
  request.set_programme("ofii-cm-2017");
  request.set_kind(kind);
  request.set_sector("agriculture");
  request.set_start_date("2017-06-30");
  return request;
}

inline v1::RecordVisitRequest Visited(int number, const std::string& day) {
  v1::RecordVisitRequest request;
  request.set_follow_up_id(kGrant);
  request.set_visit_number(number);
  request.set_visit_date(day);
  request.set_business_status(v1::BUSINESS_STATUS_RUNNING);
  request.set_jobs(2);
  request.set_observations("The shop is open and well stocked.");
  request.add_documents()->set_reference("photo-17");
  return request;
}

inline v1::RescheduleVisitRequest Moved(int number, const std::string& day) {
  v1::RescheduleVisitRequest request;
  request.set_follow_up_id(kGrant);
  request.set_visit_number(number);
  request.set_planned_date(day);
  return request;
}

inline v1::MissVisitRequest Missed(int number) {
  v1::MissVisitRequest request;
  request.set_follow_up_id(kGrant);
  request.set_visit_number(number);
  return request;
}

inline v1::CloseFollowUpRequest Close(v1::FollowUpCloseReason reason) {
  v1::CloseFollowUpRequest request;
  request.set_follow_up_id(kGrant);
  request.set_close_reason(reason);
  return request;
}

inline v1::CancelFollowUpRequest Cancel() {
  v1::CancelFollowUpRequest request;
  request.set_grant_id(kGrant);
  request.set_case_id(kCase);
  return request;
}

inline v1::EraseCaseRequest Erase(const std::string& case_id = kCase) {
  v1::EraseCaseRequest request;
  request.set_case_id(case_id);
  return request;
}

inline v1::RecordCaseFactRequest Ended(bool visits_ended) {
  v1::CaseFact fact;
  fact.mutable_closure()->set_close_reason(visits_ended ? "DECEASED" : "COMPLETED");
  fact.mutable_closure()->set_visits_ended(visits_ended);
  return Fact(fact);
}

// Our own instrument, as it is shipped.
inline std::string ShippedYaml() {
  std::ifstream file("tests/data/instruments/sankofa-sustainability-1.yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline v1::PublishInstrumentRequest Publish(const std::string& yaml = ShippedYaml(),
                                            const std::string& code = "sankofa-sustainability") {
  v1::PublishInstrumentRequest request;
  request.set_code(code);
  request.set_yaml(yaml);
  return request;
}

// Every question answered with its last answer, which is the best one in our instrument, or with its first.
inline v1::RecordSurveyRequest Surveyed(const v1::InstrumentDefinition& definition, bool best,
                                        int window = 6, const std::string& day = "2017-12-30") {
  v1::RecordSurveyRequest request;
  request.set_case_id(kCase);
  request.set_follow_up_id(kGrant);
  request.set_window_months(window);
  request.set_instrument(definition.code());
  request.set_instrument_version(definition.version());
  request.set_taken_date(day);
  for (const v1::Question& question : definition.questions()) {
    v1::SurveyAnswer& answer = *request.add_answers();
    answer.set_question(question.id());
    answer.set_answer(best ? question.answers(question.answers_size() - 1).id()
                           : question.answers(0).id());
  }
  return request;
}

class MonitoringTest : public ::testing::Test {
 protected:
  MonitoringTest() : world(BindAll) {}

  void Begin(const std::string& kind = "BUSINESS_CREATION") {
    ASSERT_TRUE(world.Send(Fact(Header()), On("2017-01-15")).ok());
    ASSERT_TRUE(world.Send(Plan(kind), On("2017-06-30")).ok());
  }
  v1::FollowUp& follow_up() { return world.Get<v1::FollowUp>(kGrant); }
  v1::CaseFacts& facts() { return world.Get<v1::CaseFacts>(kCase); }
  template <class Request>
  std::string Send(const Request& request, const std::string& day) {
    return test::Reason(world.Send(request, On(day)));
  }

  test::World world;
};

}  // namespace sankofa::monitoring
