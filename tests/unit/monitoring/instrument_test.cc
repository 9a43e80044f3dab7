#include "services/monitoring/survey/instrument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/monitoring/survey/instrument_yaml.h"
#include "tests/unit/monitoring/fixture.h"

namespace sankofa::monitoring {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr char kSmall[] = R"(code: small
version: 1
title: {en: Small, fr: Petit}
windows: {months: [6], days_before: 30, days_after: 60}
dimensions:
  economic: {weight: 2, alert_below: 0.35}
  social: {weight: 1}
  psychosocial: {weight: 1}
composite: {alert_below: 0.4}
questions:
  - id: income
    dimension: economic
    weight: 3
    text: {en: Income, fr: Revenus}
    answers:
      - {id: low, score: 0, text: {en: Low, fr: Bas}}
      - {id: high, score: 0.125, text: {en: High, fr: Haut}}
  - id: housing
    dimension: social
    weight: 1
    optional: true
    text: {en: Housing, fr: Logement}
    answers:
      - {id: bad, score: 0.5, text: {en: Bad, fr: Mauvais}}
      - {id: good, score: 1.000, text: {en: Good, fr: Bon}}
  - id: mood
    dimension: psychosocial
    weight: 1
    text: {en: Mood, fr: Moral}
    answers:
      - {id: bad, score: 0, text: {en: Bad, fr: Mauvais}}
      - {id: good, score: 1, text: {en: Good, fr: Bon}}
)";

std::string FieldOf(const std::string& yaml) {
  const auto parsed = ParseInstrument(yaml);
  if (parsed.ok()) return "OK";
  EXPECT_EQ(status::ReasonOf(parsed.status()), "INSTRUMENT_INVALID");
  const auto fields = status::FieldsOf(parsed.status());
  return fields.size() == 1 ? fields.front() : "not one field";
}

// The field named when `from` in the small instrument is replaced by `to`.
std::string Changed(const std::string& from, const std::string& to) {
  const std::string yaml(kSmall);
  EXPECT_NE(yaml.find(from), std::string::npos) << from;
  return FieldOf(absl::StrReplaceAll(yaml, {{from, to}}));
}

TEST(ParseInstrument, ReadsWhatIsWritten) {
  const auto parsed = ParseInstrument(kSmall);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->code(), "small");
  EXPECT_EQ(parsed->title().fr(), "Petit");
  EXPECT_THAT(parsed->windows_months(), ElementsAre(6));
  EXPECT_EQ(parsed->dimensions(0).alert_below(), 350);
  EXPECT_EQ(parsed->dimensions(1).alert_below(), 0);
  EXPECT_EQ(parsed->composite_alert_below(), 400);
  ASSERT_THAT(parsed->questions(), SizeIs(3));
  EXPECT_EQ(parsed->questions(0).answers(1).score(), 125);
  EXPECT_EQ(parsed->questions(1).answers(1).score(), 1000);
  EXPECT_TRUE(parsed->questions(1).optional());
}

TEST(ParseInstrument, TheShippedOneIsInOrder) {
  const auto parsed = ParseInstrument(ShippedYaml());
  ASSERT_TRUE(parsed.ok()) << status::FieldsOf(parsed.status())[0];
  EXPECT_EQ(parsed->code(), "sankofa-sustainability");
  EXPECT_THAT(parsed->windows_months(), ElementsAre(6, 12));
  EXPECT_GE(parsed->questions_size(), 12);
  // The first answer is the worst, the last the best, everywhere.
  for (const v1::Question& question : parsed->questions()) {
    EXPECT_EQ(question.answers(0).score(), 0) << question.id();
    EXPECT_EQ(question.answers(question.answers_size() - 1).score(), 1000) << question.id();
  }
}

