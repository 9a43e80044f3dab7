#include "services/platform/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_replace.h"

namespace sankofa::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

// As scripts/node writes it.
constexpr char kYaml[] = R"(
node: {id: cm, country: CM}
listen: {address: 127.0.0.1:7443, certificate: "/pki/node.pem", key: "/pki/node.key", client_ca: "/pki/ca.pem"}
health: {address: 127.0.0.1:7481}
metrics: {address: 127.0.0.1:7480}
identity: {issuer: "https://identity.cm.sankofa.example", audience: sankofa-cm, jwks_file: "/identity/jwks.json"}
postgres: {host: 127.0.0.1, port: 7432, database: sankofa, admin: {user: sankofa_admin, password_file: "/secrets/admin.password"}, password_folder: "/secrets"}
kafka: {brokers: 127.0.0.1:7492, ca: "/pki/ca.pem", certificate_folder: "/pki", partitions: 4, replication: 1, retention_hours: 168}
redis: {address: 127.0.0.1:7479}
crypto: {master_key_file: "/keys/master.key", signing_key_file: "/keys/signing.key"}
services:
  registration: 127.0.0.1:7443
  funding: funding.cm.example:7443
clock: {accept_scenario_time: true}
log: {level: info}
)";

std::string With(std::string_view from, std::string_view to) {
  return absl::StrReplaceAll(kYaml, {{std::string(from), std::string(to)}});
}

std::string Faults(std::string_view yaml, const Environment& environment = {}) {
  const auto config = Parse(yaml, environment);
  return config.ok() ? "" : std::string(config.status().message());
}

