#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "sankofa/funding/v1/funding_internal.pb.h"
#include "sankofa/funding/v1/programme.pb.h"

// What a rule set says, as functions. A rule set is data: no decree is written into code.
namespace sankofa::funding {

// That the fields of a well-formed rule set fit each other: RULE_SET_INVALID with the path of the field, beginning with
// `path`.
[[nodiscard]] absl::Status CheckRuleSet(const v1::RuleSet& rule_set, const std::string& path);

// The same for a programme's content, whose rule sets stand in the order of their effective dates.
[[nodiscard]] absl::Status CheckContent(const v1::ProgrammeContent& content);

// The rule set in force on `iso_day`: the last one that took effect on or before it. Null where there is none.
[[nodiscard]] const v1::RuleSet* InForce(const v1::Programme& programme, std::string_view iso_day);
// Null where there is none.
[[nodiscard]] const v1::RuleSet* FindVersion(const v1::Programme& programme, int version);
[[nodiscard]] const v1::Level* FindLevel(const v1::RuleSet& rule_set, int level);

// What the level may cost for a household: the sum of its ceilings. REASON_MONEY if that is out of range.
[[nodiscard]] absl::StatusOr<common::v1::Money> CeilingOf(const v1::Level& level, int adults,
                                                          int children);

// The last day on which an application may be filed after a return on `returned`; nothing without a deadline.
[[nodiscard]] std::optional<absl::CivilDay> LastFilingDay(const v1::FilingDeadline& deadline,
                                                          absl::CivilDay returned);

// Whether the person of `facts`, whose case was filed on `filed_date`, may be helped at `level` for a project of
// `kind`. The refusals, in the order of the checks: PERSON_ERASED, CASE_NOT_OPEN, DUPLICATE_OPEN,
// RETURN_TYPE_NOT_ELIGIBLE, NATIONALITY_EXCLUDED, AGE_NOT_ELIGIBLE, STAY_TOO_SHORT, KIND_NOT_ELIGIBLE, FILED_TOO_LATE.
[[nodiscard]] absl::Status CheckEligible(const v1::RuleSet& rule_set, const v1::Level& level,
                                         v1::ProjectKind kind, std::string_view filed_date,
                                         const v1::GrantFacts& facts);

}  // namespace sankofa::funding
