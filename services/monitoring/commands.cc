#include "services/monitoring/commands.h"

#include "services/monitoring/follow_up/alert.h"
#include "services/monitoring/follow_up/case_facts.h"
#include "services/monitoring/follow_up/follow_up.h"
#include "services/monitoring/indicators/statistics.h"
#include "services/monitoring/survey/instrument.h"
#include "services/monitoring/survey/survey.h"

namespace sankofa::monitoring {

void BindCommands(engine::Registry& registry) {
  BindFollowUp(registry);
  BindAlert(registry);
  BindCaseFacts(registry);
  BindInstrument(registry);
  BindSurvey(registry);
  BindStatistics(registry);
}

}  // namespace sankofa::monitoring
