#include "services/sankofactl/session.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/trace.h"
#include "services/platform/time/time.h"
#include "services/sankofactl/output/failure.h"

namespace sankofa::ctl {
namespace {

constexpr char kSystem[] = "sankofactl";  // the name in this client's certificate

// "10s", "500ms", "2m"; a plain number means seconds.
std::optional<absl::Duration> ParsePatience(const std::string& text) {
  absl::Duration duration;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return std::nullopt;
  }
  if (duration <= absl::ZeroDuration() || duration > absl::Hours(24)) return std::nullopt;
  return duration;
}

// RFC 3339, or a day, which means its beginning in UTC.
std::optional<absl::Time> ParseMoment(const std::string& text) {
  if (const auto day = time::ParseDay(text)) return absl::FromCivil(*day, absl::UTCTimeZone());
  absl::Time moment;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &moment, &error)) return std::nullopt;
  return moment;
}

std::string Of(const config::Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

// French where the user's terminal speaks it.
std::string LanguageOf(const config::Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const std::string value = Of(environment, name);
    if (!value.empty()) return absl::StartsWith(value, "fr") ? "fr" : "en";
  }
  return "en";
}

}  // namespace

absl::Status Session::PrepareTimes() {
  if (!options_.timeout.empty()) {
    timeout_ = ParsePatience(options_.timeout);
    if (!timeout_) {
      return UsageError(absl::StrCat("--timeout takes a duration such as 10s, 500ms or 2m, not '",
                                     options_.timeout, "'"));
    }
  }
  if (!options_.scenario_time.empty()) {
    scenario_time_ = ParseMoment(options_.scenario_time);
    if (!scenario_time_) {
      return UsageError(
          absl::StrCat("--scenario-time takes a time such as 2017-06-30T09:00:00Z or a day, not '",
                       options_.scenario_time, "'"));
    }
  }
  return absl::OkStatus();
}

absl::Status Session::PrepareToken() {
  token_ = Of(io_.environment, "SANKOFA_TOKEN");
  if (!options_.token_file.empty()) {
    std::ifstream file(options_.token_file);
    if (!file) return UsageError(absl::StrCat("can't read the token in ", options_.token_file));
    token_.assign(std::istreambuf_iterator<char>(file), {});
  }
  absl::StripAsciiWhitespace(&token_);
  for (const char c : token_) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return UsageError("the token is not one word of plain letters, digits, '.', '-' and '_'");
    }
  }
  return absl::OkStatus();
}

absl::Status Session::Prepare() {
  language_ = options_.language.empty() ? LanguageOf(io_.environment) : options_.language;
  if (auto times = PrepareTimes(); !times.ok()) return times;
  return PrepareToken();
}

bool Session::Runs(const std::string& service) const {
  if (service != "exchange" || options_.node_folder.empty()) return true;
  const auto config = LoadConfig();
  return !config.ok() || config->services.contains(service);
}

absl::StatusOr<config::Config> Session::LoadConfig(const std::string& file) const {
  if (file.empty() && options_.node_folder.empty()) {
    return UsageError(
        "say which node: --node-folder .run/cm, or the node's configuration with --config");
  }
  const std::string path =
      file.empty() ? absl::StrCat(options_.node_folder, "/sankofa.yaml") : file;
  auto config = config::Load(path, io_.environment);
  if (!config.ok()) {
    return UsageError(absl::StrCat(path, ": ", config.status().message()));
  }
  return config;
}

absl::StatusOr<Target> Session::FindTarget() const {
  Target target;
  target.server_name = options_.server_name;
  const auto choose = [](const std::string& given, const std::string& otherwise) {
    return given.empty() ? otherwise : given;
  };
  if (!options_.node_folder.empty()) {
    const std::string pki = absl::StrCat(options_.node_folder, "/pki/");
    target.tls = {.ca = absl::StrCat(pki, "ca.pem"),
                  .certificate = absl::StrCat(pki, kSystem, ".pem"),
                  .key = absl::StrCat(pki, kSystem, ".key")};
    if (options_.address.empty()) {
      const auto config = LoadConfig();
      if (!config.ok()) return config.status();
      target.address = config->listen.address;
      target.addresses = config->services;
    }
  }
  target.address = choose(options_.address, target.address);
  target.tls.ca = choose(options_.ca, target.tls.ca);
  target.tls.certificate = choose(options_.certificate, target.tls.certificate);
  target.tls.key = choose(options_.key, target.tls.key);
  if (target.address.empty() || target.tls.ca.empty() || target.tls.certificate.empty() ||
      target.tls.key.empty()) {
    return UsageError(
        "say which node: --node-folder .run/cm, or --address host:port with --ca, --certificate "
        "and --key");
  }
  return target;
}

absl::StatusOr<kafka::ClientOptions> Session::KafkaClient(const std::string& brokers) const {
  kafka::ClientOptions client;
  client.client_id = kSystem;
  if (!options_.node_folder.empty()) {
    const std::string pki = absl::StrCat(options_.node_folder, "/pki/");
    client.ca = absl::StrCat(pki, "ca.pem");
    client.certificate = absl::StrCat(pki, kSystem, ".pem");
    client.key = absl::StrCat(pki, kSystem, ".key");
  }
  if (!options_.ca.empty()) client.ca = options_.ca;
  if (!options_.certificate.empty()) client.certificate = options_.certificate;
  if (!options_.key.empty()) client.key = options_.key;
  client.brokers = brokers;
  if (brokers.empty() && !options_.node_folder.empty()) {
    const auto config = LoadConfig();
    if (!config.ok()) return config.status();
    client.brokers = config->kafka.brokers;
  }
  if (client.brokers.empty() || client.ca.empty() || client.certificate.empty() ||
      client.key.empty()) {
    return UsageError(
        "say which node: --node-folder .run/cm, or --brokers host:port with --ca, --certificate "
        "and --key");
  }
  return client;
}

absl::StatusOr<Caller*> Session::Connected() {
  if (caller_ == nullptr) {
    const auto target = FindTarget();
    if (!target.ok()) return target.status();
    auto caller = connect_(*target);
    if (!caller.ok()) return caller.status();
    caller_ = *std::move(caller);
  }
  return caller_.get();
}

rpc::CallOptions Session::CallOptions(absl::Duration patience) {
  rpc::CallOptions options;
  options.deadline = absl::Now() + timeout_.value_or(patience);
  options.traceparent = telemetry::NewTraceparent();
  options.token = token_;
  options.scenario_time = scenario_time_;
  trace_id_ = telemetry::TraceIdOf(options.traceparent);
  return options;
}

absl::Status Session::Call(const std::string& service, const std::string& path,
                           const google::protobuf::Message& request,
                           google::protobuf::Message& response, absl::Duration patience) {
  const auto caller = Connected();
  if (!caller.ok()) return caller.status();
  return (*caller)->Call(service, path, request, response, CallOptions(patience));
}

absl::Status Session::ReadStream(const std::string& service, const std::string& path,
                                 const google::protobuf::Message& request,
                                 google::protobuf::Message& response,
                                 const std::function<bool(const google::protobuf::Message&)>& take,
                                 absl::Duration patience) {
  const auto caller = Connected();
  if (!caller.ok()) return caller.status();
  return (*caller)->ReadStream(service, path, request, response, CallOptions(patience), take);
}

int Session::Fail(const absl::Status& status, const std::string& about) {
  io_.out.flush();
  PrintFailure(io_.err, status, trace_id_,
               FailureStyle{.json = options_.json, .about = about, .language = language_});
  return ExitCodeOf(status);
}

}  // namespace sankofa::ctl
