#include "services/monitoring/survey/survey.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/alert.pb.h"
#include "sankofa/monitoring/v1/case_facts.pb.h"
#include "sankofa/monitoring/v1/follow_up.pb.h"
#include "sankofa/monitoring/v1/instrument.pb.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/monitoring/follow_up/alert.h"
#include "services/monitoring/survey/scoring.h"
#include "services/platform/status/check.h"
#include "services/platform/time/time.h"

namespace sankofa::monitoring {
namespace {

using status::Refuse;
using status::RefuseField;

std::string AlertId(const std::string& survey_id) { return absl::StrCat("survey:", survey_id); }

absl::CivilDay DayIn(const std::string& iso_day) {
  const auto day = time::ParseDay(iso_day);
  status::Check(day.has_value(), "a day that was checked before is none");
  return *day;
}

// The version of the instrument that was used; null where there is none.
const v1::InstrumentDefinition* DefinitionOf(const v1::Instrument& instrument, int version) {
  if (version < 1 || version > instrument.versions_size()) return nullptr;
  return &instrument.versions(version - 1).definition();
}

// The day lies where the instrument wants the window's surveys to be taken.
absl::Status CheckWindow(const v1::InstrumentDefinition& definition, const v1::FollowUp& follow_up,
                         const v1::RecordSurveyRequest& request) {
  const auto& windows = definition.windows_months();
  if (std::find(windows.begin(), windows.end(), request.window_months()) == windows.end()) {
    return RefuseField(v1::REASON_WINDOW_UNKNOWN, "window_months");
  }
  const absl::CivilDay window =
      time::AddMonths(DayIn(follow_up.start_date()), request.window_months());
  const absl::CivilDay taken = DayIn(request.taken_date());
  if (taken < window - definition.days_before() || taken > window + definition.days_after()) {
    return RefuseField(v1::REASON_OUTSIDE_WINDOW, "taken_date");
  }
  return absl::OkStatus();
}

v1::CaseFactRecorded FactOf(const v1::SurveyRecorded& survey) {
  v1::CaseFactRecorded event;
  event.set_case_id(survey.case_id());
  v1::SurveyFact& fact = *event.mutable_fact()->mutable_survey();
  fact.set_window_months(survey.window_months());
  fact.set_economic(survey.scores().economic());
  fact.set_social(survey.scores().social());
  fact.set_psychosocial(survey.scores().psychosocial());
  fact.set_composite(survey.scores().composite());
  return event;
}

}  // namespace

std::string SurveyId(const std::string& case_id, int window_months) {
  return absl::StrCat(case_id, ":", window_months);
}

engine::Decision SurveyDecider::Decide(const State& state, const v1::RecordSurveyRequest& request,
                                       const engine::Context& context) {
  if (context.Related<v1::CaseFacts>(request.case_id()).erased()) {
    return Refuse(v1::REASON_CASE_ERASED);
  }
  if (!state.id().empty()) return Refuse(v1::REASON_SURVEY_ALREADY_RECORDED);
  const auto& follow_up = context.Related<v1::FollowUp>(request.follow_up_id());
  if (follow_up.id().empty()) return RefuseField(v1::REASON_FOLLOW_UP_UNKNOWN, "follow_up_id");
  if (follow_up.case_id() != request.case_id()) {
    return RefuseField(v1::REASON_FOLLOW_UP_OF_ANOTHER_CASE, "follow_up_id");
  }
  if (follow_up.state() != v1::FOLLOW_UP_STATE_ACTIVE) {
    return Refuse(v1::REASON_FOLLOW_UP_NOT_ACTIVE);
  }
  const auto* definition = DefinitionOf(context.Related<v1::Instrument>(request.instrument()),
                                        request.instrument_version());
  if (definition == nullptr) return RefuseField(v1::REASON_INSTRUMENT_UNKNOWN, "instrument");
  if (auto window = CheckWindow(*definition, follow_up, request); !window.ok()) return window;
  const auto scores = Score(*definition, request.answers());
  if (!scores.ok()) return scores.status();

  v1::SurveyRecorded event;
  event.set_survey_id(SurveyId(request.case_id(), request.window_months()));
  event.set_case_id(request.case_id());
  event.set_follow_up_id(request.follow_up_id());
  event.set_window_months(request.window_months());
  event.set_instrument(request.instrument());
  event.set_instrument_version(request.instrument_version());
  event.set_taken_date(request.taken_date());
  *event.mutable_scores() = *scores;
  *event.mutable_record_time() = time::ToTimestamp(context.now);
  *event.mutable_answers() = request.answers();
  event.set_remarks(request.remarks());

  const v1::CaseFactRecorded fact = FactOf(event);
  const std::string survey_id = event.survey_id();
  engine::Events events = engine::Emit(std::move(event));
  events.AddTo<v1::CaseFacts>(request.case_id(), fact);
  const std::vector<std::string> low = LowScores(*definition, *scores);
  if (!low.empty()) {
    v1::AlertRaised alert;
    alert.set_alert_id(AlertId(survey_id));
    alert.set_case_id(request.case_id());
    alert.set_kind(v1::ALERT_KIND_LOW_SCORE);
    alert.set_follow_up_id(request.follow_up_id());
    alert.set_window_months(request.window_months());
    for (const std::string& name : low) alert.add_low_scores(name);
    AddAlert(events, std::move(alert), context);
  }
  return events;
}

void SurveyDecider::Apply(State& state, const v1::SurveyRecorded& event) {
  state.set_id(event.survey_id());
  state.set_case_id(event.case_id());
  state.set_follow_up_id(event.follow_up_id());
  state.set_window_months(event.window_months());
  state.set_instrument(event.instrument());
  state.set_instrument_version(event.instrument_version());
  state.set_taken_date(event.taken_date());
  *state.mutable_scores() = event.scores();
  *state.mutable_record_time() = event.record_time();
  *state.mutable_answers() = event.answers();
  state.set_remarks(event.remarks());
}

const engine::Table& SurveyDecider::ProjectTable() {
  static const engine::Table table{
      .name = "survey",
      .columns = {"case_id", "follow_up_id", "window_months", "instrument", "instrument_version",
                  "taken_date", "economic", "social", "psychosocial", "composite"},
      .types = {"text", "text", "integer", "text", "integer", "date", "integer", "integer",
                "integer", "integer"}};
  return table;
}

std::vector<engine::Row> SurveyDecider::Project(const State& state) {
  return {
      {{state.case_id(), state.follow_up_id(), absl::StrCat(state.window_months()),
        state.instrument(), absl::StrCat(state.instrument_version()), state.taken_date(),
        absl::StrCat(state.scores().economic()), absl::StrCat(state.scores().social()),
        absl::StrCat(state.scores().psychosocial()), absl::StrCat(state.scores().composite())}}};
}

void BindSurvey(engine::Registry& registry) {
  using engine::Names;
  registry.Command<SurveyDecider, v1::RecordSurveyRequest>(
      {.target = engine::Target::kEither,
       .id =
           [](const auto& request) { return SurveyId(request.case_id(), request.window_months()); },
       .names =
           [](const auto& request, const auto& /*state*/, Names& names) {
             names.Add<v1::CaseFacts>(request.case_id());
             names.Add<v1::FollowUp>(request.follow_up_id());
             names.Add<v1::Instrument>(request.instrument());
             names.Add<v1::Alert>(AlertId(SurveyId(request.case_id(), request.window_months())));
           }});
}

}  // namespace sankofa::monitoring