TEST(ParseInstrument, NamesThePlaceOfAFault) {
  EXPECT_EQ(Changed("code: small", "code: Small One"), "yaml.code");
  EXPECT_EQ(Changed("code: small\n", ""), "yaml.code");
  EXPECT_EQ(Changed("version: 1\n", "version: 0\n"), "yaml.version");
  EXPECT_EQ(Changed("version: 1\n", "version: -1\n"), "yaml.version");
  EXPECT_EQ(Changed("version: 1\n", "version: 0x1\n"), "yaml.version");
  EXPECT_EQ(Changed("version: 1\n", "version: 1.0\n"), "yaml.version");
  EXPECT_EQ(Changed("version: 1\n", "version: 99999999999999999999\n"), "yaml.version");
  EXPECT_EQ(Changed("{en: Small, fr: Petit}", "{en: Small}"), "yaml.title.fr");
  EXPECT_EQ(Changed("{en: Small, fr: Petit}", "{en: Small, fr: Petit, de: Klein}"), "yaml.title");
  EXPECT_EQ(Changed("{en: Small, fr: Petit}", "{en: Small, fr: [Petit]}"), "yaml.title.fr");
  EXPECT_EQ(Changed("{en: Small, fr: Petit}", "Small"), "yaml.title");
  EXPECT_EQ(Changed("months: [6]", "months: []"), "yaml.windows.months");
  EXPECT_EQ(Changed("months: [6]", "months: [6, 6]"), "yaml.windows.months[1]");
  EXPECT_EQ(Changed("months: [6]", "months: [0]"), "yaml.windows.months[0]");
  EXPECT_EQ(Changed("days_before: 30", "days_before: 366"), "yaml.windows.days_before");
  EXPECT_EQ(Changed("  social: {weight: 1}\n", ""), "yaml.dimensions.social");
  EXPECT_EQ(Changed("  social: {weight: 1}", "  social: {weight: 0}"),
            "yaml.dimensions.social.weight");
  EXPECT_EQ(Changed("  social: {weight: 1}", "  spiritual: {weight: 1}"), "yaml.dimensions");
  EXPECT_EQ(Changed("alert_below: 0.35", "alert_below: 1.1"),
            "yaml.dimensions.economic.alert_below");
  EXPECT_EQ(Changed("dimension: social", "dimension: spiritual"), "yaml.questions[1].dimension");
  EXPECT_EQ(Changed("dimension: social", "dimension: economic"), "yaml.questions");
  EXPECT_EQ(Changed("optional: true", "optional: yes"), "yaml.questions[1].optional");
  EXPECT_EQ(Changed("id: mood", "id: income"), "yaml.questions[2].id");
  EXPECT_EQ(Changed("id: high", "id: low"), "yaml.questions[0].answers[1].id");
  EXPECT_EQ(Changed("      - {id: high, score: 0.125, text: {en: High, fr: Haut}}\n", ""),
            "yaml.questions[0].answers");
}

TEST(ParseInstrument, AScoreIsADecimalFromZeroToOne) {
  for (const char* score : {"-0.1", "1.001", "2", "0.1234", ".5", "1.", "'0,5'", "1e-1", "nan",
                            "''", "0.5x", "+0.5", "01", "[0.5]", "~", "0.-1", "1.0000"}) {
    EXPECT_EQ(Changed("score: 0.125", absl::StrCat("score: ", score)),
              "yaml.questions[0].answers[1].score")
        << score;
  }
  for (const char* score : {"0", "1", "0.1", "0.12", "0.125", "1.0", "1.000", "'0.5'"}) {
    EXPECT_EQ(Changed("score: 0.125", absl::StrCat("score: ", score)), "OK") << score;
  }
}

TEST(ParseInstrument, RefusesUnknownAndDoubleKeys) {
  EXPECT_EQ(Changed("code: small", "code: small\nauthor: somebody"), "yaml");
  EXPECT_EQ(Changed("optional: true", "optionally: true"), "yaml.questions[1]");
  EXPECT_EQ(Changed("code: small", "code: small\ncode: other"), "yaml:2");
}

TEST(ParseInstrument, RefusesWhatYamlHidesThingsIn) {
  EXPECT_EQ(Changed("en: Small", "en: &a Small"), "yaml:3");
  EXPECT_EQ(Changed("en: Small", "en: *a"), "yaml:3");
  EXPECT_EQ(Changed("en: Small", "en: !!binary Small"), "yaml:3");
  EXPECT_EQ(Changed("code: small", "? [a]\n: b\ncode: small"), "yaml:1");
  EXPECT_EQ(FieldOf(absl::StrCat(kSmall, "---\n", kSmall)), "yaml");
  EXPECT_EQ(Changed("en: Small", "en: \"Sm\\0all\""), "yaml.title.en");
  EXPECT_EQ(Changed("en: Small", "en: \"Sm\\nall\""), "yaml.title.en");
}

TEST(ParseInstrument, RefusesWhatIsNoDocument) {
  for (const char* yaml : {"", "\n", "small", "[]", "[code, small]", "{", "a: b: c", "- - -", "\t",
                           "%TAG", "\xff\xfe", "@"}) {
    EXPECT_NE(FieldOf(yaml), "OK") << yaml;
  }
}

