#include "services/platform/telemetry/log.h"

#include <atomic>
#include <cmath>
#include <memory>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "google/rpc/error_details.pb.h"
#include "services/platform/status/check.h"
#include "services/platform/status/refuse.h"
#include "services/platform/status/text.h"
#include "services/platform/telemetry/trace.h"
#include "spdlog/logger.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace sankofa::telemetry {
namespace {

constexpr std::size_t kTextLimit = 4096;  // bytes of one value

struct Setup {
  std::mutex mutex;
  std::string node;
  std::string service;
  std::vector<std::string>* capture = nullptr;
};

Setup& TheSetup() {
  static Setup* const setup = new Setup;  // never destroyed: threads may log until the process ends
  return *setup;
}

std::atomic<Level> least_level{Level::kInfo};
thread_local std::string current_service;

spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("sankofa", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

const char* NameOf(Level level) {
  switch (level) {
    case Level::kDebug: return "DEBUG";
    case Level::kInfo: return "INFO";
    case Level::kWarn: return "WARN";
    case Level::kError: return "ERROR";
  }
  return "ERROR";
}

// Length of the well-formed UTF-8 sequence at the beginning of `text`; 0 where there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

void AppendText(std::string& out, std::string_view text) {
  const bool cut = text.size() > kTextLimit;
  if (cut) text = text.substr(0, kTextLimit);
  out += '"';
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  if (cut) out += "…";
  out += '"';
}

std::string Now() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
}

std::string DetailOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  const auto cord = status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo");
  if (!cord || !info.ParseFromString(std::string(*cord))) return std::string(status.message());
  std::string text = info.reason();
  for (const auto& [key, value] : info.metadata()) absl::StrAppend(&text, " ", key, "=", value);
  return text;
}

}  // namespace

bool ParseLevel(std::string_view word, Level& level) {
  for (const auto& [name, value] : {std::pair<std::string_view, Level>{"debug", Level::kDebug},
                                    {"info", Level::kInfo},
                                    {"warn", Level::kWarn},
                                    {"error", Level::kError}}) {
    if (word != name) continue;
    level = value;
    return true;
  }
  return false;
}

void ConfigureLog(LogOptions options) {
  least_level = options.level;
  Setup& setup = TheSetup();
  const std::lock_guard lock(setup.mutex);
  setup.node = std::move(options.node);
  setup.service = std::move(options.service);
}

ServiceScope::ServiceScope(std::string_view service)
    : outer_(std::exchange(current_service, std::string(service))) {}

ServiceScope::~ServiceScope() { current_service = std::move(outer_); }

LogValue::LogValue(absl::Time time)
    : json_(
          Text(status::Std(absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone())))) {}

LogValue::LogValue(const absl::Status& status) {
  std::string text = absl::StatusCodeToString(status.code());
  if (!status.ok()) absl::StrAppend(&text, ": ", DetailOf(status));
  const auto fields = status::FieldsOf(status);
  if (!fields.empty()) absl::StrAppend(&text, " fields=", absl::StrJoin(fields, ","));
  json_ = Text(text);
}

std::string LogValue::Number(std::int64_t value) { return absl::StrCat(value); }
std::string LogValue::Number(std::uint64_t value) { return absl::StrCat(value); }
std::string LogValue::Number(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.9g", value) : "null";
}
std::string LogValue::Text(std::string_view text) {
  std::string json;
  AppendText(json, text);
  return json;
}

void Log(Level level, std::string_view message, LogFields fields) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  Setup& setup = TheSetup();
  std::string line = absl::StrCat("{\"time\":\"", Now(), "\",\"level\":\"", NameOf(level), "\"");
  const auto append = [&](std::string_view key, std::string_view text) {
    if (text.empty()) return;
    absl::StrAppend(&line, ",\"", status::Absl(key), "\":");
    AppendText(line, text);
  };
  const std::lock_guard lock(setup.mutex);
  append("node", setup.node);
  append("service", current_service.empty() ? setup.service : current_service);
  append("trace", TraceIdOf(CurrentTraceparent()));
  append("msg", message);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, ",\"", status::Absl(field.key), "\":", field.value.json());
  }
  line += '}';
  if (setup.capture != nullptr) {
    setup.capture->push_back(std::move(line));
  } else {
    Logger().log(spdlog::level::info, spdlog::string_view_t(line));
  }
}

void RepeatedLog::Met(Level level, std::string_view message, LogFields fields) {
  const std::lock_guard lock(mutex_);
  ++times_;
  const absl::Time now = absl::Now();
  if (now - said_ < period_) return;
  said_ = now;
  if (times_ == 1) {
    Log(level, message, fields);
  } else {
    Log(level, absl::StrCat(std::string(message), " (met ", times_, " times so far)"), fields);
  }
}

void RepeatedLog::Over(std::string_view message, LogFields fields) {
  const std::lock_guard lock(mutex_);
  if (times_ == 0) return;
  times_ = 0;
  said_ = absl::InfinitePast();
  Info(message, fields);
}

LogCapture::LogCapture() {
  Setup& setup = TheSetup();
  const std::lock_guard lock(setup.mutex);
  status::Check(setup.capture == nullptr, "one LogCapture at a time");
  setup.capture = new std::vector<std::string>;
}

LogCapture::~LogCapture() {
  Setup& setup = TheSetup();
  const std::lock_guard lock(setup.mutex);
  delete std::exchange(setup.capture, nullptr);
}

std::vector<std::string> LogCapture::lines() const {
  Setup& setup = TheSetup();
  const std::lock_guard lock(setup.mutex);
  return *setup.capture;
}

}  // namespace sankofa::telemetry
