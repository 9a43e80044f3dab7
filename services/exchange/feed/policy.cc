#include "services/exchange/feed/policy.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "services/exchange/agreement/shareable.h"
#include "services/exchange/directory.h"
#include "services/platform/crypto/vault.h"

namespace sankofa::exchange {
namespace {

using common::v1::Visibility;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kCaseId[] = "case_id";

bool IsText(const FieldDescriptor* field) {
  return field != nullptr && !field->is_repeated() &&
         field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

// The value of the text field that carries a marker; empty where none does.
template <class Extension>
std::string Marked(const Message& event, const Extension& marker) {
  const auto* type = event.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->options().GetExtension(marker) && IsText(field)) {
      return event.GetReflection()->GetString(event, field);
    }
  }
  return {};
}

// For each message in the field, of which there may be many.
template <class F>
void ForEachInside(Message& message, const FieldDescriptor* field, F&& visit) {
  const auto* reflection = message.GetReflection();
  if (!field->is_repeated()) {
    visit(*reflection->MutableMessage(&message, field));
    return;
  }
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    visit(*reflection->MutableRepeatedMessage(&message, field, i));
  }
}

bool HoldsMessages(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map();
}

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

// The paths inside events of this type that a share leaves out.
using Paths = std::set<std::string>;
Paths LeftOut(const v1::Share& share, const std::string& type) {
  Paths paths;
  const std::string prefix = absl::StrCat("-", type, ".");
  for (const std::string& field : share.fields()) {
    if (absl::StartsWith(field, prefix)) paths.insert(field.substr(prefix.size()));
  }
  return paths;
}

// Clears what none of the shares that still let this part through lets through.
void ClearLeftOut(Message& message, const std::string& path, const std::vector<Paths>& letting) {
  for (const FieldDescriptor* field : SetFields(message)) {
    if (path.empty() && field->name() == kCaseId) continue;
    const std::string at = Join(path, field->name());
    std::vector<Paths> still;
    for (const Paths& left_out : letting) {
      if (!left_out.contains(at)) still.push_back(left_out);
    }
    if (still.empty()) {
      message.GetReflection()->ClearField(&message, field);
    } else if (HoldsMessages(field)) {
      ForEachInside(message, field, [&](Message& inside) { ClearLeftOut(inside, at, still); });
    }
  }
}

bool Covers(const v1::Share& share, const std::string& type) {
  return std::find(share.event_types().begin(), share.event_types().end(), type) !=
         share.event_types().end();
}

bool Among(const google::protobuf::RepeatedPtrField<std::string>& list, const std::string& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

Visibility VisibilityOf(const FieldDescriptor* field) {
  return field->options().GetExtension(common::v1::visibility);
}

// Where a part of a disclosure stands.
struct Place {
  std::string path;
  bool personal = false;  // inside what names or describes a person
  bool named = false;     // covered by a path that the agreement names
};

void ClearNotNamed(Message& message, const Place& place, const Paths& named) {
  for (const FieldDescriptor* field : SetFields(message)) {
    const Visibility visibility = VisibilityOf(field);
    const bool sensitive = visibility == common::v1::VISIBILITY_SENSITIVE;
    Place inside{.path = Join(place.path, field->name())};
    inside.personal = place.personal || sensitive || visibility == common::v1::VISIBILITY_PERSONAL;
    // A path covers what is inside it, but a sensitive field only where the path names it.
    inside.named = named.contains(inside.path) || (place.named && !sensitive);
    const bool sealed = field->message_type() == common::v1::Sealed::descriptor();
    const auto further = named.lower_bound(inside.path + ".");
    const bool part = further != named.end() && absl::StartsWith(*further, inside.path + ".");
    if (sealed || (inside.personal && !inside.named && !(part && HoldsMessages(field)))) {
      message.GetReflection()->ClearField(&message, field);
    } else if (HoldsMessages(field)) {
      ForEachInside(message, field,
                    [&](Message& content) { ClearNotNamed(content, inside, named); });
    }
  }
}

bool IsEmpty(const Message& message) { return message.ByteSizeLong() == 0; }

}  // namespace

std::string AddresseeOf(const Message& event) { return Marked(event, common::v1::addressee); }

std::string CaseOf(const Message& event) {
  const FieldDescriptor* field = event.GetDescriptor()->FindFieldByName(kCaseId);
  return IsText(field) ? event.GetReflection()->GetString(event, field) : std::string();
}

