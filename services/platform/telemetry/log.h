#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The log: one JSON object a line on standard error, for a person on call and for programs.
//
//     telemetry::Info("relay caught up", {{"shard", 3}, {"rows", rows}});
//     {"time":"2026-02-01T09:30:00.123456Z","level":"INFO","node":"cm","service":"registration",
//      "trace":"4bf9…","msg":"relay caught up","shard":3,"rows":12}
//
// Error is for the person on call: something is wrong that does not heal by itself. What heals or is a caller's
// mistake is Warn or Info. No personal data ever: a value is a number, a truth value, a time, a status, or text that
// the writer of the line vouches for (an id, a reason, a file name). Protobuf messages and Personal values don't
// compile. Threads: everything here may be called from any.
namespace sankofa::telemetry {

enum class Level { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn", "error"; false for any other word.
[[nodiscard]] bool ParseLevel(std::string_view word, Level& level);

struct LogOptions {
  Level level = Level::kInfo;
  std::string node;
  std::string service;  // where no ServiceScope says another
};
// Once, at start.
void ConfigureLog(LogOptions options);

// While it lives, log lines of this thread are those of `service`. In one process several services may run.
class ServiceScope {
 public:
  explicit ServiceScope(std::string_view service);
  ~ServiceScope();
  ServiceScope(const ServiceScope&) = delete;
  ServiceScope& operator=(const ServiceScope&) = delete;

 private:
  std::string outer_;
};

// A value that may name or describe a person. It has no way into a stream, a format or a log line; Reveal() is the one
// way to what it holds, and is easy to find.
template <class T>
class Personal {
 public:
  explicit Personal(T value) : value_(std::move(value)) {}
  [[nodiscard]] const T& Reveal() const { return value_; }

  template <class Stream>
  friend Stream& operator<<(Stream& stream, const Personal& personal) = delete;

 private:
  T value_;
};

// A value of a line, rendered as JSON.
class LogValue {
 public:
  // Implicit on purpose, so that a line reads as a list of pairs. Templates where a pointer would convert.
  // NOLINTBEGIN(google-explicit-constructor)
  template <std::same_as<bool> T>
  LogValue(T value) : json_(value ? "true" : "false") {}
  template <std::signed_integral T>
  LogValue(T value) : json_(Number(static_cast<std::int64_t>(value))) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T value)
      : json_(Number(static_cast<std::uint64_t>(value))) {}
  template <std::floating_point T>
  LogValue(T value) : json_(Number(static_cast<double>(value))) {}
  LogValue(const char* text) : json_(Text(text)) {}
  LogValue(const std::string& text) : json_(Text(text)) {}
  LogValue(std::string_view text) : json_(Text(text)) {}
  LogValue(absl::string_view text) : json_(Text({text.data(), text.size()})) {}
  // In seconds.
  LogValue(absl::Duration duration) : json_(Number(absl::ToDoubleSeconds(duration))) {}
  LogValue(absl::Time time);
  // Code, reason, the fields that are wrong and the detail for the log.
  LogValue(const absl::Status& status);
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] const std::string& json() const { return json_; }

 private:
  static std::string Number(std::int64_t value);
  static std::string Number(std::uint64_t value);
  static std::string Number(double value);
  static std::string Text(std::string_view text);

  std::string json_;
};

// The key is a word in lower case; time, level, node, service, trace and msg are taken.
struct LogField {
  std::string_view key;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

void Log(Level level, std::string_view message, LogFields fields = {});
inline void Debug(std::string_view message, LogFields fields = {}) {
  Log(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, LogFields fields = {}) {
  Log(Level::kInfo, message, fields);
}
inline void Warn(std::string_view message, LogFields fields = {}) {
  Log(Level::kWarn, message, fields);
}
inline void Error(std::string_view message, LogFields fields = {}) {
  Log(Level::kError, message, fields);
}

// A state that is met again and again (the broker is unreachable): said when it begins, then at most once a period
// with the number of times, and once when it is over.
class RepeatedLog {
 public:
  explicit RepeatedLog(absl::Duration period = absl::Minutes(1)) : period_(period) {}
  void Met(Level level, std::string_view message, LogFields fields = {});
  // Says `message` if the state was on.
  void Over(std::string_view message, LogFields fields = {});

 private:
  std::mutex mutex_;
  const absl::Duration period_;
  absl::Time said_ = absl::InfinitePast();
  std::int64_t times_ = 0;
};

// For tests: while it lives, lines of all threads are kept here instead of being written. One at a time.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  [[nodiscard]] std::vector<std::string> lines() const;
};

}  // namespace sankofa::telemetry
