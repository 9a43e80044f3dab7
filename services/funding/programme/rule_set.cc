#include "services/funding/programme/rule_set.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "sankofa/funding/v1/funding_reason.pb.h"
#include "services/platform/money/money.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"

namespace sankofa::funding {
namespace {

constexpr int kFollowUpMonthsMax = 120;

absl::Status Invalid(std::string path, std::string what) {
  return status::RefuseField(v1::REASON_RULE_SET_INVALID, std::move(path), std::move(what));
}

// A list of enum values, each said, none twice.
bool IsSet(const google::protobuf::RepeatedField<int>& values) {
  std::set<int> seen;
  return std::all_of(values.begin(), values.end(),
                     [&](int value) { return value != 0 && seen.insert(value).second; });
}

absl::Status CheckCeilings(const v1::Level& level, const std::string& path) {
  std::string currency;
  for (const auto& [present, amount, name] :
       {std::tuple(level.has_per_adult(), &level.per_adult(), "per_adult"),
        std::tuple(level.has_per_child(), &level.per_child(), "per_child"),
        std::tuple(level.has_per_household(), &level.per_household(), "per_household")}) {
    if (!present) continue;
    if (amount->minor_units() <= 0) {
      return Invalid(absl::StrCat(path, ".", name), "must be more than zero");
    }
    if (!currency.empty() && currency != amount->currency()) {
      return Invalid(absl::StrCat(path, ".", name), "all ceilings of a level have one currency");
    }
    currency = amount->currency();
  }
  if (currency.empty()) return Invalid(path, "needs a ceiling");
  return absl::OkStatus();
}

absl::Status CheckLevel(const v1::Level& level, const std::string& path) {
  if (!IsSet(level.kinds())) return Invalid(path + ".kinds", "names each kind once");
  if (auto ceilings = CheckCeilings(level, path); !ceilings.ok()) return ceilings;
  if (!IsSet(level.delivery_modes())) {
    return Invalid(path + ".delivery_modes", "names each mode once");
  }
  const v1::FilingDeadline& deadline = level.filing_deadline();
  if (deadline.months() > 0 && deadline.working_days() > 0) {
    return Invalid(path + ".filing_deadline", "is in months or in working days, not in both");
  }
  std::int64_t percents = 0;
  for (const int percent : level.instalment_percents()) {
    if (percent <= 0) return Invalid(path + ".instalment_percents", "must each be more than zero");
    percents += percent;
  }
  if (percents != 100) return Invalid(path + ".instalment_percents", "must add up to 100");
  return absl::OkStatus();
}

absl::Status CheckLevels(const v1::RuleSet& rule_set, const std::string& path) {
  std::set<int> numbers;
  for (int i = 0; i < rule_set.levels_size(); ++i) {
    const std::string at = absl::StrCat(path, ".levels[", i, "]");
    if (auto level = CheckLevel(rule_set.levels(i), at); !level.ok()) return level;
    if (!numbers.insert(rule_set.levels(i).level()).second) {
      return Invalid(at + ".level", "stands here twice");
    }
  }
  return absl::OkStatus();
}

bool OnOrBefore(const v1::RuleSet& rule_set, std::string_view iso_day) {
  // ISO days sort as text.
  return rule_set.effective_date() <= iso_day;
}

bool Contains(const auto& list, const auto& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

absl::Status CheckRuleSet(const v1::RuleSet& rule_set, const std::string& path) {
  if (rule_set.version() != 0) return Invalid(path + ".version", "is given by the service");
  if (auto levels = CheckLevels(rule_set, path); !levels.ok()) return levels;
  if (rule_set.maximum_age_years() > 0 &&
      rule_set.maximum_age_years() < rule_set.minimum_age_years()) {
    return Invalid(path + ".maximum_age_years", "is below the minimum");
  }
  if (!IsSet(rule_set.return_types())) {
    return Invalid(path + ".return_types", "names each type once");
  }
  int month_before = 0;
  for (const int month : rule_set.follow_up_months()) {
    if (month <= month_before || month > kFollowUpMonthsMax) {
      return Invalid(path + ".follow_up_months", "must rise, up to 120");
    }
    month_before = month;
  }
  return absl::OkStatus();
}

absl::Status CheckContent(const v1::ProgrammeContent& content) {
  for (int i = 0; i < content.rule_sets_size(); ++i) {
    const std::string path = absl::StrCat("rule_sets[", i, "]");
    if (auto rules = CheckRuleSet(content.rule_sets(i), path); !rules.ok()) return rules;
    if (i > 0 && OnOrBefore(content.rule_sets(i), content.rule_sets(i - 1).effective_date())) {
      return Invalid(path + ".effective_date", "must be later than the one before");
    }
  }
  return absl::OkStatus();
}

const v1::RuleSet* InForce(const v1::Programme& programme, std::string_view iso_day) {
  const v1::RuleSet* in_force = nullptr;
  for (const v1::RuleSet& rule_set : programme.rule_sets()) {
    if (OnOrBefore(rule_set, iso_day)) in_force = &rule_set;
  }
  return in_force;
}

const v1::RuleSet* FindVersion(const v1::Programme& programme, int version) {
  for (const v1::RuleSet& rule_set : programme.rule_sets()) {
    if (rule_set.version() == version) return &rule_set;
  }
  return nullptr;
}

const v1::Level* FindLevel(const v1::RuleSet& rule_set, int level) {
  for (const v1::Level& candidate : rule_set.levels()) {
    if (candidate.level() == level) return &candidate;
  }
  return nullptr;
}

absl::StatusOr<common::v1::Money> CeilingOf(const v1::Level& level, int adults, int children) {
  std::vector<common::v1::Money> parts;
  for (const auto& [present, amount, heads] :
       {std::tuple(level.has_per_adult(), &level.per_adult(), adults),
        std::tuple(level.has_per_child(), &level.per_child(), children),
        std::tuple(level.has_per_household(), &level.per_household(), 1)}) {
    if (!present) continue;
    auto part = money::Multiply(*amount, std::max(heads, 0));
    if (!part.ok()) return part;
    parts.push_back(*std::move(part));
  }
  return money::Sum(parts.empty() ? "" : parts.front().currency(), parts);
}

std::optional<absl::CivilDay> LastFilingDay(const v1::FilingDeadline& deadline,
                                            absl::CivilDay returned) {
  if (deadline.months() > 0) return time::AddMonths(returned, deadline.months());
  if (deadline.working_days() == 0) return std::nullopt;
  // Public holidays are not known here: an application is never called late because of one that was.
  absl::CivilDay day = returned;
  for (int left = deadline.working_days(); left > 0;) {
    ++day;
    const absl::Weekday weekday = absl::GetWeekday(day);
    if (weekday != absl::Weekday::saturday && weekday != absl::Weekday::sunday) --left;
  }
  return day;
}

absl::Status CheckEligible(const v1::RuleSet& rule_set, const v1::Level& level,
                           v1::ProjectKind kind, std::string_view filed_date,
                           const v1::GrantFacts& facts) {
  using status::Refuse;
  if (facts.erased()) return Refuse(v1::REASON_PERSON_ERASED);
  if (!facts.case_open()) return Refuse(v1::REASON_CASE_NOT_OPEN);
  if (facts.duplicate_open()) return Refuse(v1::REASON_DUPLICATE_OPEN);
  if (!rule_set.return_types().empty() &&
      !Contains(rule_set.return_types(), static_cast<int>(facts.return_type()))) {
    return Refuse(v1::REASON_RETURN_TYPE_NOT_ELIGIBLE);
  }
  for (const std::string& nationality : facts.nationalities()) {
    if (Contains(rule_set.excluded_nationalities(), nationality)) {
      return Refuse(v1::REASON_NATIONALITY_EXCLUDED);
    }
  }
  if (facts.age_years() < rule_set.minimum_age_years() ||
      (rule_set.maximum_age_years() > 0 && facts.age_years() > rule_set.maximum_age_years())) {
    return Refuse(v1::REASON_AGE_NOT_ELIGIBLE);
  }
  if (facts.months_in_host_country() < rule_set.minimum_stay_months()) {
    return Refuse(v1::REASON_STAY_TOO_SHORT);
  }
  if (!Contains(level.kinds(), static_cast<int>(kind))) {
    return Refuse(v1::REASON_KIND_NOT_ELIGIBLE);
  }
  const auto returned = time::ParseDay(facts.return_date());
  const auto filed = time::ParseDay(filed_date);
  if (returned && filed) {
    const auto last = LastFilingDay(level.filing_deadline(), *returned);
    if (last && *filed > *last) return Refuse(v1::REASON_FILED_TOO_LATE);
  }
  return absl::OkStatus();
}

}  // namespace sankofa::funding
