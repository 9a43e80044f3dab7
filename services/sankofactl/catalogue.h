#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// The services, methods and messages that this client was built with, from their descriptors. A node of another version
// may have others.
namespace sankofa::ctl {

// "registration", … in the order in which a case meets them.
[[nodiscard]] const std::vector<std::string>& ServiceNames();
[[nodiscard]] bool IsService(std::string_view name);

// All methods, by service and in the order of the proto files; NodeService's last.
[[nodiscard]] const std::vector<const google::protobuf::MethodDescriptor*>& Methods();

// By full name ("sankofa.registration.v1.RegistrationService/GetCase", also with a slash before it), by
// "RegistrationService/GetCase", "registration/GetCase", or by "GetCase" where only one service has it. Letters may be
// small or capital. A usage error with what is like it where there is none.
[[nodiscard]] absl::StatusOr<const google::protobuf::MethodDescriptor*> FindMethod(
    std::string_view name);

// As gRPC names it: "sankofa.registration.v1.RegistrationService/GetCase".
[[nodiscard]] std::string PathOf(const google::protobuf::MethodDescriptor& method);

// Which service answers: "registration"; empty for NodeService, whose requests name it.
[[nodiscard]] std::string ServiceOf(const google::protobuf::MethodDescriptor& method);

[[nodiscard]] std::unique_ptr<google::protobuf::Message> NewMessage(
    const google::protobuf::Descriptor& type);

// Null where this client does not know the type.
[[nodiscard]] const google::protobuf::Descriptor* FindType(const std::string& full_name);

}  // namespace sankofa::ctl
