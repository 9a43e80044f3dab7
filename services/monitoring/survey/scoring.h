#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "sankofa/monitoring/v1/instrument.pb.h"
#include "sankofa/monitoring/v1/survey.pb.h"

// Scores in whole thousandths, by integers alone:
//
//     dimension = round( Σ weight · score  /  Σ weight )        over the questions answered in it
//     composite = round( Σ weight · dimension  /  Σ weight )    over the three rounded dimensions
//
// round() is half up: 0.5 thousandths become 1. The composite is taken from the rounded dimensions, so that everybody
// can check it by hand from what is shown.
namespace sankofa::monitoring {

// Refused where an answer is outside the instrument, a question is answered twice or not at all, or a dimension has no
// answer. Fields are named as in RecordSurveyRequest: "answers[2].answer".
[[nodiscard]] absl::StatusOr<v1::Scores> Score(
    const v1::InstrumentDefinition& definition,
    const google::protobuf::RepeatedPtrField<v1::SurveyAnswer>& answers);

// What lies below the instrument's thresholds: "economic", "social", "psychosocial", "composite".
[[nodiscard]] std::vector<std::string> LowScores(const v1::InstrumentDefinition& definition,
                                                 const v1::Scores& scores);

// numerator / denominator, half up. Both at least 0, the denominator above it.
[[nodiscard]] std::int64_t DivideHalfUp(std::int64_t numerator, std::int64_t denominator);

}  // namespace sankofa::monitoring
