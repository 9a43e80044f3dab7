#include "services/registration/person/details.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/time/time.h"
#include "services/registration/person/age.h"
#include "services/registration/person/names.h"

namespace sankofa::registration {
namespace {

using status::RefuseField;

constexpr int kOldestYears = 130;
constexpr int kElderlyFromYears = 50;

absl::Status CheckDocuments(const v1::PersonDetails& details) {
  std::set<std::string> seen;
  const auto readable = [](std::string_view, std::string_view text) { return std::string(text); };
  for (int i = 0; i < details.documents_size(); ++i) {
    const auto& document = details.documents(i);
    const std::string path = absl::StrCat("details.documents[", i, "]");
    if (FoldNumber(document.number()).empty()) {
      return RefuseField(v1::REASON_DOCUMENT_NUMBER_EMPTY, path + ".number");
    }
    if (!seen.insert(DocumentHash(document, readable)).second) {
      return RefuseField(v1::REASON_DOCUMENT_REPEATED, path);
    }
    // ISO days compare as text.
    if (!document.issue_date().empty() && document.issue_date() < details.birth_date()) {
      return RefuseField(v1::REASON_DOCUMENT_DATES, path + ".issue_date");
    }
    if (!document.expiry_date().empty() &&
        document.expiry_date() < std::max(document.issue_date(), details.birth_date())) {
      return RefuseField(v1::REASON_DOCUMENT_DATES, path + ".expiry_date");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHousehold(const v1::PersonDetails& details) {
  std::set<std::string> seen;
  for (int i = 0; i < details.household_size(); ++i) {
    const auto& member = details.household(i);
    const std::string path = absl::StrCat("details.household[", i, "]");
    if (!seen.insert(member.member_id()).second) {
      return RefuseField(v1::REASON_HOUSEHOLD_MEMBER_REPEATED, path + ".member_id");
    }
    if (NameWords(member.name()).empty()) {
      return RefuseField(v1::REASON_NAME_UNREADABLE, path + ".name");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDetails(const v1::PersonDetails& details, const engine::Context& context) {
  if (NameWords(details.given_names()).empty()) {
    return RefuseField(v1::REASON_NAME_UNREADABLE, "details.given_names");
  }
  if (NameWords(details.family_names()).empty()) {
    return RefuseField(v1::REASON_NAME_UNREADABLE, "details.family_names");
  }
  const int years = time::AgeInYears(Day(details.birth_date()), time::DayOf(context.now));
  if (years > kOldestYears) {
    return RefuseField(v1::REASON_BIRTH_DATE_TOO_EARLY, "details.birth_date");
  }
  if (auto documents = CheckDocuments(details); !documents.ok()) return documents;
  return CheckHousehold(details);
}

absl::Status CheckVulnerabilities(const google::protobuf::RepeatedField<int>& vulnerabilities,
                                  const v1::PersonDetails& details,
                                  const engine::Context& context) {
  const int years = time::AgeInYears(Day(details.birth_date()), time::DayOf(context.now));
  std::set<int> seen;
  for (int i = 0; i < vulnerabilities.size(); ++i) {
    const int kind = vulnerabilities[i];
    const std::string path = absl::StrCat("vulnerabilities[", i, "]");
    const bool known = v1::Vulnerability_IsValid(kind) && kind != v1::VULNERABILITY_UNSPECIFIED;
    if (!known || !seen.insert(kind).second) {
      return RefuseField(v1::REASON_VULNERABILITY_REPEATED, path);
    }
    const bool of_children =
        kind == v1::VULNERABILITY_UNACCOMPANIED_CHILD || kind == v1::VULNERABILITY_SEPARATED_CHILD;
    if ((of_children && years >= kMajority) ||
        (kind == v1::VULNERABILITY_ELDERLY && years < kElderlyFromYears)) {
      return RefuseField(v1::REASON_VULNERABILITY_AGE, path);
    }
  }
  return absl::OkStatus();
}

}  // namespace sankofa::registration
