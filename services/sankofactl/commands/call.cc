#include <sodium.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"

// `call`: any method, with a request in JSON.
namespace sankofa::ctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

struct CallArguments {
  std::string method;
  std::string request;
  int count = 0;
};

// The request's JSON: as it stands, `@file`, `-` for what is piped in; nothing means an empty request.
absl::StatusOr<std::string> ReadRequest(Session& session, const std::string& argument) {
  if (argument.empty()) return "{}";
  if (argument == "-") return std::string(std::istreambuf_iterator<char>(session.in()), {});
  if (argument.front() != '@') return argument;
  const std::string path = argument.substr(1);
  std::ifstream file(path, std::ios::binary);
  if (!file) return UsageError(absl::StrCat("can't read ", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

const FieldDescriptor* TextField(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  const bool text = field != nullptr && !field->is_repeated() &&
                    field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return text ? field : nullptr;
}

// Random, version 4 of RFC 4122, in small letters.
std::string NewUuid() {
  std::string bytes(16, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = absl::BytesToHexString(bytes);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  return text;
}

// A command wants a request id. One that is not given is made up: the call then is a new one, never a repeat.
void FillRequestId(Message& request) {
  const FieldDescriptor* field = TextField(request, "request_id");
  const auto* reflection = request.GetReflection();
  if (field == nullptr || !reflection->GetString(request, field).empty()) return;
  reflection->SetString(&request, field, NewUuid());
}

// Who answers. NodeService's requests say it themselves.
std::string AnsweringService(const MethodDescriptor& method, const Message& request) {
  const std::string service = ServiceOf(method);
  const FieldDescriptor* field = TextField(request, "service");
  if (!service.empty() || field == nullptr) return service;
  return request.GetReflection()->GetString(request, field);
}

absl::Status Print(Session& session, const Message& message) {
  const auto json = ToJson(message);
  if (!json.ok()) return json.status();
  session.out() << (session.json() ? json->Line() : json->Pretty()) << "\n" << std::flush;
  return absl::OkStatus();
}

absl::Status Stream(Session& session, const MethodDescriptor& method, const Message& request,
                    int count) {
  const auto response = NewMessage(*method.output_type());
  absl::Status printed;
  int taken = 0;
  auto read = session.ReadStream(AnsweringService(method, request), PathOf(method), request,
                                 *response, [&](const Message& message) {
                                   printed = Print(session, message);
                                   ++taken;
                                   return printed.ok() && session.out().good() && taken != count;
                                 });
  return printed.ok() ? read : printed;
}

absl::Status RunCall(Session& session, const CallArguments& arguments) {
  const auto method = FindMethod(arguments.method);
  if (!method.ok()) return method.status();
  const auto text = ReadRequest(session, arguments.request);
  if (!text.ok()) return text.status();
  const auto request = NewMessage(*(*method)->input_type());
  if (auto read = FromJson(*text, *request); !read.ok()) {
    return UsageError(absl::StrCat("the request can't be read: ", read.message()));
  }
  FillRequestId(*request);
  if ((*method)->server_streaming()) {
    return Stream(session, **method, *request, arguments.count);
  }
  const auto response = NewMessage(*(*method)->output_type());
  auto called =
      session.Call(AnsweringService(**method, *request), PathOf(**method), *request, *response);
  return called.ok() ? Print(session, *response) : called;
}

}  // namespace

void AddCall(CLI::App& app, Session& session) {
  auto* call = app.add_subcommand("call", "Call any method with a request in JSON");
  auto arguments = std::make_shared<CallArguments>();
  call->add_option("method", arguments->method,
                   "RegistrationService/GetCase, or GetCase; see `methods`")
      ->required();
  call->add_option("request", arguments->request,
                   "JSON, @file, or - for what is piped in; a missing request_id is made up");
  call->add_option("--count", arguments->count, "Of a stream: end after so many answers")
      ->check(CLI::PositiveNumber);
  call->callback([&session, arguments] {
    session.run = [&session, arguments] {
      const auto called = RunCall(session, *arguments);
      return called.ok() ? kOk : session.Fail(called);
    };
  });
}

}  // namespace sankofa::ctl
