#include "services/sankofactl/catalogue.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sankofa/common/v1/access_log.pb.h"
#include "sankofa/common/v1/node_service.pb.h"
#include "sankofa/exchange/v1/exchange_events.pb.h"
#include "sankofa/exchange/v1/exchange_service.pb.h"
#include "sankofa/funding/v1/funding_events.pb.h"
#include "sankofa/funding/v1/funding_service.pb.h"
#include "sankofa/monitoring/v1/monitoring_events.pb.h"
#include "sankofa/monitoring/v1/monitoring_service.pb.h"
#include "sankofa/registration/v1/registration_events.pb.h"
#include "sankofa/registration/v1/registration_service.pb.h"
#include "sankofa/validation/v1/validation_events.pb.h"
#include "sankofa/validation/v1/validation_service.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/output/failure.h"

namespace sankofa::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

struct KnownService {
  std::string name;
  // A message of the file that holds the service, and one of the file that holds its events. What nothing names would
  // not be linked in, and its types would not be known.
  const Descriptor* request;
  const Descriptor* event;
};

const std::vector<KnownService>& Known() {
  static const std::vector<KnownService> known = {
      {"registration", registration::v1::GetCaseRequest::descriptor(),
       registration::v1::CaseSubmitted::descriptor()},
      {"validation", validation::v1::GetProjectRequest::descriptor(),
       validation::v1::CaseFileOpened::descriptor()},
      {"funding", funding::v1::GetGrantRequest::descriptor(),
       funding::v1::AgreementRecorded::descriptor()},
      {"monitoring", monitoring::v1::GetCaseViewRequest::descriptor(),
       monitoring::v1::FollowUpPlanned::descriptor()},
      {"exchange", exchange::v1::GetPartnerRequest::descriptor(),
       exchange::v1::PartnerRegistered::descriptor()},
      // Not a service of its own: what each of them offers beside.
      {"", common::v1::GetServiceStatusRequest::descriptor(),
       common::v1::ReadRecorded::descriptor()},
  };
  return known;
}

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(status::Absl(text)); }

// The ways to name a method, in small letters; the last is ambiguous where another service has it too.
std::vector<std::string> NamesOf(const MethodDescriptor& method) {
  std::vector<std::string> names = {
      Lower(PathOf(method)), Lower(absl::StrCat(method.service()->name(), "/", method.name()))};
  if (const std::string service = ServiceOf(method); !service.empty()) {
    names.push_back(Lower(absl::StrCat(service, "/", method.name())));
  }
  names.push_back(Lower(method.name()));
  return names;
}

std::string ShortPathOf(const MethodDescriptor& method) {
  return absl::StrCat(method.service()->name(), "/", method.name());
}

// What somebody may have meant: methods whose name holds the word, or a part of it.
std::string Hint(const std::string& wanted) {
  constexpr std::size_t kSuggestionsMax = 6;
  const std::string word =
      wanted.substr(wanted.find('/') == std::string::npos ? 0 : wanted.find('/') + 1);
  std::vector<std::string> alike;
  for (const MethodDescriptor* method : Methods()) {
    const std::string name = Lower(method->name());
    const bool like =
        !word.empty() && (absl::StrContains(name, word) || absl::StrContains(word, name));
    if (like && alike.size() < kSuggestionsMax) alike.push_back(ShortPathOf(*method));
  }
  return alike.empty() ? "See: sankofactl methods"
                       : absl::StrCat("Perhaps: ", absl::StrJoin(alike, ", "));
}

}  // namespace

const std::vector<std::string>& ServiceNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const KnownService& service : Known()) {
      if (!service.name.empty()) all.push_back(service.name);
    }
    return all;
  }();
  return names;
}

bool IsService(std::string_view name) {
  return std::find(ServiceNames().begin(), ServiceNames().end(), name) != ServiceNames().end();
}

const std::vector<const MethodDescriptor*>& Methods() {
  static const std::vector<const MethodDescriptor*> methods = [] {
    std::vector<const MethodDescriptor*> all;
    for (const KnownService& known : Known()) {
      for (int s = 0; s < known.request->file()->service_count(); ++s) {
        const ServiceDescriptor* service = known.request->file()->service(s);
        for (int m = 0; m < service->method_count(); ++m) all.push_back(service->method(m));
      }
    }
    return all;
  }();
  return methods;
}

absl::StatusOr<const MethodDescriptor*> FindMethod(std::string_view name) {
  const std::string wanted = Lower(status::Std(absl::StripPrefix(status::Absl(name), "/")));
  std::vector<const MethodDescriptor*> found;
  for (const MethodDescriptor* method : Methods()) {
    const std::vector<std::string> names = NamesOf(*method);
    if (std::find(names.begin(), names.end(), wanted) != names.end()) found.push_back(method);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return UsageError(
        absl::StrCat("there is no method '", status::Absl(name), "'. ", Hint(wanted)));
  }
  std::vector<std::string> paths;
  for (const MethodDescriptor* method : found) paths.push_back(ShortPathOf(*method));
  return UsageError(absl::StrCat("'", status::Absl(name), "' may be: ", absl::StrJoin(paths, ", "),
                                 ". Say which."));
}

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat(method.service()->full_name(), "/", method.name());
}

std::string ServiceOf(const MethodDescriptor& method) {
  for (const KnownService& known : Known()) {
    if (known.request->file() == method.file()) return known.name;
  }
  return {};
}

std::unique_ptr<google::protobuf::Message> NewMessage(const Descriptor& type) {
  const auto* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type);
  status::Check(prototype != nullptr, "a message type is not linked in");
  return std::unique_ptr<google::protobuf::Message>(prototype->New());
}

const Descriptor* FindType(const std::string& full_name) {
  (void)Known();
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(full_name);
}

}  // namespace sankofa::ctl