TEST(ConfigTest, ReadsWhatScriptsNodeWrites) {
  const auto config = Parse(kYaml, {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node.id, "cm");
  EXPECT_EQ(config->listen.client_ca, "/pki/ca.pem");
  EXPECT_EQ(config->postgres.port, 7432);
  EXPECT_EQ(config->postgres.admin.password_file, "/secrets/admin.password");
  EXPECT_EQ(config->kafka.partitions, 4);
  EXPECT_THAT(config->services, ElementsAre(Pair("funding", "funding.cm.example:7443"),
                                            Pair("registration", "127.0.0.1:7443")));
  EXPECT_TRUE(config->clock.accept_scenario_time);
  EXPECT_EQ(config->log.level, telemetry::Level::kInfo);
  // Defaults.
  EXPECT_EQ(config->engine.workers, 2);
  EXPECT_EQ(config->engine.queue_max, 1024);
  EXPECT_EQ(config->engine.batch_max, 128);
  EXPECT_EQ(config->engine.query_threads, 4);
  EXPECT_EQ(config->rate.person_per_minute, 30'000);
  EXPECT_EQ(config->retention.journal_days, 0);
  EXPECT_EQ(config->retention.answer_days, 90);
}

TEST(ConfigTest, PartnersMayBeLeftOut) {
  const auto alone = Parse(kYaml, {});
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->crypto.sealing_key_file, "");
  EXPECT_EQ(alone->exchange.partner_folder, "");
  const auto config =
      Parse(With("signing_key_file:", "sealing_key_file: /keys/sealing.key, signing_key_file:") +
                "exchange: {partner_folder: /partners}\n",
            {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->crypto.sealing_key_file, "/keys/sealing.key");
  EXPECT_EQ(config->exchange.partner_folder, "/partners");
  EXPECT_THAT(Effective(*config), Contains(Pair("exchange.partner_folder", "/partners")));
  EXPECT_THAT(Faults(std::string(kYaml) + "exchange: {partner_folder: \"\"}\n"),
              HasSubstr("exchange.partner_folder is empty"));
  EXPECT_THAT(Faults(std::string(kYaml) + "exchange: {partner_folders: /p}\n"),
              HasSubstr("exchange.partner_folders is not known"));
}

TEST(ConfigTest, TheEnvironmentOverridesTheFile) {
  const auto config = Parse(kYaml, {{"SANKOFA_POSTGRES_HOST", "db"},
                                    {"SANKOFA_POSTGRES_ADMIN_USER", "root"},
                                    {"SANKOFA_ENGINE_WORKERS", "8"},
                                    {"SANKOFA_SERVICES_FUNDING", "other:1"},
                                    {"SANKOFA_SERVICES_MONITORING", "third:2"},
                                    {"SANKOFA_LOG_LEVEL", "debug"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->postgres.host, "db");
  EXPECT_EQ(config->postgres.admin.user, "root");
  EXPECT_EQ(config->engine.workers, 8);
  EXPECT_EQ(config->services.at("funding"), "other:1");
  EXPECT_EQ(config->services.at("monitoring"), "third:2");
  EXPECT_EQ(config->log.level, telemetry::Level::kDebug);
  EXPECT_THAT(config->ignored_variables, IsEmpty());
}

TEST(ConfigTest, AVariableThatOverridesNothingIsNamed) {
  const auto config = Parse(kYaml, {{"SANKOFA_POSTGRES_HOTS", "db"}, {"SANKOFA_GOOGLEAPIS", "/x"}});
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(config->ignored_variables, ElementsAre("SANKOFA_POSTGRES_HOTS"));
}

TEST(ConfigTest, UnknownKeysAreRefusedWithTheirPath) {
  EXPECT_THAT(Faults(With("host: 127.0.0.1", "host: 127.0.0.1, hots: x")),
              HasSubstr("postgres.hots is not known"));
  EXPECT_THAT(Faults(With("user: sankofa_admin", "user: a, name: b")),
              HasSubstr("postgres.admin.name is not known"));
  EXPECT_THAT(Faults(std::string(kYaml) + "extra: 1\n"), HasSubstr("extra is not known"));
  EXPECT_THAT(Faults(std::string(kYaml) + "log2: {level: info}\n"),
              HasSubstr("log2.level is not known"));
}

TEST(ConfigTest, WrongValuesAreRefused) {
  EXPECT_THAT(Faults(With("port: 7432", "port: 0")), HasSubstr("postgres.port takes"));
  EXPECT_THAT(Faults(With("port: 7432", "port: 74.5")), HasSubstr("postgres.port takes"));
  EXPECT_THAT(Faults(With("port: 7432", "port: 99999999999999")), HasSubstr("postgres.port takes"));
  EXPECT_THAT(Faults(With("id: cm", "id: CM")), HasSubstr("node.id takes"));
  EXPECT_THAT(Faults(With("country: CM", "country: Cameroon")), HasSubstr("node.country takes"));
  EXPECT_THAT(Faults(With("redis: {address: 127.0.0.1:7479}", "redis: {address: localhost}")),
              HasSubstr("redis.address takes"));
  EXPECT_THAT(Faults(With("brokers: 127.0.0.1:7492", "brokers: \"a:1,b\"")),
              HasSubstr("kafka.brokers takes"));
  EXPECT_THAT(Faults(With("scenario_time: true", "scenario_time: yes")),
              HasSubstr("clock.accept_scenario_time takes"));
  EXPECT_THAT(Faults(With("level: info", "level: loud")), HasSubstr("log.level takes"));
  EXPECT_THAT(Faults(With("registration: 127.0.0.1:7443", "registration: here")),
              HasSubstr("services.registration takes"));
  EXPECT_THAT(Faults(With("audience: sankofa-cm", "audience: \"\"")),
              HasSubstr("identity.audience is empty"));
  EXPECT_THAT(Faults(With("audience: sankofa-cm", "audience:")),
              HasSubstr("identity.audience has no value"));
  EXPECT_THAT(Faults(With("audience: sankofa-cm", "audience: [a, b]")),
              HasSubstr("identity.audience can't be a list"));
  EXPECT_THAT(Faults(With("redis: {address: 127.0.0.1:7479}", "redis: 127.0.0.1:7479")),
              HasSubstr("redis is not known"));
}

TEST(ConfigTest, WrongVariablesAreRefusedByTheirName) {
  EXPECT_THAT(Faults(kYaml, {{"SANKOFA_ENGINE_WORKERS", "many"}}),
              HasSubstr("SANKOFA_ENGINE_WORKERS takes a whole number from 1 to 64"));
  EXPECT_THAT(Faults(kYaml, {{"SANKOFA_SERVICES_FUNDING", "x"}}),
              HasSubstr("SANKOFA_SERVICES_FUNDING takes"));
}

TEST(ConfigTest, AllFaultsAreNamedTogether) {
  const std::string faults = Faults("node: {id: cm}\nengine: {workers: 0}\nx: 1\n");
  EXPECT_THAT(faults, HasSubstr("node.country is missing"));
  EXPECT_THAT(faults, HasSubstr("kafka.brokers is missing"));
  EXPECT_THAT(faults, HasSubstr("crypto.master_key_file is missing"));
  EXPECT_THAT(faults, HasSubstr("engine.workers takes"));
  EXPECT_THAT(faults, HasSubstr("x is not known"));
}

TEST(ConfigTest, ValuesThatDoNotGoTogetherAreRefused) {
  EXPECT_THAT(Faults(std::string(kYaml) + "engine: {queue_max: 10, batch_max: 20}\n"),
              HasSubstr("engine.batch_max is larger"));
}

TEST(ConfigTest, KeysThatStandTwiceAreRefused) {
  EXPECT_THAT(Faults(std::string(kYaml) + "log: {level: warn}\n"), HasSubstr("log stands twice"));
}

TEST(ConfigTest, WhatIsNotAConfigurationIsRefused) {
  EXPECT_THAT(Faults(""), HasSubstr("node.id is missing"));
  EXPECT_THAT(Faults("a: [1"), HasSubstr("not YAML"));
  EXPECT_THAT(Faults("- a\n- b\n"), HasSubstr("the file can't be a list"));
  EXPECT_THAT(Faults("word"), HasSubstr("the file has no keys"));
  EXPECT_EQ(Load("/nowhere/sankofa.yaml", {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(ConfigTest, SecretsAreMasked) {
  const auto config = Parse(kYaml, {{"SANKOFA_CRYPTO_MASTER_KEY", "c2VjcmV0"}});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->crypto.master_key, "c2VjcmV0");
  const auto effective = Effective(*config);
  EXPECT_THAT(effective, Contains(Pair("crypto.master_key", "***")));
  EXPECT_THAT(effective, Contains(Pair("postgres.port", "7432")));
  EXPECT_THAT(effective, Contains(Pair("services.registration", "127.0.0.1:7443")));
  EXPECT_THAT(effective, Contains(Pair("log.level", "info")));
  for (const auto& [_, value] : effective) EXPECT_THAT(value, Not(HasSubstr("c2VjcmV0")));
}

}  // namespace
}  // namespace sankofa::config
