#include "services/platform/rpc/calls.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sankofa/common/v1/common_reason.pb.h"
#include "services/platform/crypto/vault.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/trace.h"

namespace sankofa::rpc {
namespace {

using google::protobuf::Message;

constexpr char kTraceparent[] = "traceparent";

// `message` in wire form, without personal and sensitive fields unless they were granted.
absl::StatusOr<grpc::ByteBuffer> ToWire(const Message& message, bool personal) {
  grpc::ByteBuffer bytes;
  bool own = false;
  grpc::Status written;
  if (personal || !crypto::HasPersonalFields(*message.GetDescriptor())) {
    written = grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own);
  } else {
    const std::unique_ptr<Message> redacted(message.New());
    redacted->CopyFrom(message);
    crypto::Redact(*redacted);
    written = grpc::SerializationTraits<Message>::Serialize(*redacted, &bytes, &own);
  }
  if (!written.ok()) return status::Internal("an answer can't be serialised");
  return bytes;
}

// What a metric counts a call under.
std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) return "OK";
  std::string reason = status::ReasonOf(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          status::ToDetailsTrailer(status)};
}

// The caller gave up, or the server is closing: nobody reads the answer.
absl::Status Cancelled(absl::Time deadline) {
  return absl::Now() >= deadline ? status::Refuse(common::v1::REASON_DEADLINE_PASSED)
                                 : absl::CancelledError("cancelled");
}

}  // namespace

class UnaryCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<UnaryCall> {
 public:
  UnaryCall(Calls& calls, const Method& method, grpc::CallbackServerContext* context,
            grpc::ByteBuffer* response)
      : calls_(calls), method_(method), context_(context), response_(response) {}

  void Begin(const grpc::ByteBuffer& bytes) {
    self_ = shared_from_this();
    calls_.UnaryBegan();
    traceparent_ = Gate::TraceOf(*context_);
    const telemetry::TraceScope trace(traceparent_);
    const telemetry::ServiceScope service(method_.service);
    auto admission = calls_.gate_.Admit(*context_, method_, traceparent_);
    if (!admission.ok()) return Answer(admission.status());
    deadline_ = admission->deadline;
    auto request = calls_.gate_.Read(method_, bytes, admission->now);
    if (!request.ok()) return Answer(request.status());
    Dispatch(*std::move(admission), *std::move(request));
  }

  void OnCancel() override { Answer(Cancelled(deadline_)); }
  void OnDone() override {
    calls_.UnaryEnded();
    self_.reset();
  }

 private:
  // Held by the dispatcher's callback: if that is dropped without a call, the caller is not left waiting.
  struct Pending {
    explicit Pending(std::shared_ptr<UnaryCall> waiting) : call(std::move(waiting)) {}
    ~Pending() {
      if (!call->answered_) call->Answer(status::Unavailable("the call was dropped"));
    }
    const std::shared_ptr<UnaryCall> call;
  };

  void Dispatch(Admission admission, std::shared_ptr<const Message> request) {
    const auto pending = std::make_shared<Pending>(shared_from_this());
    if (method_.kind == MethodKind::kCommand) {
      engine::CommandCall call;
      call.request = std::move(request);
      call.actor = std::move(admission.actor);
      call.now = admission.now;
      call.deadline = admission.deadline;
      call.traceparent = std::move(admission.traceparent);
      method_.dispatcher.Submit(std::move(call), [pending](engine::Outcome outcome) {
        if (!outcome.ok()) return pending->call->Answer(outcome.status());
        pending->call->Answer(QueryAnswer{*std::move(outcome), /*personal=*/false});
      });
      return;
    }
    method_.dispatcher.Query(
        QueryRequest{method_.name, std::move(request), std::move(admission.actor), admission.now,
                     admission.deadline, std::move(admission.traceparent)},
        [pending](absl::StatusOr<QueryAnswer> answer) {
          pending->call->Answer(std::move(answer));
        });
  }

  void Answer(absl::StatusOr<QueryAnswer> answer) {
    if (answered_.exchange(true)) return;
    const telemetry::TraceScope trace(traceparent_);
    const telemetry::ServiceScope service(method_.service);
    absl::Status status = answer.status();
    if (answer.ok()) {
      auto bytes = ToWire(*answer->response, answer->personal);
      if (bytes.ok()) response_->Swap(&*bytes);
      status = bytes.status();
    }
    status = calls_.Presentable(status, method_, traceparent_);
    if (!status.ok()) context_->AddTrailingMetadata(kTraceparent, traceparent_);
    method_.Count(OutcomeOf(status), absl::Now() - began_);
    Finish(ToGrpc(status));
  }

