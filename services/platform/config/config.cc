#include "services/platform/config/config.h"

#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/platform/status/text.h"
#include "yaml-cpp/yaml.h"

namespace sankofa::config {
namespace {

constexpr char kPrefix[] = "SANKOFA_";
constexpr char kServices[] = "services";
constexpr std::size_t kTextLimit = 4096;

// What is wrong with a value; empty where nothing is.
using Fault = std::string;

// One value of the configuration: where it stands, how it is read and shown.
struct Entry {
  std::string path;
  std::function<Fault(const std::string&)> set;
  std::function<std::string()> show;
  bool required = true;
  bool secret = false;
};

Fault Anything(const std::string& /*text*/) { return {}; }

Fault IsNodeId(const std::string& text) {
  const bool good =
      text.size() <= 30 && absl::ascii_islower(static_cast<unsigned char>(text[0])) &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  return good ? Fault()
              : "takes lower-case letters, digits and hyphens, a letter first, at most 30";
}

Fault IsCountry(const std::string& text) {
  const bool good = text.size() == 2 && absl::ascii_isupper(static_cast<unsigned char>(text[0])) &&
                    absl::ascii_isupper(static_cast<unsigned char>(text[1]));
  return good ? Fault() : "takes a country's two capital letters";
}

Fault IsAddress(const std::string& text) {
  const auto colon = text.rfind(':');
  int port = 0;
  const bool good = colon != std::string::npos && colon > 0 &&
                    absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 && port <= 65535;
  return good ? Fault() : "takes host:port";
}

Fault IsAddressList(const std::string& text) {
  for (const std::string& address : std::vector<std::string>(absl::StrSplit(text, ','))) {
    if (!IsAddress(address).empty()) return "takes host:port, or several with commas between";
  }
  return {};
}

Entry Text(std::string path, std::string& value, Fault (*check)(const std::string&) = Anything) {
  return {std::move(path),
          [&value, check](const std::string& text) -> Fault {
            if (text.empty()) return "is empty";
            if (text.size() > kTextLimit) return "is too long";
            if (Fault fault = check(text); !fault.empty()) return fault;
            value = text;
            return {};
          },
          [&value] { return value; }};
}

Entry Optional(std::string path, std::string& value) {
  Entry entry = Text(std::move(path), value);
  entry.required = false;
  return entry;
}

Entry Secret(std::string path, std::string& value) {
  Entry entry = Text(std::move(path), value);
  entry.required = false;
  entry.secret = true;
  return entry;
}

struct Range {
  int least;
  int most;
};

Entry Integer(std::string path, int& value, Range range) {
  return {std::move(path),
          [&value, range](const std::string& text) -> Fault {
            int number = 0;
            if (!absl::SimpleAtoi(text, &number) || number < range.least || number > range.most) {
              return absl::StrCat("takes a whole number from ", range.least, " to ", range.most);
            }
            value = number;
            return {};
          },
          [&value] { return absl::StrCat(value); }, /*required=*/false};
}

Entry Boolean(std::string path, bool& value) {
  return {std::move(path),
          [&value](const std::string& text) -> Fault {
            if (text != "true" && text != "false") return "takes true or false";
            value = text == "true";
            return {};
          },
          [&value] { return value ? "true" : "false"; }, /*required=*/false};
}

Entry LogLevel(std::string path, telemetry::Level& value) {
  return {std::move(path),
          [&value](const std::string& text) -> Fault {
            return telemetry::ParseLevel(text, value) ? Fault()
                                                      : "takes debug, info, warn or error";
          },
          [&value] {
            constexpr const char* kNames[] = {"debug", "info", "warn", "error"};
            return kNames[static_cast<int>(value)];
          },
          /*required=*/false};
}

// Everything that may be configured, but the services' addresses, which have names of their own.
std::vector<Entry> EntriesOf(Config& config) {
  Crypto& crypto = config.crypto;
  std::vector<Entry> entries{
      Text("node.id", config.node.id, IsNodeId),
      Text("node.country", config.node.country, IsCountry),
      Text("listen.address", config.listen.address, IsAddress),
      Text("listen.certificate", config.listen.certificate),
      Text("listen.key", config.listen.key),
      Text("listen.client_ca", config.listen.client_ca),
      Integer("listen.drain_seconds", config.listen.drain_seconds, {0, 300}),
      Text("health.address", config.health.address, IsAddress),
      Text("metrics.address", config.metrics.address, IsAddress),
      Text("identity.issuer", config.identity.issuer),
      Text("identity.audience", config.identity.audience),
      Text("identity.jwks_file", config.identity.jwks_file),
      Text("postgres.host", config.postgres.host),
      Integer("postgres.port", config.postgres.port, {1, 65535}),
      Text("postgres.database", config.postgres.database),
      Text("postgres.admin.user", config.postgres.admin.user),
      Text("postgres.admin.password_file", config.postgres.admin.password_file),
      Text("postgres.password_folder", config.postgres.password_folder),
      Text("kafka.brokers", config.kafka.brokers, IsAddressList),
      Text("kafka.ca", config.kafka.ca),
      Text("kafka.certificate_folder", config.kafka.certificate_folder),
      Integer("kafka.partitions", config.kafka.partitions, {1, 1000}),
      Integer("kafka.replication", config.kafka.replication, {1, 10}),
      Integer("kafka.retention_hours", config.kafka.retention_hours, {1, 24 * 3660}),
      Text("redis.address", config.redis.address, IsAddress),
      Text("crypto.master_key_file", crypto.master_key_file),
      Secret("crypto.master_key", crypto.master_key),
      Text("crypto.signing_key_file", crypto.signing_key_file),
      Optional("crypto.sealing_key_file", crypto.sealing_key_file),
      Optional("exchange.partner_folder", config.exchange.partner_folder),
      Integer("exchange.digest_hour", config.exchange.digest_hour, {0, 23}),
      Boolean("clock.accept_scenario_time", config.clock.accept_scenario_time),
      Integer("engine.workers", config.engine.workers, {1, 64}),
      Integer("engine.queue_max", config.engine.queue_max, {1, 100'000}),
      Integer("engine.batch_max", config.engine.batch_max, {1, 1000}),
      Integer("engine.query_threads", config.engine.query_threads, {1, 256}),
      Integer("rate.person_per_minute", config.rate.person_per_minute, {0, 10'000'000}),
      Integer("rate.partner_per_minute", config.rate.partner_per_minute, {0, 10'000'000}),
      Integer("retention.journal_days", config.retention.journal_days, {0, 36'600}),
      Integer("retention.answer_days", config.retention.answer_days, {1, 36'600}),
      LogLevel("log.level", config.log.level),
  };
  for (Entry& entry : entries) {
    // One of the two is enough, which is checked when both are read.
    if (entry.path == "crypto.master_key_file") entry.required = false;
  }
  return entries;
}

std::string VariableOf(const std::string& path) {
  return absl::StrCat(kPrefix, absl::AsciiStrToUpper(absl::StrReplaceAll(path, {{".", "_"}})));
}

// The file's values by path. Duplicate keys, lists and other shapes that no value has are faults.
void Flatten(const YAML::Node& node, const std::string& path,
             std::map<std::string, std::string>& values, std::vector<Fault>& faults) {
  if (node.IsScalar()) {
    values[path] = node.Scalar();
    return;
  }
  if (!node.IsMap()) {
    if (!node.IsNull() || !path.empty()) {
      faults.push_back(absl::StrCat(path.empty() ? "the file" : path,
                                    node.IsNull() ? " has no value" : " can't be a list"));
    }
    return;
  }
  std::set<std::string> seen;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "?";
    const std::string inner = path.empty() ? key : absl::StrCat(path, ".", key);
    if (!seen.insert(key).second) faults.push_back(absl::StrCat(inner, " stands twice"));
    Flatten(pair.second, inner, values, faults);
  }
}

void ReadServices(const std::map<std::string, std::string>& values, const Environment& environment,
                  Config& config, std::vector<Fault>& faults, std::set<std::string>& used) {
  const std::string path_prefix = absl::StrCat(kServices, ".");
  const std::string variable_prefix = absl::StrCat(VariableOf(kServices), "_");
  std::map<std::string, std::pair<std::string, std::string>> found;  // name → where it stands, text
  for (const auto& [path, text] : values) {
    if (!absl::StartsWith(path, path_prefix)) continue;
    found[path.substr(path_prefix.size())] = {path, text};
  }
  for (const auto& [variable, text] : environment) {
    if (!absl::StartsWith(variable, variable_prefix)) continue;
    found[absl::AsciiStrToLower(variable.substr(variable_prefix.size()))] = {variable, text};
    used.insert(variable);
  }
  for (const auto& [name, place] : found) {
    const auto& [where, text] = place;
    if (!IsNodeId(name.empty() ? "-" : name).empty()) {
      faults.push_back(absl::StrCat(where, " is not a service's name"));
    } else if (const Fault fault = IsAddress(text); !fault.empty()) {
      faults.push_back(absl::StrCat(where, " ", fault));
    } else {
      config.services[name] = text;
    }
  }
}

// Variables of the environment that begin like those of a part and were not used.
std::vector<std::string> Ignored(const std::vector<Entry>& entries, const Environment& environment,
                                 const std::set<std::string>& used) {
  std::set<std::string> prefixes;
  for (const Entry& entry : entries) {
    prefixes.insert(absl::StrCat(VariableOf(entry.path.substr(0, entry.path.find('.'))), "_"));
  }
  std::vector<std::string> ignored;
  for (const auto& [variable, _] : environment) {
    if (used.contains(variable)) continue;
    for (const std::string& prefix : prefixes) {
      if (absl::StartsWith(variable, prefix)) ignored.push_back(variable);
    }
  }
  return ignored;
}

absl::StatusOr<Config> Build(const YAML::Node& root, const Environment& environment) {
  Config config;
  std::vector<Fault> faults;
  std::map<std::string, std::string> values;
  Flatten(root, "", values, faults);
  if (root.IsScalar()) faults.push_back("the file has no keys");

  const std::vector<Entry> entries = EntriesOf(config);
  std::set<std::string> used;
  std::set<std::string> known;
  for (const Entry& entry : entries) {
    known.insert(entry.path);
    const std::string variable = VariableOf(entry.path);
    const auto in_environment = environment.find(variable);
    const auto in_file = values.find(entry.path);
    if (in_environment != environment.end()) {
      used.insert(variable);
      const Fault fault = entry.set(in_environment->second);
      if (!fault.empty()) faults.push_back(absl::StrCat(variable, " ", fault));
    } else if (in_file != values.end()) {
      const Fault fault = entry.set(in_file->second);
      if (!fault.empty()) faults.push_back(absl::StrCat(entry.path, " ", fault));
    } else if (entry.required) {
      faults.push_back(absl::StrCat(entry.path, " is missing"));
    }
  }
  ReadServices(values, environment, config, faults, used);
  for (const auto& [path, _] : values) {
    if (!path.empty() && !known.contains(path) &&
        !absl::StartsWith(path, absl::StrCat(kServices, "."))) {
      faults.push_back(absl::StrCat(path, " is not known"));
    }
  }
  if (config.crypto.master_key_file.empty() && config.crypto.master_key.empty()) {
    faults.push_back("crypto.master_key_file is missing");
  }
  if (config.engine.batch_max > config.engine.queue_max) {
    faults.push_back("engine.batch_max is larger than engine.queue_max");
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  config.ignored_variables = Ignored(entries, environment, used);
  return config;
}

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || !text.starts_with(kPrefix)) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

absl::StatusOr<Config> Parse(std::string_view yaml, const Environment& environment) {
  YAML::Node root;
  try {
    root = YAML::Load(std::string(yaml));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not YAML: ", error.what()));
  }
  return Build(root, environment);
}

absl::StatusOr<Config> Load(const std::string& file, const Environment& environment) {
  std::ifstream stream(file);
  std::stringstream text;
  if (!stream || !(text << stream.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("the configuration ", file, " can't be read"));
  }
  auto config = Parse(text.str(), environment);
  if (!config.ok()) {
    return absl::Status(config.status().code(),
                        absl::StrCat(file, ":\n", config.status().message()));
  }
  return config;
}

std::vector<std::pair<std::string, std::string>> Effective(const Config& config) {
  Config copy = config;
  std::vector<std::pair<std::string, std::string>> values;
  for (const Entry& entry : EntriesOf(copy)) {
    const std::string text = entry.show();
    values.emplace_back(entry.path, entry.secret && !text.empty() ? "***" : text);
  }
  for (const auto& [name, address] : config.services) {
    values.emplace_back(absl::StrCat(kServices, ".", name), address);
  }
  return values;
}

}  // namespace sankofa::config
