#include "services/monitoring/survey/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <map>

#include "services/monitoring/survey/instrument_yaml.h"
#include "services/monitoring/survey/scoring.h"
#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const v1::InstrumentDefinition& Shipped() {
  static const v1::InstrumentDefinition definition = *ParseInstrument(ShippedYaml());
  return definition;
}

class SurveyTest : public MonitoringTest {
 protected:
  void SetUp() override {
    Begin();
    ASSERT_EQ(Send(Publish(), "2017-07-01"), "OK");
  }
  v1::Survey& survey(int window = 6) { return world.Get<v1::Survey>(SurveyId(kCase, window)); }
};

TEST_F(SurveyTest, IsScoredAndCounted) {
  ASSERT_EQ(Send(Surveyed(Shipped(), true), "2017-12-31"), "OK");
  EXPECT_EQ(survey().scores().composite(), 1000);
  EXPECT_EQ(survey().instrument_version(), 1);
  ASSERT_THAT(facts().surveys(), SizeIs(1));
  EXPECT_EQ(facts().surveys(0).composite(), 1000);
  EXPECT_THAT(world.All<v1::Alert>(), IsEmpty());
}

TEST_F(SurveyTest, ALowScoreRaisesAnAlert) {
  ASSERT_EQ(Send(Surveyed(Shipped(), false), "2017-12-31"), "OK");
  EXPECT_EQ(survey().scores().composite(), 0);
  const auto* alert = world.Last<v1::AlertRaised>();
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->kind(), v1::ALERT_KIND_LOW_SCORE);
  EXPECT_EQ(alert->owner_organisation(), "minrex");
  EXPECT_THAT(alert->low_scores(), ElementsAre("economic", "social", "psychosocial", "composite"));
  EXPECT_THAT(facts().open_alerts(), ElementsAre(alert->alert_id()));
}

TEST_F(SurveyTest, IsTakenOnceInAWindow) {
  ASSERT_EQ(Send(Surveyed(Shipped(), true), "2017-12-31"), "OK");
  EXPECT_EQ(Send(Surveyed(Shipped(), false), "2017-12-31"), "SURVEY_ALREADY_RECORDED");
  EXPECT_EQ(Send(Surveyed(Shipped(), true, 12, "2018-06-30"), "2018-06-30"), "OK");
  EXPECT_THAT(world.All<v1::Survey>(), SizeIs(2));
}

TEST_F(SurveyTest, IsTakenInsideItsWindow) {
  // 30 days before 30 December to 60 days after it.
  EXPECT_EQ(Send(Surveyed(Shipped(), true, 6, "2017-11-29"), "2018-12-31"), "OUTSIDE_WINDOW");
  EXPECT_EQ(Send(Surveyed(Shipped(), true, 6, "2018-03-01"), "2018-12-31"), "OUTSIDE_WINDOW");
  EXPECT_EQ(Send(Surveyed(Shipped(), true, 7, "2017-12-30"), "2018-12-31"), "WINDOW_UNKNOWN");
  EXPECT_EQ(Send(Surveyed(Shipped(), true, 6, "2018-02-28"), "2018-12-31"), "OK");
}

TEST_F(SurveyTest, BelongsToAFollowUpOfItsCase) {
  v1::RecordSurveyRequest request = Surveyed(Shipped(), true);
  request.set_follow_up_id(kOtherCase);
  EXPECT_EQ(Send(request, "2017-12-31"), "FOLLOW_UP_UNKNOWN");
  request = Surveyed(Shipped(), true);
  request.set_case_id(kOtherCase);
  EXPECT_EQ(Send(request, "2017-12-31"), "FOLLOW_UP_OF_ANOTHER_CASE");
}

TEST_F(SurveyTest, NamesAVersionThatWasPublished) {
  v1::RecordSurveyRequest request = Surveyed(Shipped(), true);
  for (const int version : {-1, 0, 2}) {
    request.set_instrument_version(version);
    EXPECT_EQ(Send(request, "2017-12-31"), "INSTRUMENT_UNKNOWN") << version;
  }
  request.set_instrument_version(1);
  request.set_instrument("another");
  EXPECT_EQ(Send(request, "2017-12-31"), "INSTRUMENT_UNKNOWN");
}

