#include "services/platform/kafka/librdkafka/handle.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/log.h"

namespace sankofa::kafka::librdkafka {
namespace {

constexpr absl::Duration kProbeInterval = absl::Seconds(1);
constexpr int kProbeTimeoutMs = 200;
constexpr std::size_t kErrorBytes = 512;
constexpr absl::Duration kLookInterval = absl::Seconds(1);

// Changes with each of the certificate's files; empty where one of them is not there.
std::string StampOf(const ClientOptions& client) {
  std::string stamp;
  for (const std::string& file : {client.ca, client.certificate, client.key}) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) return {};
    absl::StrAppend(&stamp, found.st_ino, ".", found.st_size, ".", found.st_mtim.tv_sec, ".",
                    found.st_mtim.tv_nsec, ";");
  }
  return stamp;
}

void LogLine(const rd_kafka_t* /*rk*/, int level, const char* facility, const char* text) {
  // What matters comes through the error callback, once. The lines repeat it for as long as a broker is away.
  constexpr int kSyslogCritical = 2;
  if (std::string_view(facility) == "FATAL") {
    // Of this client: Health says so, and its owner opens a new one. A broker that goes away while it is sent to
    // brings it about.
    telemetry::Warn("librdkafka", {{"facility", facility}, {"text", text}});
  } else if (level <= kSyslogCritical) {
    telemetry::Error("librdkafka", {{"facility", facility}, {"text", text}});
  } else {
    telemetry::Debug("librdkafka", {{"facility", facility}, {"text", text}});
  }
}

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

int Milliseconds(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return -1;
  // Rounded up: a short wait must not become none, which would spin.
  return static_cast<int>(std::clamp<std::int64_t>(
      absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1))), 0,
      std::numeric_limits<int>::max()));
}

absl::Status ToStatus(rd_kafka_resp_err_t code, std::string_view what) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  const std::string text = absl::StrCat(status::Absl(what), ": ", rd_kafka_err2str(code), " (",
                                        rd_kafka_err2name(code), ")");
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP: return absl::InvalidArgumentError(text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return absl::PermissionDeniedError(absl::StrCat(
          text, ". Grant the certificate's name the right, or use another certificate."));
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return absl::ResourceExhaustedError(text);
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return absl::AbortedError(text);
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__STATE:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION: return absl::InternalError(text);
    default:
      // Time-outs, moving leaders, rebalances, a topic that is still being made, an answer that a broker could not end
      // before it was killed (_BAD_MSG): all pass by themselves. So does an error that this version does not know, or
      // else it stays and is seen.
      return absl::UnavailableError(text);
  }
}

PartitionList ToList(const std::vector<TopicPartition>& partitions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  return list;
}

std::vector<TopicPartition> FromList(const rd_kafka_topic_partition_list_t& list) {
  std::vector<TopicPartition> partitions;
  for (int i = 0; i < list.cnt; ++i) {
    partitions.push_back({list.elems[i].topic, list.elems[i].partition});
  }
  return partitions;
}

// ---- HealthBoard ----------------------------------------------------------------------------------------------------

// TLS 1.3 lets a client think that it is connected before the broker has looked at its certificate, so a refusal
// arrives as a broken connection whose text holds the TLS alert.
absl::Status HealthBoard::Explain(std::string_view reason) const {
  if (Has(reason, "alert certificate required") || Has(reason, "alert handshake failure")) {
    return absl::PermissionDeniedError(
        absl::StrCat("Kafka at ", brokers_, " wants a client certificate and got ",
                     certificate_.empty() ? "none" : certificate_,
                     ". Set kafka.certificate and kafka.key. (", status::Absl(reason), ")"));
  }
  for (const std::string_view alert :
       {"alert certificate unknown", "alert bad certificate", "alert unknown ca",
        "alert certificate expired", "alert certificate revoked", "alert unsupported certificate",
        "alert access denied"}) {
    if (!Has(reason, alert)) continue;
    return absl::PermissionDeniedError(absl::StrCat(
        "Kafka at ", brokers_, " refuses the certificate ", certificate_,
        ": it has expired or an authority signed it that the brokers do not know. Renew it. (",
        status::Absl(reason), ")"));
  }
  if (Has(reason, "certificate verify failed")) {
    return absl::PermissionDeniedError(
        absl::StrCat("the certificate of Kafka at ", brokers_, " is not one that ", ca_,
                     " vouches for under that name: the authority's file is the wrong one, the "
                     "brokers' certificate has expired, "
                     "or it lacks the host's name. (",
                     status::Absl(reason), ")"));
  }
  return absl::OkStatus();
}

void HealthBoard::OnError(rd_kafka_resp_err_t code, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    // A refused certificate says more than the broken connection that follows from it.
    if (absl::IsPermissionDenied(connection_)) return;
    connection_ = absl::UnavailableError(absl::StrCat(
        "no Kafka broker answers at ", brokers_, last_reason_.empty() ? "" : ": ", last_reason_));
    return;
  }
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    connection_ = absl::AbortedError(absl::StrCat("Kafka client: ", status::Absl(reason)));
    return;
  }
  last_reason_ = reason;
  if (absl::Status explained = Explain(reason); !explained.ok()) connection_ = std::move(explained);
}

