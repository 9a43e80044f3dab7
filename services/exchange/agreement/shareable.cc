#include "services/exchange/agreement/shareable.h"

#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_split.h"
#include "sankofa/common/v1/options.pb.h"
#include "sankofa/common/v1/sealed.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "services/platform/status/text.h"

namespace sankofa::exchange {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kCaseId[] = "case_id";

// They name a case and stay all the same.
const std::set<std::string>& Staying() {
  static const std::set<std::string> staying = {
      // What the person agreed to with other partners is no partner's business; that a consent ended reaches the one
      // whom it concerns as a request to erase.
      "sankofa.registration.v1.ConsentGiven",
      "sankofa.registration.v1.ConsentWithdrawn",
      "sankofa.registration.v1.ConsentOverridden",
      // On the person's stream: they tie cases of one person together.
      "sankofa.registration.v1.PersonCaseOpened",
      "sankofa.registration.v1.PersonCaseClosed",
      // On a reception centre's stream: who sleeps where. CaseLodged says what a partner may know.
      "sankofa.registration.v1.StayBegun",
      "sankofa.registration.v1.StayEnded",
      // What a service notes of another's facts, on streams that are not published.
      "sankofa.validation.v1.CaseFileOpened",
      "sankofa.validation.v1.CaseFileMoved",
      "sankofa.validation.v1.CaseProjectOpened",
      "sankofa.validation.v1.CaseProjectEnded",
      "sankofa.funding.v1.ApprovalNoted",
      "sankofa.funding.v1.CaseNoted",
      "sankofa.funding.v1.CaseFilingNoted",
      "sankofa.funding.v1.PaymentIdTaken",
      "sankofa.monitoring.v1.CaseFactRecorded",
      // What a partner disclosed, as its receiver keeps it.
      "sankofa.registration.v1.ReferralDetailsReceived",
      // Erasures on the node itself; what a partner has to know of them is a receipt.
      "sankofa.registration.v1.PartnerDataErased",
      "sankofa.validation.v1.ProjectErased",
  };
  return staying;
}

std::map<std::string, const Descriptor*> EventsOfAll() {
  std::map<std::string, const Descriptor*> events;
  for (const Descriptor* any :
       {registration::v1::CaseRegistered::descriptor(),
        validation::v1::ProjectApproved::descriptor(), funding::v1::GrantSigned::descriptor(),
        monitoring::v1::FollowUpPlanned::descriptor()}) {
    for (int i = 0; i < any->file()->message_type_count(); ++i) {
      const Descriptor* event = any->file()->message_type(i);
      events[event->full_name()] = event;
    }
  }
  return events;
}

bool IsPublic(const FieldDescriptor& field) {
  return field.options().GetExtension(common::v1::visibility) == common::v1::VISIBILITY_PUBLIC;
}

bool HoldsStatistics(const Descriptor& event) {
  for (int i = 0; i < event.field_count(); ++i) {
    if (!IsPublic(*event.field(i))) return false;
  }
  return event.field_count() > 0;
}

// The field at the end of a path; null where it leads nowhere.
const FieldDescriptor* Follow(const Descriptor* type, const std::vector<std::string>& names) {
  const FieldDescriptor* field = nullptr;
  for (const std::string& name : names) {
    field = type == nullptr ? nullptr : type->FindFieldByName(name);
    if (field == nullptr || field->is_map()) return nullptr;
    type = field->message_type();
    // How fields are stored is no field of the thing.
    if (type == common::v1::Sealed::descriptor()) return nullptr;
  }
  return field;
}

}  // namespace

const Descriptor* FindEvent(const std::string& event_type) {
  static const std::map<std::string, const Descriptor*> events = EventsOfAll();
  const auto found = events.find(event_type);
  return found == events.end() ? nullptr : found->second;
}

Sharing SharingOf(const std::string& event_type) {
  const Descriptor* event = FindEvent(event_type);
  if (event == nullptr) return Sharing::kUnknown;
  if (event->options().GetExtension(common::v1::erases) || Staying().contains(event_type)) {
    return Sharing::kNever;
  }
  const FieldDescriptor* case_id = event->FindFieldByName(kCaseId);
  if (case_id != nullptr && case_id->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
      !case_id->is_repeated()) {
    return Sharing::kCase;
  }
  return HoldsStatistics(*event) ? Sharing::kStatistics : Sharing::kNever;
}

bool IsDisclosurePath(std::string_view path) {
  const std::vector<std::string> names = absl::StrSplit(status::Absl(path), '.');
  if (names.size() < 2 || (names[0] != "person" && names[0] != "case")) return false;
  return Follow(registration::v1::Disclosure::descriptor(), names) != nullptr;
}

bool CanBeLeftOut(const Descriptor& event, std::string_view path) {
  if (path == kCaseId) return false;
  const std::vector<std::string> names = absl::StrSplit(status::Absl(path), '.');
  return Follow(&event, names) != nullptr;
}

}  // namespace sankofa::exchange