TEST_F(SurveyTest, KeepsItsVersionWhenANewOneIsPublished) {
  std::string second = ShippedYaml();
  second.replace(second.find("\nversion: 1"), 11, "\nversion: 2");
  ASSERT_EQ(Send(Publish(second), "2017-08-01"), "OK");
  ASSERT_EQ(Send(Surveyed(Shipped(), true), "2017-12-31"), "OK");  // on paper of version 1
  EXPECT_EQ(survey().instrument_version(), 1);
}

TEST_F(SurveyTest, RefusesAnswersOutsideTheInstrument) {
  const auto with = [](const std::function<void(v1::RecordSurveyRequest&)>& change) {
    v1::RecordSurveyRequest request = Surveyed(Shipped(), true);
    change(request);
    return request;
  };
  using Request = v1::RecordSurveyRequest;
  EXPECT_EQ(Send(with([](Request& r) { r.mutable_answers(0)->set_answer("maybe"); }), "2017-12-31"),
            "ANSWER_OUTSIDE_INSTRUMENT");
  EXPECT_EQ(Send(with([](Request& r) { r.mutable_answers(0)->set_answer(""); }), "2017-12-31"),
            "ANSWER_OUTSIDE_INSTRUMENT");
  EXPECT_EQ(
      Send(with([](Request& r) { r.mutable_answers(0)->set_question("shoe-size"); }), "2017-12-31"),
      "QUESTION_UNKNOWN");
  EXPECT_EQ(Send(with([](Request& r) { *r.add_answers() = r.answers(0); }), "2017-12-31"),
            "QUESTION_ANSWERED_TWICE");
  EXPECT_EQ(Send(with([](Request& r) { r.mutable_answers()->RemoveLast(); }), "2017-12-31"),
            "ANSWER_MISSING");
  EXPECT_EQ(Send(with([](Request& r) { r.clear_answers(); }), "2017-12-31"), "ANSWER_MISSING");
  EXPECT_FALSE(world.Has<v1::Survey>(SurveyId(kCase, 6)));
}

TEST_F(SurveyTest, AnOptionalQuestionMayBeLeftOut) {
  v1::RecordSurveyRequest request = Surveyed(Shipped(), true);
  int schooling = -1;
  for (int i = 0; i < request.answers_size(); ++i) {
    if (request.answers(i).question() == "schooling") schooling = i;
  }
  ASSERT_GE(schooling, 0);
  request.mutable_answers()->DeleteSubrange(schooling, 1);
  EXPECT_EQ(Send(request, "2017-12-31"), "OK");
  EXPECT_EQ(survey().scores().social(), 1000);
}

TEST(SurveyTable, EveryStateAndTheCommand) {
  const auto prepared = [](test::World& world) {
    ASSERT_TRUE(world.Send(Fact(Header()), On("2017-01-15")).ok());
    ASSERT_TRUE(world.Send(Plan(), On("2017-06-30")).ok());
    ASSERT_TRUE(world.Send(Publish(), On("2017-07-01")).ok());
  };
  using Step = std::function<absl::Status(test::World&)>;
  const auto send = [](auto request) -> Step {
    return [=](test::World& world) { return world.Send(request, On("2017-12-31")); };
  };
  const std::vector<std::pair<std::vector<Step>, std::string>> table = {
      {{}, "OK"},
      {{send(Surveyed(Shipped(), true))}, "SURVEY_ALREADY_RECORDED"},
      {{send(Close(v1::FOLLOW_UP_CLOSE_REASON_LOST))}, "FOLLOW_UP_NOT_ACTIVE"},
      {{send(Cancel())}, "FOLLOW_UP_NOT_ACTIVE"},
      {{send(Ended(true))}, "FOLLOW_UP_NOT_ACTIVE"},
      {{send(Ended(false))}, "OK"},
      {{send(Erase())}, "CASE_ERASED"},
      {{send(Surveyed(Shipped(), true)), send(Erase())}, "CASE_ERASED"},
  };
  for (size_t i = 0; i < table.size(); ++i) {
    test::World world(BindAll);
    prepared(world);
    for (const Step& step : table[i].first) ASSERT_TRUE(step(world).ok()) << i;
    EXPECT_EQ(test::Reason(world.Send(Surveyed(Shipped(), false), On("2017-12-31"))),
              table[i].second)
        << i;
  }
}

