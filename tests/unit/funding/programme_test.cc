#include "services/funding/programme/programme.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "absl/strings/str_replace.h"
#include "services/funding/programme/rule_set.h"
#include "services/funding/programme/yaml_content.h"
#include "tests/unit/funding/scenario.h"

namespace sankofa::funding {
namespace {

using test::At;
using test::Reason;
using ::testing::ElementsAre;

const char* const kShipped[] = {"ofii-cm-2017", "ofii-2023", "ofii-tg", "eurp-voluntary",
                                "eurp-forced"};

// The smallest programme that is whole.
constexpr std::string_view kSmall = R"yaml(
code: small
title: Small
scheme: small
funder: funder
rule_sets:
  - effective_date: 2020-01-01
    source: a decree
    levels:
      - level: 1
        kinds: [social]
        per_adult: 10 EUR
        delivery_modes: [cash]
        instalment_percents: [100]
)yaml";

std::string Small(std::initializer_list<std::pair<absl::string_view, absl::string_view>> changes) {
  return absl::StrReplaceAll({kSmall.data(), kSmall.size()}, changes);
}

absl::Status Load(const std::string& yaml, v1::Programme& programme,
                  const std::string& code = "small") {
  v1::LoadProgrammeRequest request;
  request.set_programme(code);
  request.set_yaml(yaml);
  return sankofa::test::Run<ProgrammeDecider>(programme, request, At());
}

v1::Programme Loaded(const std::string& code) {
  v1::Programme programme;
  const absl::Status status =
      Load(test::ReadFile("tests/data/programmes/" + code + ".yaml"), programme, code);
  EXPECT_EQ(Reason(status), "OK") << code << status;
  return programme;
}

TEST(Programme, LoadsTheShippedOnes) {
  for (const char* code : kShipped) {
    const v1::Programme programme = Loaded(code);
    EXPECT_EQ(programme.id(), code);
    ASSERT_GE(programme.rule_sets_size(), 1) << code;
    for (int i = 0; i < programme.rule_sets_size(); ++i) {
      EXPECT_EQ(programme.rule_sets(i).version(), i + 1);
    }
  }
}

TEST(Programme, SaysWhatTheDomainSays) {
  const v1::RuleSet cameroon = Loaded("ofii-cm-2017").rule_sets(0);
  EXPECT_EQ(CeilingOf(*FindLevel(cameroon, 1), 2, 3)->minor_units(), 2 * 400'00 + 3 * 300'00);
  EXPECT_EQ(CeilingOf(*FindLevel(cameroon, 2), 2, 3)->minor_units(), 4'000'00);
  EXPECT_EQ(FindLevel(cameroon, 2)->cost_share_percent(), 50);
  EXPECT_EQ(CeilingOf(*FindLevel(cameroon, 3), 2, 3)->minor_units(), 7'000'00);
  EXPECT_THAT(FindLevel(cameroon, 3)->instalment_percents(), ElementsAre(70, 30));

  const v1::RuleSet togo = Loaded("ofii-tg").rule_sets(0);
  EXPECT_EQ(togo.maximum_age_years(), 65);
  EXPECT_THAT(togo.excluded_nationalities(), ElementsAre("FR"));

  const v1::Programme france = Loaded("ofii-2023");
  EXPECT_EQ(france.rule_sets(0).minimum_stay_months(), 6);
  EXPECT_EQ(InForce(france, "2023-10-08"), nullptr);
  EXPECT_EQ(InForce(france, "2023-10-09")->version(), 1);
  EXPECT_EQ(InForce(france, "2025-11-26")->version(), 1);
  EXPECT_EQ(InForce(france, "2025-11-27")->version(), 2);
  EXPECT_EQ(InForce(france, "2099-01-01")->version(), 2);

  const v1::RuleSet voluntary = Loaded("eurp-voluntary").rule_sets(0);
  EXPECT_EQ(CeilingOf(*FindLevel(voluntary, 1), 2, 2)->minor_units(), 615'00);
  EXPECT_EQ(CeilingOf(*FindLevel(voluntary, 2), 2, 2)->minor_units(), 6'000'00);
  EXPECT_EQ(FindLevel(voluntary, 1)->filing_deadline().working_days(), 14);
  EXPECT_EQ(FindLevel(voluntary, 2)->filing_deadline().months(), 12);
  const v1::RuleSet forced = Loaded("eurp-forced").rule_sets(0);
  EXPECT_EQ(CeilingOf(*FindLevel(forced, 1), 1, 0)->minor_units(), 205'00);
  EXPECT_EQ(CeilingOf(*FindLevel(forced, 2), 1, 1)->minor_units(), 2'000'00);
}

TEST(Programme, IsTheSameFromYamlAndFromAMessage) {
  const v1::Programme from_yaml = Loaded("ofii-tg");
  v1::LoadProgrammeRequest request;
  request.set_programme("ofii-tg");
  ASSERT_TRUE(
      ReadYaml(test::ReadFile("tests/data/programmes/ofii-tg.yaml"), *request.mutable_structured())
          .ok());
  v1::Programme structured;
  ASSERT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(structured, request, At())), "OK");
  EXPECT_EQ(structured.SerializeAsString(), from_yaml.SerializeAsString());
}

struct BadYaml {
  const char* from;
  const char* to;
  const char* reason;
  const char* field;
};

class Refused : public ::testing::TestWithParam<BadYaml> {};

TEST_P(Refused, WithThePathOfTheField) {
  v1::Programme programme;
  const absl::Status status = Load(Small({{GetParam().from, GetParam().to}}), programme);
  EXPECT_EQ(Reason(status), GetParam().reason) << GetParam().to;
  EXPECT_THAT(status::FieldsOf(status), ElementsAre(GetParam().field)) << GetParam().to;
}

INSTANTIATE_TEST_SUITE_P(
    Programme, Refused,
    ::testing::Values(
        BadYaml{"per_adult", "per_adlt", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].per_adlt"},
        BadYaml{"title: Small", "title: Small\ncolour: red", "PROGRAMME_MALFORMED", "colour"},
        BadYaml{"title: Small", "title: Small\ntitle: Big", "PROGRAMME_MALFORMED", "title"},
        BadYaml{"title: Small", "title: [Small]", "PROGRAMME_MALFORMED", "title"},
        BadYaml{"title: Small", "? [a]\n: b", "PROGRAMME_MALFORMED", "yaml"},
        BadYaml{"title: Small", "title: ~", "PROGRAMME_MALFORMED", "title"},
        BadYaml{"level: 1", "level: one", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].level"},
        BadYaml{"level: 1", "level: 1.5", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].level"},
        BadYaml{"level: 1", "level: 99999999999", "PROGRAMME_MALFORMED",
                "rule_sets[0].levels[0].level"},
        BadYaml{"level: 1", "level: 100", "INVALID_FIELD", "rule_sets[0].levels[0].level"},
        BadYaml{"[social]", "social", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].kinds"},
        BadYaml{"[social]", "[SOCIAL]", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].kinds[0]"},
        BadYaml{"[social]", "[gambling]", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].kinds[0]"},
        BadYaml{"[social]", "[unspecified]", "PROGRAMME_MALFORMED",
                "rule_sets[0].levels[0].kinds[0]"},
        BadYaml{"[social]", "[social, social]", "RULE_SET_INVALID", "rule_sets[0].levels[0].kinds"},
        BadYaml{"10 EUR", "10 USD", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].per_adult"},
        BadYaml{"10 EUR", "10.001 EUR", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].per_adult"},
        BadYaml{"10 EUR", "-10 EUR", "PROGRAMME_MALFORMED", "rule_sets[0].levels[0].per_adult"},
        BadYaml{"10 EUR", "0 EUR", "RULE_SET_INVALID", "rule_sets[0].levels[0].per_adult"},
        BadYaml{"10 EUR", "10 EUR\n        per_child: 10 XAF", "RULE_SET_INVALID",
                "rule_sets[0].levels[0].per_child"},
        BadYaml{"per_adult: 10 EUR", "title: nothing", "RULE_SET_INVALID",
                "rule_sets[0].levels[0]"},
        BadYaml{"[100]", "[70, 20]", "RULE_SET_INVALID",
                "rule_sets[0].levels[0].instalment_percents"},
        BadYaml{"[100]", "[130, -30]", "RULE_SET_INVALID",
                "rule_sets[0].levels[0].instalment_percents"},
        BadYaml{"[100]", "[]", "INVALID_FIELD", "rule_sets[0].levels[0].instalment_percents"},
        BadYaml{"2020-01-01", "2020-02-30", "INVALID_FIELD", "rule_sets[0].effective_date"},
        BadYaml{"source: a decree", "source: \"\"", "INVALID_FIELD", "rule_sets[0].source"},
        BadYaml{"source: a decree", "source: a decree\n    excluded_nationalities: [France]",
                "INVALID_FIELD", "rule_sets[0].excluded_nationalities[0]"},
        BadYaml{"source: a decree", "source: a decree\n    version: 3", "RULE_SET_INVALID",
                "rule_sets[0].version"},
        BadYaml{"source: a decree",
                "source: a decree\n    minimum_age_years: 30\n    maximum_age_years: 20",
                "RULE_SET_INVALID", "rule_sets[0].maximum_age_years"},
        BadYaml{"source: a decree", "source: a decree\n    follow_up_months: [6, 3]",
                "RULE_SET_INVALID", "rule_sets[0].follow_up_months"},
        BadYaml{"source: a decree", "source: a decree\n    once_per_person: yes",
                "PROGRAMME_MALFORMED", "rule_sets[0].once_per_person"},
        BadYaml{"[cash]", "[cash]\n        filing_deadline: {months: 1, working_days: 1}",
                "RULE_SET_INVALID", "rule_sets[0].levels[0].filing_deadline"},
        BadYaml{"code: small", "code: other", "RULE_SET_INVALID", "programme"},
        BadYaml{"code: small", "code: Small Code", "INVALID_FIELD", "code"},
        BadYaml{"funder: funder", "funder: \"a\x01\"", "INVALID_FIELD", "funder"},
        BadYaml{"code: small", "---\ncode: small\n---\ncode: two", "PROGRAMME_MALFORMED", "yaml"}));

TEST(Programme, RefusesHostileText) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string last(1, static_cast<char>(c - 1));
    std::string list;
    for (int i = 0; i < 10; ++i) list += "*" + last + ", ";
    bomb += absl::StrCat(std::string(1, c), ": &", std::string(1, c), " [", list, "]\n");
  }
  std::string wide = "rule_sets: &r [";
  for (int i = 0; i < 20'000; ++i) wide += "{},";
  for (const std::string& text :
       {std::string(), std::string("~"), std::string("just words"), std::string("- a\n- b"),
        std::string(70'000, 'a'), std::string(60'000, '['), std::string(60'000, '{'),
        std::string(30'000, '-').append(" a"), bomb, wide + "]", std::string("code: \0 x", 9),
        std::string("code: [unclosed"), std::string("\xff\xfe code"), std::string("code: *nobody"),
        std::string("a: &a [*a]"), std::string("rule_sets: &a [*a]"), std::string("%YAML 9.9\n---"),
        std::string("!!binary code")}) {
    v1::Programme programme;
    const std::string reason = Reason(Load(text, programme));
    EXPECT_TRUE(reason == "PROGRAMME_MALFORMED" || reason == "INVALID_FIELD")
        << reason << ": " << text.substr(0, 40);
    EXPECT_TRUE(programme.id().empty());
  }
}

TEST(Programme, NeedsAContent) {
  v1::Programme programme;
  v1::LoadProgrammeRequest request;
  request.set_programme("small");
  EXPECT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At())),
            "PROGRAMME_MALFORMED");
}

