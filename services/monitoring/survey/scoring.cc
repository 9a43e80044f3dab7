#include "services/monitoring/survey/scoring.h"

#include <array>
#include <set>

#include "absl/strings/str_cat.h"
#include "sankofa/monitoring/v1/monitoring_reason.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::monitoring {
namespace {

using status::RefuseField;

// A mean by weight, before the division.
struct Mean {
  std::int64_t sum = 0;
  std::int64_t weights = 0;
  void Add(std::int64_t weight, std::int64_t score) {
    sum += weight * score;
    weights += weight;
  }
};

const v1::Question* FindQuestion(const v1::InstrumentDefinition& definition,
                                 const std::string& id) {
  for (const v1::Question& question : definition.questions()) {
    if (question.id() == id) return &question;
  }
  return nullptr;
}

const v1::AnswerOption* FindAnswer(const v1::Question& question, const std::string& id) {
  for (const v1::AnswerOption& answer : question.answers()) {
    if (answer.id() == id) return &answer;
  }
  return nullptr;
}

std::int32_t ScoreOf(const v1::Scores& scores, v1::Dimension dimension) {
  switch (dimension) {
    case v1::DIMENSION_ECONOMIC: return scores.economic();
    case v1::DIMENSION_SOCIAL: return scores.social();
    default: return scores.psychosocial();
  }
}

constexpr const char* NameOf(v1::Dimension dimension) {
  switch (dimension) {
    case v1::DIMENSION_ECONOMIC: return "economic";
    case v1::DIMENSION_SOCIAL: return "social";
    default: return "psychosocial";
  }
}

}  // namespace

std::int64_t DivideHalfUp(std::int64_t numerator, std::int64_t denominator) {
  status::Check(numerator >= 0 && denominator > 0, "a mean of negative scores or of nothing");
  return (2 * numerator + denominator) / (2 * denominator);
}

absl::StatusOr<v1::Scores> Score(
    const v1::InstrumentDefinition& definition,
    const google::protobuf::RepeatedPtrField<v1::SurveyAnswer>& answers) {
  std::array<Mean, v1::Dimension_ARRAYSIZE> means;
  std::set<std::string> answered;
  for (int i = 0; i < answers.size(); ++i) {
    const std::string path = absl::StrCat("answers[", i, "]");
    const v1::Question* question = FindQuestion(definition, answers[i].question());
    if (question == nullptr) {
      return RefuseField(v1::REASON_QUESTION_UNKNOWN, absl::StrCat(path, ".question"));
    }
    if (!answered.insert(question->id()).second) {
      return RefuseField(v1::REASON_QUESTION_ANSWERED_TWICE, absl::StrCat(path, ".question"));
    }
    const v1::AnswerOption* answer = FindAnswer(*question, answers[i].answer());
    if (answer == nullptr) {
      return RefuseField(v1::REASON_ANSWER_OUTSIDE_INSTRUMENT, absl::StrCat(path, ".answer"));
    }
    means.at(question->dimension()).Add(question->weight(), answer->score());
  }
  for (const v1::Question& question : definition.questions()) {
    if (!question.optional() && !answered.contains(question.id())) {
      return RefuseField(v1::REASON_ANSWER_MISSING, "answers", question.id());
    }
  }
  for (const v1::DimensionDefinition& dimension : definition.dimensions()) {
    if (means.at(dimension.dimension()).weights == 0) {
      return RefuseField(v1::REASON_DIMENSION_UNANSWERED, "answers", NameOf(dimension.dimension()));
    }
  }

  const auto rounded = [](const Mean& mean) {
    return static_cast<std::int32_t>(DivideHalfUp(mean.sum, mean.weights));
  };
  v1::Scores scores;
  scores.set_economic(rounded(means[v1::DIMENSION_ECONOMIC]));
  scores.set_social(rounded(means[v1::DIMENSION_SOCIAL]));
  scores.set_psychosocial(rounded(means[v1::DIMENSION_PSYCHOSOCIAL]));
  Mean composite;
  for (const v1::DimensionDefinition& dimension : definition.dimensions()) {
    composite.Add(dimension.weight(), ScoreOf(scores, dimension.dimension()));
  }
  scores.set_composite(rounded(composite));
  return scores;
}

std::vector<std::string> LowScores(const v1::InstrumentDefinition& definition,
                                   const v1::Scores& scores) {
  std::vector<std::string> low;
  for (const v1::DimensionDefinition& dimension : definition.dimensions()) {
    if (ScoreOf(scores, dimension.dimension()) < dimension.alert_below()) {
      low.emplace_back(NameOf(dimension.dimension()));
    }
  }
  if (scores.composite() < definition.composite_alert_below()) low.emplace_back("composite");
  return low;
}

}  // namespace sankofa::monitoring
