#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/telemetry/log.h"

// How one process of a node runs: one struct a part, from a YAML file, each value overridden by an environment variable
// SANKOFA_<PART>_<KEY> ("postgres.admin.user" ← SANKOFA_POSTGRES_ADMIN_USER). A key that is not known, a value out of
// range and a part that is missing are refused, all in one message that names them. Files that are named here are read
// by the parts that need them.
namespace sankofa::config {

struct Node {
  std::string id;       // "cm": names the node in certificates, feeds and log lines
  std::string country;  // "CM", ISO 3166-1 alpha-2
};

// gRPC with mutual TLS.
struct Listen {
  std::string address;      // "0.0.0.0:7443"; port 0 takes a free one
  std::string certificate;  // PEM files
  std::string key;
  std::string client_ca;
  int drain_seconds = 10;  // how long running calls may go on at shutdown
};

// gRPC health without TLS, nothing else.
struct Health {
  std::string address;
};

struct Metrics {
  std::string address;
};

// Who vouches for people.
struct Identity {
  std::string issuer;
  std::string audience;
  std::string jwks_file;  // read again when it changes
};

struct PostgresAdmin {
  std::string user;
  std::string password_file;
};

// Each service has its own role; its password is in <password_folder>/<service>.password.
struct Postgres {
  std::string host;
  int port = 5432;
  std::string database;
  PostgresAdmin admin;  // runs migrations
  std::string password_folder;
};

// Each service has its own certificate: <certificate_folder>/<service>.pem and .key.
struct Kafka {
  std::string brokers;
  std::string ca;
  std::string certificate_folder;
  int partitions = 12;
  int replication = 3;
  int retention_hours = 168;
};

struct Redis {
  std::string address;
};

struct Crypto {
  std::string master_key_file;  // 32 bytes in base64, readable by the owner alone
  std::string master_key;       // the same by environment; then the file is not read
  std::string signing_key_file;
  std::string
      sealing_key_file;  // 32 bytes in base64; absent: partners can disclose nothing to this node
};

// What partners gave this node: in <partner_folder>/<partner>/ the authority of its cluster and exchange (ca.pem) and
// the certificate that it made for this node (client.pem, client.key). Absent: a node that reads from no partner.
struct Exchange {
  std::string partner_folder;
  int digest_hour = 2;  // of the day, UTC, at which digests are compared with partners
};

struct Clock {
  bool accept_scenario_time = false;  // development only: a caller may say what time it is
};

// Limits of one service's engine.
struct Engine {
  int workers = 2;
  int queue_max = 1024;   // commands that wait; more are refused
  int batch_max = 128;    // commands in one transaction
  int query_threads = 4;  // queries, and calls to other services, that run at a time
};

// How many calls one caller may make in a minute; 0: no limit. The node's own services are not limited.
struct Rate {
  int person_per_minute = 30'000;
  int partner_per_minute = 60'000;
};

struct Retention {
  int journal_days = 0;  // 0 keeps the journal for ever
  int answer_days = 90;  // how long a request id is remembered
};

struct Log {
  telemetry::Level level = telemetry::Level::kInfo;
};

struct Config {
  Node node;
  Listen listen;
  Health health;
  Metrics metrics;
  Identity identity;
  Postgres postgres;
  Kafka kafka;
  Redis redis;
  Crypto crypto;
  Exchange exchange;
  std::map<std::string, std::string> services;  // name → "host:port" where its API is called
  Clock clock;
  Engine engine;
  Rate rate;
  Retention retention;
  Log log;

  // Variables that look like overrides of a part and override nothing: said at start, for they may be typing errors.
  std::vector<std::string> ignored_variables;
};

using Environment = std::map<std::string, std::string>;
[[nodiscard]] Environment ProcessEnvironment();

// INVALID_ARGUMENT with every fault, one a line; NOT_FOUND where the file can't be read.
[[nodiscard]] absl::StatusOr<Config> Load(const std::string& file,
                                          const Environment& environment = ProcessEnvironment());
[[nodiscard]] absl::StatusOr<Config> Parse(std::string_view yaml, const Environment& environment);

// The effective values, by path, in the order of the struct; secrets masked.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> Effective(const Config& config);

}  // namespace sankofa::config