// ---- Scoring ------------------------------------------------------------------------------------------------------------

TEST(DivideHalfUp, RoundsHalfUp) {
  EXPECT_EQ(DivideHalfUp(0, 7), 0);
  EXPECT_EQ(DivideHalfUp(1, 2), 1);
  EXPECT_EQ(DivideHalfUp(1, 3), 0);
  EXPECT_EQ(DivideHalfUp(2, 3), 1);
  EXPECT_EQ(DivideHalfUp(5, 2), 3);
  EXPECT_EQ(DivideHalfUp(7, 7), 1);
}

// Worked by hand: (3·700 + 2·1000 + 2·500 + 1·0) / 8 = 637.5 → 638; all others best → (638 + 1000 + 1000) / 3 = 879.33.
TEST(Scoring, IsTheOneWorkedByHand) {
  v1::RecordSurveyRequest request = Surveyed(Shipped(), true);
  const std::map<std::string, std::string> given = {{"income-covers-needs", "mostly"},
                                                    {"source-of-income", "steady-work"},
                                                    {"debt", "with-difficulty"},
                                                    {"savings", "no"}};
  for (v1::SurveyAnswer& answer : *request.mutable_answers()) {
    if (given.contains(answer.question())) answer.set_answer(given.at(answer.question()));
  }
  const auto scores = Score(Shipped(), request.answers());
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->economic(), 638);
  EXPECT_EQ(scores->social(), 1000);
  EXPECT_EQ(scores->psychosocial(), 1000);
  EXPECT_EQ(scores->composite(), 879);
}

TEST(Scoring, ADimensionWithoutAnAnswerIsRefused) {
  v1::InstrumentDefinition definition = Shipped();
  for (v1::Question& question : *definition.mutable_questions()) question.set_optional(true);
  v1::RecordSurveyRequest request = Surveyed(definition, true);
  while (request.answers_size() > 8) request.mutable_answers()->RemoveLast();
  EXPECT_EQ(test::Reason(Score(definition, request.answers()).status()), "DIMENSION_UNANSWERED");
}

// A random instrument with its random answers.
v1::InstrumentDefinition AnyInstrument() {
  v1::InstrumentDefinition definition;
  for (const auto dimension :
       {v1::DIMENSION_ECONOMIC, v1::DIMENSION_SOCIAL, v1::DIMENSION_PSYCHOSOCIAL}) {
    v1::DimensionDefinition& one = *definition.add_dimensions();
    one.set_dimension(dimension);
    one.set_weight(*rc::gen::inRange(1, 1001));
    const int questions = *rc::gen::inRange(1, 8);
    for (int q = 0; q < questions; ++q) {
      v1::Question& question = *definition.add_questions();
      question.set_id(absl::StrCat("q", definition.questions_size()));
      question.set_dimension(dimension);
      question.set_weight(*rc::gen::inRange(1, 1001));
      const int answers = *rc::gen::inRange(2, 6);
      for (int a = 0; a < answers; ++a) {
        question.add_answers()->set_id(absl::StrCat("a", a));
        question.mutable_answers(a)->set_score(*rc::gen::inRange(0, 1001));
      }
    }
  }
  return definition;
}

google::protobuf::RepeatedPtrField<v1::SurveyAnswer> AnyAnswers(
    const v1::InstrumentDefinition& definition) {
  google::protobuf::RepeatedPtrField<v1::SurveyAnswer> answers;
  for (const v1::Question& question : definition.questions()) {
    v1::SurveyAnswer& answer = *answers.Add();
    answer.set_question(question.id());
    answer.set_answer(question.answers(*rc::gen::inRange(0, question.answers_size())).id());
  }
  return answers;
}

// The same by another road: |2·(sum − score·weights)| ≤ weights says that the score is the nearest whole thousandth.
bool IsNearest(std::int64_t sum, std::int64_t weights, std::int64_t score) {
  const std::int64_t twice = 2 * (sum - score * weights);
  return twice >= -weights && twice < weights;
}