  Calls& calls_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const response_;
  const absl::Time began_ = absl::Now();
  absl::Time deadline_ = absl::InfiniteFuture();
  std::string traceparent_;
  std::atomic<bool> answered_ = false;
  std::shared_ptr<UnaryCall> self_;
};

// A server stream. Messages that can't be written yet wait in a buffer; a client that lets it overflow is told to come
// back later, so that a slow one costs a bounded amount of memory.
class StreamCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(Calls& calls, const Method& method, grpc::CallbackServerContext* context)
      : calls_(calls), method_(method), context_(context) {}

  void Begin(const grpc::ByteBuffer& bytes) {
    self_ = shared_from_this();
    traceparent_ = Gate::TraceOf(*context_);
    const telemetry::TraceScope trace(traceparent_);
    const telemetry::ServiceScope service(method_.service);
    auto admission = calls_.gate_.Admit(*context_, method_, traceparent_);
    if (!admission.ok()) return End(admission.status());
    deadline_ = admission->deadline;
    auto request = calls_.gate_.Read(method_, bytes, admission->now);
    if (!request.ok()) return End(request.status());
    if (absl::Status open = calls_.StreamBegan(self_); !open.ok()) return End(open);
    method_.dispatcher.OpenStream(
        QueryRequest{method_.name, *std::move(request), std::move(admission->actor), admission->now,
                     admission->deadline, std::move(admission->traceparent)},
        std::make_shared<Sink>(self_));
  }

  bool Write(const Message& message) {
    auto bytes = ToWire(message, /*personal=*/false);
    if (!bytes.ok()) {
      End(bytes.status());
      return false;
    }
    bool full = false;
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return false;
      full = buffer_.size() >= calls_.options_.stream_buffer_max;
      if (!full) buffer_.push_back(*std::move(bytes));
    }
    if (full) {
      End(status::Refuse(common::v1::REASON_OVERLOADED));
      return false;
    }
    Advance();
    return true;
  }

  // What waits is still written. The first end counts.
  void End(absl::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      ending_ = std::move(status);
    }
    Advance();
  }

  [[nodiscard]] bool over() const {
    const std::lock_guard lock(mutex_);
    return ending_.has_value();
  }
  [[nodiscard]] std::size_t room() const {
    const std::lock_guard lock(mutex_);
    return ending_ ? 0 : calls_.options_.stream_buffer_max - buffer_.size();
  }
  void OnRoom(std::function<void()> told) {
    const std::lock_guard lock(mutex_);
    if (!finished_) told_ = std::move(told);
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (ok) {
        buffer_.pop_front();
      } else {
        Abandon();
      }
    }
    Advance();
    TellOfRoom();
  }
  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      Abandon();
    }
    Advance();
    TellOfRoom();
  }
  void OnDone() override {
    // It may hold the sink, which asks this call something at its end: not under the lock.
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      told.swap(told_);
    }
    told = nullptr;
    calls_.StreamEnded(self_);
    self_.reset();
  }

 private:
  class Sink final : public StreamSink {
   public:
    explicit Sink(std::shared_ptr<StreamCall> call) : call_(std::move(call)) {}
    ~Sink() override {
      if (!call_->over()) call_->End(status::Unavailable("the stream's source went away"));
    }
    bool Write(const Message& message) override { return call_->Write(message); }
    void Finish(const absl::Status& status) override { call_->End(status); }
    [[nodiscard]] bool cancelled() const override { return call_->over(); }
    [[nodiscard]] std::size_t room() const override { return call_->room(); }
    void OnRoom(std::function<void()> told) override { call_->OnRoom(std::move(told)); }

   private:
    const std::shared_ptr<StreamCall> call_;
  };

  // The client is gone. Holds the lock; the message under way stays until gRPC has let go of it.
  void Abandon() {
    if (!finished_) ending_ = Cancelled(deadline_);
    buffer_.resize(writing_ ? 1 : 0);
  }

  void TellOfRoom() {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      told = told_;
    }
    if (told) told();
  }

  // Starts what is next, if nothing is under way.
  void Advance() {
    const grpc::ByteBuffer* write = nullptr;
    std::optional<absl::Status> finish;
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || finished_) return;
      if (!buffer_.empty()) {
        writing_ = true;
        write = &buffer_.front();
      } else if (ending_) {
        finished_ = true;
        finish = *ending_;
      }
    }
    if (write != nullptr) StartWrite(write);
    if (finish) FinishWith(*finish);
  }

  void FinishWith(const absl::Status& status) {
    const telemetry::TraceScope trace(traceparent_);
    const telemetry::ServiceScope service(method_.service);
    const absl::Status shown = calls_.Presentable(status, method_, traceparent_);
    if (!shown.ok()) context_->AddTrailingMetadata(kTraceparent, traceparent_);
    method_.Count(OutcomeOf(shown), absl::ZeroDuration());
    Finish(ToGrpc(shown));
  }

  Calls& calls_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  absl::Time deadline_ = absl::InfiniteFuture();
  std::string traceparent_;
  std::shared_ptr<StreamCall> self_;

  mutable std::mutex mutex_;
  std::deque<grpc::ByteBuffer> buffer_;
  std::function<void()> told_;  // of room in it
  std::optional<absl::Status> ending_;
  bool writing_ = false;
  bool finished_ = false;
};

