#pragma once

#include <optional>
#include <string>
#include <string_view>

// W3C trace context: the header `traceparent` goes from the RPC through the journal and Kafka to the reaction, so that
// one trace id finds all that a call set off. No spans are sent anywhere: the ids stand in log lines and journal rows.
namespace sankofa::telemetry {

struct TraceParent {
  std::string trace_id;  // 32 hex digits, not all zero
  std::string span_id;   // 16 hex digits, not all zero
  bool sampled = true;

  // "00-<trace id>-<span id>-<flags>"
  [[nodiscard]] std::string ToString() const;
};

// Nothing for a malformed header. A version later than 00 is read as far as 00 goes, as the standard asks.
[[nodiscard]] std::optional<TraceParent> ParseTraceparent(std::string_view header);

// A new trace. Ids are random and say nothing.
[[nodiscard]] std::string NewTraceparent();

// The same trace with a new span id; a new trace where `header` is malformed or empty.
[[nodiscard]] std::string ChildTraceparent(std::string_view header);

// The trace id of a header; empty where it is malformed.
[[nodiscard]] std::string TraceIdOf(std::string_view header);

// While it lives, log lines of this thread carry the trace id of `traceparent`. Scopes nest.
class TraceScope {
 public:
  explicit TraceScope(std::string_view traceparent);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  std::string outer_;
};

// Of the innermost scope of this thread; empty outside.
[[nodiscard]] const std::string& CurrentTraceparent();

}  // namespace sankofa::telemetry
