#include "services/platform/telemetry/trace.h"

#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sankofa::telemetry {
namespace {

constexpr std::size_t kLength = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2

thread_local std::string current_traceparent;

// Lower case only: the standard refuses the rest.
bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

std::uint64_t RandomNonZero() {
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }()};
  for (;;) {
    if (const std::uint64_t value = generator(); value != 0) return value;
  }
}

std::string Hex16(std::uint64_t value) { return absl::StrFormat("%016x", value); }

}  // namespace

std::string TraceParent::ToString() const {
  return absl::StrCat("00-", trace_id, "-", span_id, sampled ? "-01" : "-00");
}

std::optional<TraceParent> ParseTraceparent(std::string_view header) {
  if (header.size() < kLength) return std::nullopt;
  const std::string_view version = header.substr(0, 2);
  const std::string_view trace_id = header.substr(3, 32);
  const std::string_view span_id = header.substr(36, 16);
  const std::string_view flags = header.substr(53, 2);
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  if (!IsHex(version) || !IsHex(trace_id) || !IsHex(span_id) || !IsHex(flags)) return std::nullopt;
  if (version == "ff" || IsZero(trace_id) || IsZero(span_id)) return std::nullopt;
  if (version == "00" && header.size() != kLength) return std::nullopt;
  if (header.size() > kLength && header[kLength] != '-') return std::nullopt;
  const bool sampled = (flags[1] <= '9' ? flags[1] - '0' : flags[1] - 'a' + 10) % 2 == 1;
  return TraceParent{std::string(trace_id), std::string(span_id), sampled};
}

std::string NewTraceparent() {
  return TraceParent{absl::StrCat(Hex16(RandomNonZero()), Hex16(RandomNonZero())),
                     Hex16(RandomNonZero())}
      .ToString();
}

std::string ChildTraceparent(std::string_view header) {
  auto parent = ParseTraceparent(header);
  if (!parent) return NewTraceparent();
  parent->span_id = Hex16(RandomNonZero());
  return parent->ToString();
}

std::string TraceIdOf(std::string_view header) {
  auto parent = ParseTraceparent(header);
  return parent ? std::move(parent->trace_id) : std::string();
}

TraceScope::TraceScope(std::string_view traceparent)
    : outer_(std::exchange(current_traceparent, std::string(traceparent))) {}

TraceScope::~TraceScope() { current_traceparent = std::move(outer_); }

const std::string& CurrentTraceparent() { return current_traceparent; }

}  // namespace sankofa::telemetry
