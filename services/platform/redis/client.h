#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/redis/faults.h"
#include "services/platform/telemetry/log.h"
#include "services/platform/telemetry/metrics.h"
#include "services/platform/time/time.h"

// Redis over hiredis. Redis holds only what can be rebuilt, so a call is short, and when the server is away a call says
// so at once instead of waiting.
//
// The circuit. After a failure to connect or to get an answer, all calls are refused with UNAVAILABLE, without touching
// the network, until a pause is over; it doubles with every failure in a row up to `backoff_max`. Then one caller tries
// while the others are still refused; when it gets through, the circuit closes. So a server that hangs costs one caller
// one time-out a pause, and nobody else anything.
//
// Errors: UNAVAILABLE where the server can't be reached, does not answer in time, or is not ready (loading, read-only);
// the command may then have been done. INTERNAL for an error of the command, with Redis' own text, which holds no value.
namespace sankofa::redis {

struct Options {
  std::string address;  // "host:port"
  absl::Duration connect_timeout = absl::Milliseconds(250);
  absl::Duration call_timeout = absl::Milliseconds(500);
  absl::Duration backoff_first = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(5);
  int connections_max =
      8;  // idle connections kept; one more is made where more are needed at a time
  // For tests: makes calls fail.
  std::shared_ptr<Faults> faults;
};

// A command as its words, binary-safe: {"SET", key, value}.
using Command = std::vector<std::string>;

struct Reply {
  enum class Kind { kNil, kText, kInteger, kList, kError };
  Kind kind = Kind::kNil;
  std::string text;  // of kText (and simple answers like "OK") and kError
  std::int64_t integer = 0;
  std::vector<Reply> list;

  [[nodiscard]] bool nil() const { return kind == Kind::kNil; }
};

// The longest pipeline.
inline constexpr int kPipelineMax = 1000;

// Thread-safe.
class Client {
 public:
  // Does not connect yet. INVALID_ARGUMENT for an address that is none.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Client>> Create(
      Options options, const time::Clock& clock = time::WallClock());
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One command, one round trip. An error reply is an INTERNAL status.
  [[nodiscard]] absl::StatusOr<Reply> Call(const Command& command);

  // Several commands in one round trip, their replies in order; an error reply is a Reply of kind kError. At most
  // kPipelineMax.
  [[nodiscard]] absl::StatusOr<std::vector<Reply>> Pipeline(std::span<const Command> commands);

  // False while the circuit is open.
  [[nodiscard]] bool up() const;

 private:
  class Connection;
  struct Address {
    std::string host;
    int port = 0;
  };

  Client(Options options, Address address, const time::Clock& clock);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Connection>> Take();
  [[nodiscard]] absl::StatusOr<std::vector<Reply>> Run(std::unique_ptr<Connection> connection,
                                                       std::span<const Command> commands);
  void Succeeded(std::unique_ptr<Connection> connection);
  void Failed(const absl::Status& why);

  const Options options_;
  const Address address_;
  const time::Clock& clock_;
  telemetry::Counter answered_;
  telemetry::Counter failed_;
  telemetry::Counter refused_;
  telemetry::RepeatedLog down_;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
  int failures_ = 0;       // in a row; 0: the circuit is closed
  bool probing_ = false;   // one caller tries
  absl::Time retry_time_;  // of the next probe
};

}  // namespace sankofa::redis
