#include "services/platform/status/refuse.h"

#include <algorithm>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "sankofa/common/v1/options.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/text.h"

namespace sankofa::status {
namespace {

constexpr absl::string_view kTypePrefix = "type.googleapis.com/";

template <class Payload>
std::string TypeUrl() {
  return absl::StrCat(kTypePrefix, Payload::descriptor()->full_name());
}

template <class Payload>
void Attach(absl::Status& status, const Payload& payload) {
  status.SetPayload(TypeUrl<Payload>(), absl::Cord(payload.SerializeAsString()));
}

template <class Payload>
std::optional<Payload> Read(const absl::Status& status) {
  const auto cord = status.GetPayload(TypeUrl<Payload>());
  Payload payload;
  if (!cord || !payload.ParseFromString(std::string(*cord))) return std::nullopt;
  return payload;
}

// One payload per type is all that a status holds, so the two texts travel under keys of their own.
constexpr std::string_view kFrench = "sankofa/fr";

// "sankofa.registration.v1.Reason" → "registration.sankofa", the domain of ErrorInfo.
std::string DomainOf(const google::protobuf::EnumDescriptor& reasons) {
  const std::vector<std::string> parts = absl::StrSplit(reasons.full_name(), '.');
  return parts.size() > 2 ? absl::StrCat(parts[1], ".", parts[0]) : reasons.full_name();
}

google::rpc::LocalizedMessage Localized(const char* locale, const std::string& text) {
  google::rpc::LocalizedMessage message;
  message.set_locale(locale);
  message.set_message(text);
  return message;
}

}  // namespace

absl::Status RefuseWith(const google::protobuf::EnumValueDescriptor& reason, Detail detail) {
  Check(reason.options().HasExtension(common::v1::refusal),
        absl::StrCat(reason.full_name(), " has no refusal option"));
  const common::v1::Refusal& refusal = reason.options().GetExtension(common::v1::refusal);
  absl::Status status(static_cast<absl::StatusCode>(refusal.code()), refusal.en());

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(absl::StripPrefix(reason.name(), "REASON_")));
  info.set_domain(DomainOf(*reason.type()));
  for (auto& [key, value] : detail.metadata) (*info.mutable_metadata())[key] = value;
  Attach(status, info);
  Attach(status, Localized("en", refusal.en()));
  status.SetPayload(Absl(kFrench), absl::Cord(Localized("fr", refusal.fr()).SerializeAsString()));
  if (!detail.fields.empty()) {
    google::rpc::BadRequest bad_request;
    for (const FieldViolation& violation : detail.fields) {
      auto* field = bad_request.add_field_violations();
      field->set_field(violation.field);
      field->set_description(violation.description);
    }
    Attach(status, bad_request);
  }
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = Read<google::rpc::ErrorInfo>(status);
  return info ? info->reason() : std::string();
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  if (const auto bad_request = Read<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad_request->field_violations()) {
      fields.push_back(violation.field());
    }
  }
  return fields;
}

Detail DetailOf(const absl::Status& status) {
  Detail detail;
  if (const auto bad_request = Read<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad_request->field_violations()) {
      detail.fields.push_back({violation.field(), violation.description()});
    }
  }
  if (const auto info = Read<google::rpc::ErrorInfo>(status)) {
    detail.metadata.assign(info->metadata().begin(), info->metadata().end());
    std::sort(detail.metadata.begin(), detail.metadata.end());
  }
  return detail;
}

std::string TextOf(const absl::Status& status, std::string_view language) {
  if (language == "fr") {
    const auto cord = status.GetPayload(Absl(kFrench));
    google::rpc::LocalizedMessage french;
    if (cord && french.ParseFromString(std::string(*cord))) return french.message();
  }
  const auto english = Read<google::rpc::LocalizedMessage>(status);
  return english ? english->message() : std::string(status.message());
}

absl::Status Unavailable(std::string_view what) {
  return Refuse(common::v1::REASON_DEPENDENCY_UNAVAILABLE,
                Detail{.fields = {}, .metadata = {{"detail", std::string(what)}}});
}

absl::Status Internal(std::string_view what) {
  return Refuse(common::v1::REASON_INTERNAL,
                Detail{.fields = {}, .metadata = {{"detail", std::string(what)}}});
}

bool IsTransient(const absl::Status& status) { return absl::IsUnavailable(status); }

std::string ToDetailsTrailer(const absl::Status& status) {
  google::rpc::Status wire;
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(std::string(status.message()));
  // ErrorInfo first, then the texts, English before French, then the fields.
  const auto add = [&](const google::protobuf::Message& payload) {
    wire.add_details()->PackFrom(payload);
  };
  if (const auto info = Read<google::rpc::ErrorInfo>(status)) add(*info);
  if (const auto english = Read<google::rpc::LocalizedMessage>(status)) add(*english);
  if (const auto cord = status.GetPayload(Absl(kFrench))) {
    google::rpc::LocalizedMessage french;
    if (french.ParseFromString(std::string(*cord))) add(french);
  }
  if (const auto bad_request = Read<google::rpc::BadRequest>(status)) add(*bad_request);
  return wire.SerializeAsString();
}

absl::Status FromTrailer(int code, std::string_view message, std::string_view details) {
  absl::Status status(static_cast<absl::StatusCode>(code), Absl(message));
  google::rpc::Status wire;
  if (!wire.ParseFromArray(details.data(), static_cast<int>(details.size()))) return status;
  for (const auto& any : wire.details()) {
    google::rpc::LocalizedMessage localized;
    if (any.UnpackTo(&localized) && localized.locale() == "fr") {
      status.SetPayload(Absl(kFrench), absl::Cord(any.value()));
    } else {
      status.SetPayload(any.type_url(), absl::Cord(any.value()));
    }
  }
  return status;
}

}  // namespace sankofa::status
