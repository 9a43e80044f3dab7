#include "services/platform/redis/client.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>

#include <csignal>
#include <ctime>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"

namespace sankofa::redis {
namespace {

// hiredis writes with write(2), so a connection closed by the server raises SIGPIPE. While this lives, the signal is
// kept from this thread, and one that came up is taken away. The process's disposition stays as it is.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (!was_pending_) {
      const timespec none{};
      while (sigtimedwait(&pipe_, nullptr, &none) == SIGPIPE) {}
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
struct ContextDeleter {
  void operator()(redisContext* context) const { redisFree(context); }
};

Reply ToReply(const redisReply& raw) {
  Reply reply;
  switch (raw.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = raw.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kText;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kList;
      for (size_t i = 0; i < raw.elements; ++i) reply.list.push_back(ToReply(*raw.element[i]));
      break;
    default: break;
  }
  return reply;
}

// Errors of a server that is there and will be ready later.
bool IsNotReady(const std::string& error) {
  for (const char* code : {"LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "BUSY ", "OOM ",
                           "MISCONF", "TRYAGAIN", "ERR max number of clients"}) {
    if (absl::StartsWith(error, code)) return true;
  }
  return false;
}

// Redis' error without what it repeats of the command: its arguments may hold anything.
std::string WithoutValues(const std::string& error) {
  const size_t quoted = std::min(error.find('\''), error.find('`'));
  return error.substr(0, std::min<size_t>(quoted, 120));
}

}  // namespace

class Client::Connection {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Connection>> Open(const Options& options,
                                                                        const Address& address) {
    const NoSigpipe guard;
    std::unique_ptr<redisContext, ContextDeleter> context(redisConnectWithTimeout(
        address.host.c_str(), address.port, absl::ToTimeval(options.connect_timeout)));
    if (context == nullptr) return status::Unavailable("redis: no memory for a connection");
    if (context->err != 0) {
      return status::Unavailable(absl::StrCat("redis: no connection: ", context->errstr));
    }
    if (redisSetTimeout(context.get(), absl::ToTimeval(options.call_timeout)) != REDIS_OK) {
      return status::Unavailable("redis: the connection takes no time-out");
    }
    redisEnableKeepAlive(context.get());
    return std::unique_ptr<Connection>(new Connection(std::move(context)));
  }

  // The server has not closed it, and nothing unasked waits in it.
  [[nodiscard]] bool StillOpen() const {
    pollfd descriptor{.fd = context_->fd, .events = POLLIN | POLLRDHUP, .revents = 0};
    return poll(&descriptor, 1, 0) == 0;
  }

  [[nodiscard]] absl::StatusOr<std::vector<Reply>> Run(std::span<const Command> commands) {
    const NoSigpipe guard;
    for (const Command& command : commands) {
      std::vector<const char*> words;
      std::vector<size_t> lengths;
      for (const std::string& word : command) {
        words.push_back(word.data());
        lengths.push_back(word.size());
      }
      if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(),
                                 lengths.data()) != REDIS_OK) {
        return Broken();
      }
    }
    std::vector<Reply> replies;
    for (size_t i = 0; i < commands.size(); ++i) {
      void* raw = nullptr;
      if (redisGetReply(context_.get(), &raw) != REDIS_OK) return Broken();
      const std::unique_ptr<redisReply, ReplyDeleter> reply(static_cast<redisReply*>(raw));
      replies.push_back(ToReply(*reply));
    }
    return replies;
  }

 private:
  explicit Connection(std::unique_ptr<redisContext, ContextDeleter> context)
      : context_(std::move(context)) {}

  [[nodiscard]] absl::Status Broken() const {
    return status::Unavailable(absl::StrCat("redis: no answer: ", context_->errstr));
  }

  std::unique_ptr<redisContext, ContextDeleter> context_;
};

absl::StatusOr<std::unique_ptr<Client>> Client::Create(Options options, const time::Clock& clock) {
  const size_t colon = options.address.rfind(':');
  Address address;
  const bool parsed = colon != std::string::npos && colon > 0 &&
                      absl::SimpleAtoi(options.address.substr(colon + 1), &address.port) &&
                      address.port > 0 && address.port < 65536;
  if (!parsed) return absl::InvalidArgumentError("redis: the address is not host:port");
  address.host = options.address.substr(0, colon);
  return std::unique_ptr<Client>(new Client(std::move(options), std::move(address), clock));
}

