#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/kafka/librdkafka/handle.h"

namespace sankofa::kafka {
namespace librdkafka {
namespace {

class RdProducer final : public Handle, public Producer {
 public:
  RdProducer(const ClientOptions& client, ProducerOptions options)
      : Handle(client), options_(std::move(options)) {}

  ~RdProducer() override {
    if (rk_ == nullptr) return;
    closing_ = true;
    // Without this, destroying would wait for what can't be sent.
    rd_kafka_purge(rk_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(rk_, 0);
    rd_kafka_destroy(rk_);
  }

  absl::Status Open() {
    auto conf = CommonConf();
    if (!conf.ok()) return conf.status();
    const bool infinite = options_.delivery_timeout == absl::InfiniteDuration();
    for (
        const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
            {"enable.idempotence", "true"},
            {"acks", "all"},
            // As Java's clients do, so that whoever else writes a key writes to the same partition.
            {"partitioner", "murmur2_random"},
            {"linger.ms", absl::StrCat(Milliseconds(options_.linger))},
            {"message.max.bytes", absl::StrCat(kMaxRecordBytes)},
            {"queue.buffering.max.messages", absl::StrCat(options_.queue_records)},
            {"queue.buffering.max.kbytes", absl::StrCat(std::max(1, options_.queue_bytes >> 10))},
            {"request.timeout.ms", "10000"},
            {"message.timeout.ms",
             absl::StrCat(infinite ? 0 : Milliseconds(options_.delivery_timeout))}}) {
      if (auto status = Set(conf->get(), name, value); !status.ok()) return status;
    }
    rd_kafka_conf_set_dr_msg_cb(
        conf->get(), [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
          static_cast<RdProducer*>(static_cast<Handle*>(opaque))->OnDelivery(*message);
        });
    return New(RD_KAFKA_PRODUCER, *std::move(conf));
  }

  absl::Status Produce(const Record& record, std::uint64_t id) override {
    if (auto fault = NextFault(Operation::kProduce); !fault.ok()) return fault;
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
    for (const Header& header : record.headers) {
      rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                          header.value.data(), static_cast<ssize_t>(header.value.size()));
    }
    // An empty event is a value of no bytes; a null pointer would make it a tombstone.
    const auto code = rd_kafka_producev(
        rk_, RD_KAFKA_V_TOPIC(record.topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(id)),
        RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_headers_destroy(headers);  // they are librdkafka's only on success
      auto status = ToStatus(code, absl::StrCat("producing to ", record.topic));
      if (absl::IsPermissionDenied(status)) health_.OnAccess(record.topic, status);
      return status;
    }
    ++outstanding_;
    return absl::OkStatus();
  }

  void Poll(absl::Duration timeout) override {
    ProbeIfUnwell();
    rd_kafka_poll(rk_, Milliseconds(timeout));
  }

  absl::Status Flush(absl::Duration timeout) override {
    const absl::Time deadline = absl::Now() + timeout;
    while (outstanding_ > 0) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::UnavailableError(absl::StrCat(outstanding_, " records have no report yet"));
      }
      Poll(std::min(left, absl::Milliseconds(100)));
    }
    return absl::OkStatus();
  }

  int outstanding() const override { return outstanding_; }
  absl::Status Health() const override { return health_.Get(); }

 private:
  void OnDelivery(const rd_kafka_message_t& message) {
    --outstanding_;
    if (closing_) return;
    const std::string topic = rd_kafka_topic_name(message.rkt);
    absl::Status outcome = ToStatus(message.err, absl::StrCat("delivering to ", topic));
    if (outcome.ok()) health_.Reached();
    if (outcome.ok() || absl::IsPermissionDenied(outcome)) health_.OnAccess(topic, outcome);
    if (auto fault = NextFault(Operation::kDelivery); !fault.ok()) outcome = std::move(fault);
    if (options_.on_delivery) {
      options_.on_delivery(reinterpret_cast<std::uint64_t>(message._private), outcome);
    }
  }

  const ProducerOptions options_;
  int outstanding_ = 0;
  bool closing_ = false;
};

}  // namespace
}  // namespace librdkafka

absl::StatusOr<std::unique_ptr<Producer>> OpenProducer(const ClientOptions& client,
                                                       ProducerOptions options) {
  auto producer = std::make_unique<librdkafka::RdProducer>(client, std::move(options));
  if (auto status = producer->Open(); !status.ok()) return status;
  return producer;
}

}  // namespace sankofa::kafka
