#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"

// Refusals: one vocabulary for deciders, engine and RPC. A reason is a value of a proto enum `Reason`; its gRPC code
// and its texts in French and English stand beside the value, as the option (sankofa.common.v1.refusal). The status
// carries google.rpc.ErrorInfo, LocalizedMessage (fr, en) and, where a field is wrong, BadRequest as payloads.
namespace sankofa::status {

// A field that is wrong, as a path in the request ("items[2].unit_price"), and what it should be.
struct FieldViolation {
  std::string field;
  std::string description;
};

// What a refusal says beside its reason. Never personal data: it is logged.
struct Detail {
  std::vector<FieldViolation> fields;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// The status for `reason`, a value of an enum whose values carry the refusal option. A value without it is a bug of
// ours and ends the process.
[[nodiscard]] absl::Status RefuseWith(const google::protobuf::EnumValueDescriptor& reason,
                                      Detail detail);

template <class Reason>
[[nodiscard]] absl::Status Refuse(Reason reason, Detail detail = {}) {
  const auto* value =
      google::protobuf::GetEnumDescriptor<Reason>()->FindValueByNumber(static_cast<int>(reason));
  return RefuseWith(*value, std::move(detail));
}

// A refusal because of one field.
template <class Reason>
[[nodiscard]] absl::Status RefuseField(Reason reason, std::string field,
                                       std::string description = {}) {
  return Refuse(reason,
                Detail{.fields = {{std::move(field), std::move(description)}}, .metadata = {}});
}

// The reason's name without its prefix ("CASE_NOT_OPEN"); empty where the status carries none.
[[nodiscard]] std::string ReasonOf(const absl::Status& status);

// The fields that a refusal names, in order.
[[nodiscard]] std::vector<std::string> FieldsOf(const absl::Status& status);

// Everything that a status says beside its reason, and its text for people in a language ("en", "fr"): the English one
// where there is none in that language.
[[nodiscard]] Detail DetailOf(const absl::Status& status);
[[nodiscard]] std::string TextOf(const absl::Status& status, std::string_view language);

// A failure that is not a refusal (connection lost, library error): UNAVAILABLE or INTERNAL, with text for the log.
[[nodiscard]] absl::Status Unavailable(std::string_view what);
[[nodiscard]] absl::Status Internal(std::string_view what);

// True where the same command may succeed if it is tried again: UNAVAILABLE, or a lost race inside the database.
[[nodiscard]] bool IsTransient(const absl::Status& status);

// google.rpc.Status in wire form for the trailer `grpc-status-details-bin`.
[[nodiscard]] std::string ToDetailsTrailer(const absl::Status& status);

// The inverse, for clients: rebuilds payloads from the trailer.
[[nodiscard]] absl::Status FromTrailer(int code, std::string_view message,
                                       std::string_view details);

}  // namespace sankofa::status
