#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What `doctor` says: one finding for each thing that it looked at. Looking is apart from judging: the files of this
// folder each have a plain struct of what was seen, and a pure function that makes findings of it.
namespace sankofa::ctl {

// Stable names: programs and runbooks go by them. kOk is the good one; all others say what is to be done.
enum class Trouble {
  kOk,
  // Certificates.
  kCertificateMissing,
  kCertificateEnded,
  kCertificateEnding,
  kCertificateNotYet,
  kCertificateUntrusted,
  kCertificateName,
  kCertificateKey,
  kCertificateOld,
  kTlsUnreachable,
  // Clocks.
  kClockOff,
  // The database.
  kDatabaseUnreachable,
  kMigrationMissing,
  kMigrationChanged,
  // Kafka.
  kKafkaUnreachable,
  kKafkaDenied,
  kTopicMissing,
  kTopicPartitions,
  kTopicReplication,
  kTopicMinIsr,
  kTopicRetention,
  kTopicMessageSize,
  kTopicNotInSync,
  // Redis.
  kRedisUnreachable,
  // Services.
  kServiceUnreachable,
  kServiceRefused,
  kVersionsDiffer,
  kRelayStalled,
  kRelayParked,
  kDeadLetters,
  kConsumerTrouble,
  kConsumerBehind,
  // Partners.
  kPartnerTrouble,
  kPartnerSilent,
  kPartnerUnread,
  kPartnerBehind,
  kPartnerRefuses,
  kPartnerErasures,
  kPartnerNoKey,
  kPartnerKeyEnding,
};

struct Finding {
  std::string check;  // "certificate", "clock", "database", "migrations", "kafka", "topic" …
  std::string about;  // which: a file, a topic, a service, a partner
  Trouble trouble = Trouble::kOk;
  std::string seen;  // what was seen, in figures
};
using Findings = std::vector<Finding>;

// "TOPIC_MISSING"; "OK".
[[nodiscard]] std::string_view NameOf(Trouble trouble);
// What to do, in "en" or "fr"; empty for kOk.
[[nodiscard]] std::string_view TodoOf(Trouble trouble, std::string_view language);
// All of them, for tests and the README.
[[nodiscard]] std::vector<Trouble> AllTroubles();

}  // namespace sankofa::ctl
