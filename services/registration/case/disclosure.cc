#include "services/registration/case/disclosure.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_split.h"
#include "sankofa/registration/v1/registration_reason.pb.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/registration/case/consent.h"

namespace sankofa::registration {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What a consent may name. A sensitive field stands here by its own name and so is never shared with the rest.
constexpr std::array<std::string_view, 15> kShareable = {
    "person.details",
    "person.vulnerabilities",
    "person.payout_accounts",
    "case.reference",
    "case.state",
    "case.header",
    "case.retroactive",
    "case.adults",
    "case.children",
    "case.profile",
    "case.arrival_date",
    "case.orientation",
    "case.assessment",
    "case.best_interests",
    "case.close_reason",
};

// What a partner that is asked for a service has to know of it.
constexpr std::string_view kReferrals = "referrals";

// Paths as a tree. A node without children is covered as a whole.
struct Covered {
  std::map<std::string, std::unique_ptr<Covered>> inside;
  bool whole = false;
};

void Cover(Covered& root, const std::string& scope) {
  Covered* node = &root;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(scope, '.'))) {
    auto& next = node->inside[name];
    if (!next) next = std::make_unique<Covered>();
    node = next.get();
  }
  node->whole = true;
}

// Clears every field of `message` that is not covered.
void Prune(Message& message, const Covered& covered) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const auto found = covered.inside.find(field->name());
    if (found == covered.inside.end()) {
      reflection->ClearField(&message, field);
    } else if (found->second->whole) {
      continue;
    } else if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        Prune(*reflection->MutableRepeatedMessage(&message, field, i), *found->second);
      }
    } else {
      Prune(*reflection->MutableMessage(&message, field), *found->second);
    }
  }
}

}  // namespace

bool CoversReferrals(const v1::Disclosure& disclosure) {
  const auto& scopes = disclosure.scopes();
  return disclosure.purpose() == v1::CONSENT_PURPOSE_REFERRAL &&
         std::find(scopes.begin(), scopes.end(), kReferrals) != scopes.end();
}

bool IsShareable(std::string_view scope) {
  if (scope == kReferrals) return true;
  const std::vector<std::string> names = absl::StrSplit(status::Absl(scope), '.');
  if (names.size() < 2) return false;
  const std::string top = names[0] + "." + names[1];
  if (std::find(kShareable.begin(), kShareable.end(), top) == kShareable.end()) return false;
  const Descriptor* type = v1::Disclosure::descriptor();
  for (const std::string& name : names) {
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(name);
    if (field == nullptr) return false;
    type = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? field->message_type() : nullptr;
  }
  return true;
}

absl::StatusOr<v1::Disclosure> Disclose(const v1::GetDisclosureRequest& request, const v1::Case& of,
                                        const v1::Person& person, absl::CivilDay on) {
  const auto covering = Covering(of, person, request.partner(), request.purpose(), on);
  if (covering.empty()) return status::Refuse(v1::REASON_NO_VALID_CONSENT);
  v1::Disclosure disclosure;
  std::set<std::string> scopes;
  Covered covered;
  for (const v1::Consent* consent : covering) {
    disclosure.add_consent_ids(consent->consent_id());
    if (disclosure.until_date().empty() || consent->until_date() < disclosure.until_date()) {
      disclosure.set_until_date(consent->until_date());
    }
    for (const std::string& scope : consent->scopes()) {
      if (scopes.insert(scope).second) Cover(covered, scope);
    }
  }
  *disclosure.mutable_person() = person;
  *disclosure.mutable_case_() = of;
  const Covered nothing;
  const auto part = [&](const char* name) -> const Covered& {
    const auto found = covered.inside.find(name);
    return found == covered.inside.end() ? nothing : *found->second;
  };
  Prune(*disclosure.mutable_person(), part("person"));
  Prune(*disclosure.mutable_case_(), part("case"));
  for (const std::string& scope : scopes) disclosure.add_scopes(scope);
  disclosure.set_case_id(of.id());
  disclosure.set_partner(request.partner());
  disclosure.set_purpose(request.purpose());
  return disclosure;
}

}  // namespace sankofa::registration
