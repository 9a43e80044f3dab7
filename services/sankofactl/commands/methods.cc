#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sankofa/common/v1/options.pb.h"
#include "services/platform/status/text.h"
#include "services/sankofactl/catalogue.h"
#include "services/sankofactl/commands/commands.h"
#include "services/sankofactl/output/failure.h"
#include "services/sankofactl/output/json.h"
#include "services/sankofactl/output/table.h"

// `methods`: what can be called, by whom and with what, as the protos say.
namespace sankofa::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

constexpr char kNode[] = "node";  // the word for NodeService

std::string KindOf(const MethodDescriptor& method) {
  if (method.server_streaming()) return "stream";
  return method.input_type()->FindFieldByName("request_id") != nullptr ? "command" : "query";
}

std::vector<std::string> RolesOf(const MethodDescriptor& method) {
  std::vector<std::string> roles;
  for (const int role : method.options().GetExtension(common::v1::access).roles()) {
    const auto* value = common::v1::Role_descriptor()->FindValueByNumber(role);
    roles.push_back(value == nullptr
                        ? absl::StrCat(role)
                        : absl::AsciiStrToLower(absl::StripPrefix(value->name(), "ROLE_")));
  }
  return roles;
}

std::vector<std::string> SystemsOf(const MethodDescriptor& method) {
  const auto& access = method.options().GetExtension(common::v1::access);
  return {access.systems().begin(), access.systems().end()};
}

std::string TypeOf(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map of ", TypeOf(*field.message_type()->map_value()));
  }
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type = field.message_type()->name();
  if (field.enum_type() != nullptr) type = field.enum_type()->name();
  return field.is_repeated() ? absl::StrCat("list of ", type) : type;
}

// What a field has to be, in words: "required", "uuid", "at most 200 letters".
std::vector<std::string> RulesOf(const FieldDescriptor& field) {
  const common::v1::FieldRule& rule = field.options().GetExtension(common::v1::rule);
  std::vector<std::string> words;
  if (rule.required()) words.emplace_back("required");
  if (rule.format() != common::v1::FORMAT_UNSPECIFIED) {
    words.push_back(absl::AsciiStrToLower(
        absl::StripPrefix(common::v1::Format_Name(rule.format()), "FORMAT_")));
  }
  if (rule.has_min()) words.push_back(absl::StrCat("at least ", rule.min()));
  if (rule.has_max()) words.push_back(absl::StrCat("at most ", rule.max()));
  if (rule.max_length() > 0)
    words.push_back(absl::StrCat("at most ", rule.max_length(), " letters"));
  if (rule.max_items() > 0) words.push_back(absl::StrCat("at most ", rule.max_items(), " of them"));
  if (rule.not_future()) words.emplace_back("not in the future");
  const auto visibility = field.options().GetExtension(common::v1::visibility);
  if (visibility == common::v1::VISIBILITY_PERSONAL) words.emplace_back("personal");
  if (visibility == common::v1::VISIBILITY_SENSITIVE) words.emplace_back("sensitive");
  return words;
}

// Of an enum, the values that may be given.
std::string ValuesOf(const FieldDescriptor& field) {
  if (field.enum_type() == nullptr) return {};
  std::vector<std::string> values;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const auto* value = field.enum_type()->value(i);
    if (value->number() != 0) values.push_back(value->name());
  }
  return absl::StrJoin(values, " ");
}

Json FieldsToJson(const Descriptor& type) {
  Json fields = Json::Array();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    Json rules = Json::Array();
    for (const std::string& rule : RulesOf(field)) rules.Append(Json::Text(rule));
    fields.Append(
        Json::Object().Set("name", field.name()).Set("type", TypeOf(field)).Set("rules", rules));
  }
  return fields;
}

Json Texts(const std::vector<std::string>& texts) {
  Json array = Json::Array();
  for (const std::string& text : texts) array.Append(Json::Text(text));
  return array;
}

std::string JsonLine(const MethodDescriptor& method) {
  return Json::Object()
      .Set("method", PathOf(method))
      .Set("kind", KindOf(method))
      .Set("roles", Texts(RolesOf(method)))
      .Set("systems", Texts(SystemsOf(method)))
      .Set("request", FieldsToJson(*method.input_type()))
      .Set("response", method.output_type()->full_name())
      .Line();
}

// Required fields are marked with a star.
std::string FieldsInBrief(const Descriptor& type) {
  std::vector<std::string> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool required = field.options().GetExtension(common::v1::rule).required();
    fields.push_back(absl::StrCat(field.name(), required ? "*" : ""));
  }
  return absl::StrJoin(fields, " ");
}

void PrintBrief(std::ostream& out, const MethodDescriptor& method) {
  out << method.service()->name() << "/" << method.name() << "  (" << KindOf(method) << ")\n";
  const auto line = [&out](const char* label, const std::string& text) {
    if (!text.empty()) out << "  " << label << text << "\n";
  };
  line("roles    ", absl::StrJoin(RolesOf(method), " "));
  line("systems  ", absl::StrJoin(SystemsOf(method), " "));
  line("request  ", FieldsInBrief(*method.input_type()));
  line("answer   ", method.output_type()->name());
}

void PrintFully(std::ostream& out, const MethodDescriptor& method) {
  PrintBrief(out, method);
  out << "\n";
  Table table({"field", "type", "rules", "values"});
  const Descriptor& type = *method.input_type();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    table.Add({field.name(), TypeOf(field), absl::StrJoin(RulesOf(field), ", "), ValuesOf(field)});
  }
  if (!table.empty()) out << table.ToString();
}

absl::Status RunMethods(Session& session, const std::string& wanted) {
  const bool all = wanted.empty();
  if (!all && wanted != kNode && !IsService(wanted)) {
    const auto method = FindMethod(wanted);
    if (!method.ok()) return method.status();
    if (session.json()) {
      session.out() << JsonLine(**method) << "\n";
    } else {
      PrintFully(session.out(), **method);
    }
    return absl::OkStatus();
  }
  for (const MethodDescriptor* method : Methods()) {
    const std::string service = ServiceOf(*method);
    if (!all && service != (wanted == kNode ? "" : wanted)) continue;
    if (session.json()) {
      session.out() << JsonLine(*method) << "\n";
    } else {
      PrintBrief(session.out(), *method);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddMethods(CLI::App& app, Session& session) {
  auto* methods = app.add_subcommand(
      "methods", "List what can be called, by whom and with what (* marks what is required)");
  auto wanted = std::make_shared<std::string>();
  methods->add_option("which", *wanted, "A service (registration, …, node) or one method");
  methods->callback([&session, wanted] {
    session.run = [&session, wanted] {
      const auto listed = RunMethods(session, *wanted);
      return listed.ok() ? kOk : session.Fail(listed);
    };
  });
}

}  // namespace sankofa::ctl