Client::Client(Options options, Address address, const time::Clock& clock)
    : options_(std::move(options)),
      address_(std::move(address)),
      clock_(clock),
      answered_(telemetry::GetCounter("sankofa_redis_calls_total", "Calls to Redis by outcome.",
                                      {{"outcome", "answered"}})),
      failed_(telemetry::GetCounter("sankofa_redis_calls_total", "Calls to Redis by outcome.",
                                    {{"outcome", "failed"}})),
      refused_(telemetry::GetCounter("sankofa_redis_calls_total", "Calls to Redis by outcome.",
                                     {{"outcome", "refused"}})),
      retry_time_(absl::InfinitePast()) {}

Client::~Client() = default;

absl::StatusOr<Reply> Client::Call(const Command& command) {
  auto replies = Pipeline(std::span(&command, 1));
  if (!replies.ok()) return replies.status();
  Reply& reply = replies->front();
  if (reply.kind == Reply::Kind::kError) {
    return status::Internal(absl::StrCat("redis: ", WithoutValues(reply.text)));
  }
  return std::move(reply);
}

absl::StatusOr<std::vector<Reply>> Client::Pipeline(std::span<const Command> commands) {
  status::Check(commands.size() <= kPipelineMax, "a pipeline to Redis is too long");
  if (commands.empty()) return std::vector<Reply>();
  auto connection = Take();
  if (!connection.ok()) return connection.status();
  return Run(*std::move(connection), commands);
}

absl::StatusOr<std::vector<Reply>> Client::Run(std::unique_ptr<Connection> connection,
                                               std::span<const Command> commands) {
  const Fault fault = options_.faults ? options_.faults->NextCall() : Fault::kNone;
  auto replies = fault == Fault::kBeforeSend
                     ? absl::StatusOr<std::vector<Reply>>(
                           status::Unavailable("redis: made to fail before sending"))
                     : connection->Run(commands);
  if (fault == Fault::kAnswerLost) replies = status::Unavailable("redis: made to lose the answer");
  if (replies.ok()) {
    for (const Reply& reply : *replies) {
      if (reply.kind != Reply::Kind::kError || !IsNotReady(reply.text)) continue;
      replies = status::Unavailable(absl::StrCat("redis: ", WithoutValues(reply.text)));
      break;
    }
  }
  if (!replies.ok()) {
    Failed(replies.status());
    return replies.status();
  }
  Succeeded(std::move(connection));
  return replies;
}

absl::StatusOr<std::unique_ptr<Client::Connection>> Client::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (failures_ > 0) {
      if (probing_ || clock_.Now() < retry_time_) {
        refused_.Add();
        return status::Unavailable("redis: down, to be tried again later");
      }
      probing_ = true;
    }
    while (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->StillOpen()) return connection;
    }
  }
  auto opened = Connection::Open(options_, address_);
  if (!opened.ok()) Failed(opened.status());
  return opened;
}

void Client::Succeeded(std::unique_ptr<Connection> connection) {
  answered_.Add();
  bool was_down = false;
  {
    const std::lock_guard lock(mutex_);
    was_down = failures_ > 0;
    failures_ = 0;
    probing_ = false;
    if (static_cast<int>(idle_.size()) < options_.connections_max) {
      idle_.push_back(std::move(connection));
    }
  }
  if (was_down) down_.Over("redis is back");
}

void Client::Failed(const absl::Status& why) {
  failed_.Add();
  {
    const std::lock_guard lock(mutex_);
    const absl::Duration pause =
        options_.backoff_first * (std::int64_t{1} << std::min(failures_, 30));
    ++failures_;
    probing_ = false;
    retry_time_ = clock_.Now() + std::min(pause, options_.backoff_max);
    idle_.clear();  // opened to the same server
  }
  down_.Met(telemetry::Level::kWarn, "redis is down; what it held is read from the journals",
            {{"why", why}});
}

bool Client::up() const {
  const std::lock_guard lock(mutex_);
  return failures_ == 0;
}

}  // namespace sankofa::redis
