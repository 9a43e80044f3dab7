#pragma once

#include <string>
#include <vector>

#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "sankofa/monitoring/v1/survey.pb.h"
#include "services/platform/engine/decider.h"
#include "services/platform/engine/registry.h"

namespace sankofa::monitoring {

// One survey of one case in one window: its id is made of both, so there can't be a second. Recorded once, with the
// scores of the instrument's version that was used; that version never changes.
struct SurveyDecider {
  using State = v1::Survey;
  using EventTypes = engine::EventTypes<v1::SurveyRecorded>;

  static engine::Decision Decide(const State&, const v1::RecordSurveyRequest&,
                                 const engine::Context&);
  static void Apply(State&, const v1::SurveyRecorded&);

  static std::vector<engine::Row> Project(const State&);
  static const engine::Table& ProjectTable();
};

[[nodiscard]] std::string SurveyId(const std::string& case_id, int window_months);

void BindSurvey(engine::Registry& registry);

}  // namespace sankofa::monitoring