RC_GTEST_PROP(ScoringProperty, IsInRangeAndTheNearestThousandth, ()) {
  const v1::InstrumentDefinition definition = AnyInstrument();
  const auto answers = AnyAnswers(definition);
  const auto scores = Score(definition, answers);
  RC_ASSERT(scores.ok());
  const std::map<v1::Dimension, int> got = {{v1::DIMENSION_ECONOMIC, scores->economic()},
                                            {v1::DIMENSION_SOCIAL, scores->social()},
                                            {v1::DIMENSION_PSYCHOSOCIAL, scores->psychosocial()}};
  std::int64_t composite_sum = 0;
  std::int64_t composite_weights = 0;
  for (const v1::DimensionDefinition& dimension : definition.dimensions()) {
    std::int64_t sum = 0;
    std::int64_t weights = 0;
    int lowest = 1000;
    int highest = 0;
    for (int i = 0; i < definition.questions_size(); ++i) {
      const v1::Question& question = definition.questions(i);
      if (question.dimension() != dimension.dimension()) continue;
      for (const v1::AnswerOption& option : question.answers()) {
        if (option.id() != answers[i].answer()) continue;
        sum += std::int64_t{question.weight()} * option.score();
        weights += question.weight();
        lowest = std::min(lowest, option.score());
        highest = std::max(highest, option.score());
      }
    }
    const int score = got.at(dimension.dimension());
    RC_ASSERT(score >= lowest && score <= highest);
    RC_ASSERT(IsNearest(sum, weights, score));
    composite_sum += std::int64_t{dimension.weight()} * score;
    composite_weights += dimension.weight();
  }
  RC_ASSERT(scores->composite() >= 0 && scores->composite() <= 1000);
  RC_ASSERT(IsNearest(composite_sum, composite_weights, scores->composite()));
}

RC_GTEST_PROP(ScoringProperty, ABetterAnswerNeverScoresLess, ()) {
  const v1::InstrumentDefinition definition = AnyInstrument();
  auto answers = AnyAnswers(definition);
  const auto before = Score(definition, answers);
  const int changed = *rc::gen::inRange(0, answers.size());
  const v1::Question& question = definition.questions(changed);
  int score = 0;
  for (const auto& option : question.answers()) {
    if (option.id() == answers[changed].answer()) score = option.score();
  }
  for (const auto& option : question.answers()) {
    if (option.score() >= score) answers[changed].set_answer(option.id());
  }
  const auto after = Score(definition, answers);
  RC_ASSERT(before.ok() && after.ok());
  RC_ASSERT(after->composite() >= before->composite());
}

RC_GTEST_PROP(SurveyProperty, ACaseHasOneSurveyAWindow, ()) {
  test::World world(BindAll);
  RC_ASSERT(world.Send(Fact(Header()), On("2017-01-15")).ok());
  RC_ASSERT(world.Send(Plan(), On("2017-06-30")).ok());
  RC_ASSERT(world.Send(Publish(), On("2017-07-01")).ok());
  std::map<std::string, std::string> recorded;
  const int steps = *rc::gen::inRange(1, 12);
  for (int i = 0; i < steps; ++i) {
    const int window = *rc::gen::element(6, 12, 7);
    const std::string day = *rc::gen::element<std::string>("2017-12-30", "2018-06-30");
    const auto request = Surveyed(Shipped(), *rc::gen::arbitrary<bool>(), window, day);
    const bool ok = world.Send(request, On("2018-07-01")).ok();
    RC_ASSERT(!ok || !recorded.contains(SurveyId(kCase, window)));
    for (const auto* survey : world.All<v1::Survey>()) {
      const auto [known, fresh] = recorded.emplace(survey->id(), survey->SerializeAsString());
      RC_ASSERT(fresh || known->second == survey->SerializeAsString());  // never changes
      RC_ASSERT(!fresh || ok);
    }
  }
  RC_ASSERT(recorded.size() <= 2U);
  RC_ASSERT(world.Get<v1::CaseFacts>(kCase).surveys_size() == static_cast<int>(recorded.size()));
}

}  // namespace
}  // namespace sankofa::monitoring