Calls::Calls(const ServerOptions& options, std::unique_ptr<TokenVerifier> tokens,
             std::shared_ptr<HealthBoard> health)
    : options_(options),
      gate_(options, std::move(tokens)),
      health_(std::move(health)),
      unary_gauge_(telemetry::GetGauge("sankofa_rpc_running", "Calls that are running.",
                                       {{"kind", "unary"}})),
      stream_gauge_(telemetry::GetGauge("sankofa_rpc_running", "Calls that are running.",
                                        {{"kind", "stream"}})) {}

grpc::ServerUnaryReactor* Calls::StartUnary(const Method& method,
                                            grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) {
  const auto call = std::make_shared<UnaryCall>(*this, method, context, response);
  call->Begin(*request);
  return call.get();  // owns itself
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* Calls::StartStream(const Method& method,
                                                               grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request) {
  const auto call = std::make_shared<StreamCall>(*this, method, context);
  call->Begin(*request);
  return call.get();  // owns itself
}

void Calls::UnaryBegan() {
  unary_gauge_.Add(1);
  const std::lock_guard lock(mutex_);
  ++unary_running_;
}

void Calls::UnaryEnded() {
  unary_gauge_.Add(-1);
  {
    const std::lock_guard lock(mutex_);
    if (--unary_running_ > 0 || !draining_) return;
  }
  CloseStreams();
}

absl::Status Calls::StreamBegan(const std::shared_ptr<StreamCall>& call) {
  const std::lock_guard lock(mutex_);
  if (draining_) return status::Unavailable("the server is shutting down");
  if (static_cast<int>(streams_.size()) >= options_.streams_max) {
    return status::Refuse(common::v1::REASON_OVERLOADED);
  }
  streams_.insert(call);
  stream_gauge_.Add(1);
  return absl::OkStatus();
}

void Calls::StreamEnded(const std::shared_ptr<StreamCall>& call) {
  const std::lock_guard lock(mutex_);
  if (streams_.erase(call) > 0) stream_gauge_.Add(-1);
}

void Calls::Drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    if (unary_running_ > 0) return;
  }
  CloseStreams();
}

void Calls::CloseStreams() {
  std::set<std::shared_ptr<StreamCall>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams = streams_;
  }
  for (const auto& stream : streams)
    stream->End(status::Unavailable("the server is shutting down"));
  health_->CloseWatches();
}

absl::Status Calls::Presentable(const absl::Status& status, const Method& method,
                                const std::string& traceparent) {
  if (status.ok() || absl::IsCancelled(status)) return status;
  const std::string reason = status::ReasonOf(status);
  const status::Detail trace{.fields = {},
                             .metadata = {{"trace", telemetry::TraceIdOf(traceparent)}}};
  if (reason == "DEPENDENCY_UNAVAILABLE" || (reason.empty() && absl::IsUnavailable(status))) {
    unavailable_.Met(telemetry::Level::kWarn, "a call failed because a part is away",
                     {{"method", method.name}, {"status", status}});
    return status::Refuse(common::v1::REASON_DEPENDENCY_UNAVAILABLE, trace);
  }
  if (reason == "INTERNAL" || reason.empty()) {
    telemetry::Error("a call failed by a mistake of ours",
                     {{"method", method.name}, {"status", status}});
    return status::Refuse(common::v1::REASON_INTERNAL, trace);
  }
  return status;
}

}  // namespace sankofa::rpc