void HealthBoard::Reached() {
  const std::lock_guard lock(mutex_);
  if (absl::IsAborted(connection_)) return;  // stays so
  connection_ = absl::OkStatus();
  last_reason_.clear();
}

void HealthBoard::OnRenewed() {
  const std::lock_guard lock(mutex_);
  connection_ = absl::AbortedError(
      absl::StrCat("the certificate ", certificate_, " was renewed, and a new client reads it"));
}

void HealthBoard::OnAccess(const std::string& name, const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (status.ok()) {
    denied_.erase(name);
  } else {
    denied_[name] = status;
  }
}

absl::Status HealthBoard::Get() const {
  const std::lock_guard lock(mutex_);
  if (!connection_.ok() || denied_.empty()) return connection_;
  return denied_.begin()->second;
}

// ---- Handle ---------------------------------------------------------------------------------------------------------

absl::Status Handle::Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, kErrorBytes> error{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
      RD_KAFKA_CONF_OK) {
    return absl::InternalError(absl::StrCat("Kafka client: ", error.data()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Conf> Handle::CommonConf() {
  const bool any = !client_.ca.empty() || !client_.certificate.empty() || !client_.key.empty();
  const bool all = !client_.ca.empty() && !client_.certificate.empty() && !client_.key.empty();
  if (any && !all) {
    return absl::PermissionDeniedError(
        "Kafka client: authority, certificate and key are given together or not at all");
  }
  std::vector<std::pair<std::string, std::string>> settings = {
      {"bootstrap.servers", client_.brokers},
      {"client.id", client_.client_id},
      {"socket.nagle.disable", "true"},
      {"socket.keepalive.enable", "true"},
      {"log.connection.close", "false"},
      {"allow.auto.create.topics", "false"},
      // A broker that comes back is found again within two seconds. So is a topic that was made while the group was
      // formed: until then the group reads all topics but that one.
      {"reconnect.backoff.ms", "100"},
      {"reconnect.backoff.max.ms", "2000"},
      {"topic.metadata.refresh.interval.ms", "2000"},
  };
  if (all) {
    settings.insert(settings.end(), {{"security.protocol", "ssl"},
                                     {"ssl.ca.location", client_.ca},
                                     {"ssl.certificate.location", client_.certificate},
                                     {"ssl.key.location", client_.key},
                                     {"ssl.endpoint.identification.algorithm", "https"}});
  }
  Conf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : settings) {
    if (auto status = Set(conf.get(), name, value); !status.ok()) return status;
  }
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_log_cb(conf.get(), LogLine);
  rd_kafka_conf_set_error_cb(
      conf.get(), [](rd_kafka_t* rk, int code, const char* reason, void* opaque) {
        auto* handle = static_cast<Handle*>(opaque);
        std::array<char, kErrorBytes> fatal{};
        if (code == RD_KAFKA_RESP_ERR__FATAL) {
          rd_kafka_fatal_error(rk, fatal.data(), fatal.size());
          reason = fatal.data();
        }
        handle->health_.OnError(static_cast<rd_kafka_resp_err_t>(code), reason);
      });
  return conf;
}

absl::Status Handle::New(rd_kafka_type_t type, Conf conf) {
  opened_with_ = StampOf(client_);
  std::array<char, kErrorBytes> error{};
  rk_ = rd_kafka_new(type, conf.get(), error.data(), error.size());
  if (rk_ == nullptr) {
    // Nearly always a certificate file: missing, unreadable, or not the key's.
    return absl::PermissionDeniedError(
        absl::StrCat("Kafka client: ", error.data(), ". Check the files ", client_.ca, ", ",
                     client_.certificate, " and ", client_.key, "."));
  }
  // Now librdkafka's.
  conf.release();  // NOLINT(bugprone-unused-return-value)
  return absl::OkStatus();
}

void Handle::LookForRenewal(absl::Time now) {
  if (client_.certificate.empty() || now < next_look_) return;
  next_look_ = now + kLookInterval;
  const std::string stamp = StampOf(client_);
  // They are several files: all have to be there, and to have come to rest.
  if (stamp != opened_with_ && !stamp.empty() && stamp == renewed_) health_.OnRenewed();
  renewed_ = stamp;
}

void Handle::ProbeIfUnwell() {
  const absl::Time now = absl::Now();
  LookForRenewal(now);
  if (health_.Get().ok()) return;
  if (now < next_probe_) return;
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(rk_, /*all_topics=*/0, nullptr, &metadata, kProbeTimeoutMs) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    const MetadataPtr owner(metadata);
    health_.Reached();
  }
  next_probe_ = absl::Now() + kProbeInterval;
}

absl::Status Handle::NextFault(Operation operation) const {
  return client_.faults ? client_.faults->Next(operation) : absl::OkStatus();
}

}  // namespace sankofa::kafka::librdkafka