v1::RuleSet FromSmall(const std::string& effective_date) {
  v1::ProgrammeContent content;
  EXPECT_TRUE(ReadYaml(kSmall, content).ok());
  v1::RuleSet rule_set = content.rule_sets(0);
  rule_set.set_effective_date(effective_date);
  return rule_set;
}

TEST(PublishRuleSet, TakesEffectTodayOrLaterAndAfterAllOthers) {
  v1::Programme programme;
  ASSERT_TRUE(Load(std::string(kSmall), programme).ok());
  const absl::Time now = absl::FromCivil(absl::CivilDay(2021, 6, 15), absl::UTCTimeZone());
  const auto publish = [&](const std::string& day) {
    v1::PublishRuleSetRequest request;
    request.set_programme("small");
    *request.mutable_structured() = FromSmall(day);
    return Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At(now)));
  };
  EXPECT_EQ(publish("2019-01-01"), "RULE_SET_BACKDATED");
  EXPECT_EQ(publish("2020-01-01"), "RULE_SET_BACKDATED");
  EXPECT_EQ(publish("2021-06-14"), "RULE_SET_BACKDATED");
  EXPECT_EQ(publish("2021-06-15"), "OK");
  EXPECT_EQ(publish("2021-06-15"), "RULE_SET_BACKDATED");
  EXPECT_EQ(publish("2022-01-01"), "OK");
  ASSERT_EQ(programme.rule_sets_size(), 3);
  EXPECT_EQ(InForce(programme, "2021-06-14")->version(), 1);
  EXPECT_EQ(InForce(programme, "2021-06-15")->version(), 2);
  EXPECT_EQ(InForce(programme, "2022-01-01")->version(), 3);
}