Way WayOf(const Message& event) {
  const Sharing sharing = SharingOf(event.GetDescriptor()->full_name());
  if (sharing == Sharing::kUnknown || sharing == Sharing::kNever) return Way::kStays;
  if (!Marked(event, common::v1::origin_node).empty()) return Way::kStays;
  if (sharing == Sharing::kStatistics) return Way::kStatistics;
  if (CaseOf(event).empty()) return Way::kStays;
  return AddresseeOf(event).empty() ? Way::kCase : Way::kAddressed;
}

bool LetsThrough(const v1::CaseFilter& filter, const v1::SharedCase& of) {
  return Among(filter.origin_countries(), of.origin_country()) &&
         Among(filter.host_countries(), of.host_country()) &&
         Among(filter.programmes(), of.programme());
}

std::vector<Purpose> PurposesOf(const Shares& shares, const std::string& type) {
  std::set<Purpose> purposes;
  for (const v1::Share& share : shares) {
    if (Covers(share, type)) purposes.insert(share.purpose());
  }
  return {purposes.begin(), purposes.end()};
}

std::vector<Purpose> PurposesOf(const Shares& shares) {
  std::set<Purpose> purposes;
  for (const v1::Share& share : shares) purposes.insert(share.purpose());
  purposes.erase(registration::v1::CONSENT_PURPOSE_UNSPECIFIED);
  return {purposes.begin(), purposes.end()};
}

Ground GroundFor(const Message& event, const std::string& partner,
                 const std::vector<const v1::SharingAgreement*>& agreements,
                 const std::string& node, const v1::SharedCase& of,
                 const std::vector<Purpose>& consented) {
  const Way way = WayOf(event);
  if (way == Way::kStays || (way == Way::kAddressed && AddresseeOf(event) != partner)) return {};
  Ground best;
  for (const v1::SharingAgreement* agreement : agreements) {
    if (way == Way::kAddressed) return {agreement, {}};
    const auto named =
        PurposesOf(SharesOf(agreement->terms(), node), event.GetDescriptor()->full_name());
    if (way == Way::kStatistics) {
      const bool shared = std::find(named.begin(), named.end(),
                                    registration::v1::CONSENT_PURPOSE_UNSPECIFIED) != named.end();
      if (shared) return {agreement, {}};
      continue;
    }
    if (!LetsThrough(agreement->terms().cases(), of)) continue;
    std::vector<Purpose> purposes;
    for (const Purpose purpose : named) {
      if (purpose == registration::v1::CONSENT_PURPOSE_UNSPECIFIED) continue;
      if (std::find(consented.begin(), consented.end(), purpose) != consented.end()) {
        purposes.push_back(purpose);
      }
    }
    if (purposes.size() > best.purposes.size()) best = {agreement, std::move(purposes)};
  }
  return best;
}

std::unique_ptr<Message> Cut(const Message& event, const Shares& shares,
                             const std::vector<Purpose>& purposes) {
  std::unique_ptr<Message> cut(event.New());
  cut->CopyFrom(event);
  cut->DiscardUnknownFields();
  crypto::Redact(*cut);
  if (WayOf(event) == Way::kAddressed) return cut;
  const std::string& type = event.GetDescriptor()->full_name();
  std::vector<Paths> letting;
  for (const v1::Share& share : shares) {
    const bool holds =
        purposes.empty()
            ? share.purpose() == registration::v1::CONSENT_PURPOSE_UNSPECIFIED
            : std::find(purposes.begin(), purposes.end(), share.purpose()) != purposes.end();
    if (holds && Covers(share, type)) letting.push_back(LeftOut(share, type));
  }
  ClearLeftOut(*cut, "", letting);
  return cut;
}

registration::v1::Disclosure Limit(const registration::v1::Disclosure& disclosure,
                                   const Shares& shares) {
  Paths named;
  for (const v1::Share& share : shares) {
    if (share.purpose() != disclosure.purpose()) continue;
    for (const std::string& field : share.fields()) {
      if (!absl::StartsWith(field, "-")) named.insert(field);
    }
  }
  registration::v1::Disclosure limited = disclosure;
  limited.DiscardUnknownFields();
  ClearNotNamed(limited, Place{}, named);
  if (IsEmpty(limited.person())) limited.clear_person();
  if (IsEmpty(limited.case_())) limited.clear_case_();
  return limited;
}

}  // namespace sankofa::exchange