TEST(ParseInstrument, HasLimits) {
  EXPECT_EQ(FieldOf(std::string(kYamlBytesMax + 1, ' ')), "yaml");
  EXPECT_NE(FieldOf(std::string(16'000, '[')), "OK");  // nested
  EXPECT_NE(FieldOf(std::string(16'000, '{')), "OK");
  std::string nested;
  for (int i = 0; i < 5'000; ++i) absl::StrAppend(&nested, "- ");
  EXPECT_NE(FieldOf(nested), "OK");
  std::string wide = "[";
  for (int i = 0; i < 15'000; ++i) absl::StrAppend(&wide, "1,");
  EXPECT_NE(FieldOf(absl::StrCat(wide, "1]")), "OK");
  EXPECT_EQ(Changed("en: Small", absl::StrCat("en: ", std::string(kTextBytesMax + 1, 'x'))),
            "yaml.title.en");
  EXPECT_EQ(Changed("id: income", absl::StrCat("id: ", std::string(65, 'x'))),
            "yaml.questions[0].id");
}

// Whatever is cut out of, or put into, a good document: an answer, never an end of the process.
RC_GTEST_PROP(ParseInstrumentProperty, SurvivesAnyDamage, ()) {
  std::string yaml = kSmall;
  const int changes = *rc::gen::inRange(1, 6);
  for (int i = 0; i < changes; ++i) {
    const size_t at = *rc::gen::inRange<size_t>(0, yaml.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0: yaml.erase(at, *rc::gen::inRange<size_t>(1, 30)); break;
      case 1:
        yaml.insert(at, *rc::gen::element<std::string>("[", "{", "]", "}", ": ", "- ", "&a ", "*a",
                                                       "!t ", "\"", "'", "|", ">", "\n", "\t", "#",
                                                       "? ", "---\n", "\\", std::string(1, '\0')));
        break;
      default: yaml[at] = static_cast<char>(*rc::gen::inRange(1, 127)); break;
    }
    if (yaml.empty()) break;
  }
  const auto parsed = ParseInstrument(yaml);
  RC_ASSERT(parsed.ok() || status::ReasonOf(parsed.status()) == "INSTRUMENT_INVALID");
}

using InstrumentTest = MonitoringTest;

std::string Version(int version) {
  return absl::StrReplaceAll(kSmall, {{"version: 1\n", absl::StrCat("version: ", version, "\n")}});
}

TEST_F(InstrumentTest, VersionsFollowEachOtherAndStay) {
  ASSERT_EQ(Send(Publish(Version(1), "small"), "2017-01-01"), "OK");
  EXPECT_EQ(Send(Publish(Version(1), "small"), "2017-01-02"), "INSTRUMENT_VERSION_NOT_NEXT");
  EXPECT_EQ(Send(Publish(Version(3), "small"), "2017-01-02"), "INSTRUMENT_VERSION_NOT_NEXT");
  ASSERT_EQ(Send(Publish(Version(2), "small"), "2017-01-02"), "OK");
  const auto& instrument = world.Get<v1::Instrument>("small");
  ASSERT_THAT(instrument.versions(), SizeIs(2));
  EXPECT_EQ(instrument.versions(0).definition().version(), 1);
  EXPECT_EQ(instrument.versions(0).sha256().size(), 64U);
  EXPECT_NE(instrument.versions(0).sha256(), instrument.versions(1).sha256());
}

TEST_F(InstrumentTest, TheCodeIsTheOneOfTheRequest) {
  EXPECT_EQ(Send(Publish(kSmall, "large"), "2017-01-01"), "INSTRUMENT_INVALID");
}

TEST_F(InstrumentTest, HasAtMostTwentyVersions) {
  for (int version = 1; version <= kInstrumentVersionsMax; ++version) {
    ASSERT_EQ(Send(Publish(Version(version), "small"), "2017-01-01"), "OK") << version;
  }
  EXPECT_EQ(Send(Publish(Version(21), "small"), "2017-01-01"), "INSTRUMENT_VERSIONS_EXHAUSTED");
}

RC_GTEST_PROP(InstrumentProperty, PublishedVersionsNeverChange, ()) {
  test::World world(BindAll);
  std::vector<std::string> published;
  const int steps = *rc::gen::inRange(1, 30);
  for (int i = 0; i < steps; ++i) {
    (void)world.Send(Publish(Version(*rc::gen::inRange(1, 8)), "small"), On("2017-01-01"));
    const auto& instrument = world.Get<v1::Instrument>("small");
    RC_ASSERT(instrument.versions_size() >= static_cast<int>(published.size()));
    RC_ASSERT(instrument.versions_size() <= static_cast<int>(published.size()) + 1);
    for (int v = 0; v < instrument.versions_size(); ++v) {
      RC_ASSERT(instrument.versions(v).definition().version() == v + 1);
      const std::string bytes = instrument.versions(v).SerializeAsString();
      if (v < static_cast<int>(published.size())) {
        RC_ASSERT(published[v] == bytes);
      } else {
        published.push_back(bytes);
      }
    }
  }
}

}  // namespace
}  // namespace sankofa::monitoring
