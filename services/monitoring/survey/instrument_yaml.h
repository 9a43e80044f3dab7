#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sankofa/monitoring/v1/instrument.pb.h"

// The written form of an instrument. See tests/data/instruments/sankofa-sustainability-1.yaml for one with everything.
//
//     code: example                     lower-case letters, digits, hyphens
//     version: 1
//     title: {en: Example, fr: Exemple}
//     windows: {months: [6, 12], days_before: 30, days_after: 60}
//     dimensions:                       all three; alert_below may be left out
//       economic: {weight: 1, alert_below: 0.35}
//       social: {weight: 1}
//       psychosocial: {weight: 1}
//     composite: {alert_below: 0.4}     may be left out
//     questions:
//       - id: income
//         dimension: economic
//         weight: 2
//         optional: false               may be left out
//         text: {en: …, fr: …}
//         answers:
//           - {id: none, score: 0, text: {en: …, fr: …}}
//
// Scores are decimals from 0 to 1 with at most three places. Anchors, aliases, tags, keys that are not known or stand
// twice, and anything over the limits below are refused.
namespace sankofa::monitoring {

inline constexpr int kYamlBytesMax = 32 * 1024;
inline constexpr int kQuestionsMax = 100;
inline constexpr int kAnswersMax = 20;
inline constexpr int kWeightMax = 1000;
inline constexpr int kTextBytesMax = 1000;
inline constexpr int kWindowsMax = 24;
inline constexpr int kWindowDaysMax = 365;

// Refused with INSTRUMENT_INVALID and the place, as a path from `yaml`: "yaml.questions[3].answers[1].score".
[[nodiscard]] absl::StatusOr<v1::InstrumentDefinition> ParseInstrument(const std::string& yaml);

}  // namespace sankofa::monitoring