TEST(PublishRuleSet, TakesYamlAndRefusesWhatContradictsItself) {
  v1::Programme programme;
  ASSERT_TRUE(Load(std::string(kSmall), programme).ok());
  v1::PublishRuleSetRequest request;
  request.set_programme("small");
  EXPECT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At())),
            "PROGRAMME_MALFORMED");
  request.set_yaml("effective_date: 2030-01-01\nsource: a\nlevels: []\n");
  EXPECT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At())),
            "INVALID_FIELD");
  *request.mutable_structured() = FromSmall("2030-01-01");
  request.mutable_structured()->mutable_levels(0)->set_instalment_percents(0, 99);
  EXPECT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At())),
            "RULE_SET_INVALID");
  request.set_yaml(
      "effective_date: 2030-01-01\nsource: a\nlevels:\n- {level: 1, kinds: [social], per_adult: 1 "
      "EUR, "
      "delivery_modes: [cash], instalment_percents: [100]}\n");
  EXPECT_EQ(Reason(sankofa::test::Run<ProgrammeDecider>(programme, request, At())), "OK");
}

RC_GTEST_PROP(PublishRuleSet, NeverChangesWhatAFiledCaseFallsUnder, ()) {
  v1::Programme programme;
  RC_ASSERT(Load(std::string(kSmall), programme).ok());
  const auto days = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 800), rc::gen::inRange(-100, 300)));
  absl::CivilDay today(2020, 1, 1);
  for (const auto& [later, ahead] : days) {
    today = std::max(today, absl::CivilDay(2020, 1, 1) + later);
    const v1::Programme before = programme;
    v1::PublishRuleSetRequest request;
    *request.mutable_structured() = FromSmall(time::FormatDay(today + ahead));
    (void)sankofa::test::Run<ProgrammeDecider>(programme, request,
                                               At(absl::FromCivil(today, absl::UTCTimeZone())));
    for (int day = 1; day <= 800; day += 13) {
      const std::string filed = time::FormatDay(today - day);
      const auto* then = InForce(before, filed);
      const auto* now = InForce(programme, filed);
      RC_ASSERT((then == nullptr) == (now == nullptr));
      if (then != nullptr) RC_ASSERT(then->SerializeAsString() == now->SerializeAsString());
    }
    for (int i = 0; i < programme.rule_sets_size(); ++i) {
      RC_ASSERT(programme.rule_sets(i).version() == i + 1);
    }
  }
}

TEST(LastFilingDay, CountsMonthsOrWorkingDays) {
  v1::FilingDeadline deadline;
  EXPECT_FALSE(LastFilingDay(deadline, absl::CivilDay(2022, 5, 6)).has_value());
  deadline.set_working_days(14);
  // Friday 6 May 2022: the 14th working day after it is Thursday 26 May.
  EXPECT_EQ(LastFilingDay(deadline, absl::CivilDay(2022, 5, 6)), absl::CivilDay(2022, 5, 26));
  deadline.clear_working_days();
  deadline.set_months(6);
  EXPECT_EQ(LastFilingDay(deadline, absl::CivilDay(2017, 8, 31)), absl::CivilDay(2018, 2, 28));
}

TEST(CeilingOf, IsRefusedOutOfRange) {
  v1::Level level;
  *level.mutable_per_adult() = money::Of("XAF", std::numeric_limits<std::int64_t>::max() / 2);
  EXPECT_EQ(CeilingOf(level, 2, 0)->minor_units() % 2, 0);
  EXPECT_EQ(Reason(CeilingOf(level, 3, 0).status()), "MONEY");
  EXPECT_EQ(CeilingOf(level, -3, 0)->minor_units(), 0);
}

}  // namespace
}  // namespace sankofa::funding
