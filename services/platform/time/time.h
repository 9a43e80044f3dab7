#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

// Time behind an interface, so that the same code runs on the wall clock, on scenario time and in simulation.
namespace sankofa::time {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual absl::Time Now() const = 0;
};

// The machine's clock.
[[nodiscard]] const Clock& WallClock();

// A clock that stands still until it is set: tests and simulation. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(absl::Time now) : now_nanos_(absl::ToUnixNanos(now)) {}
  [[nodiscard]] absl::Time Now() const override {
    return absl::FromUnixNanos(__atomic_load_n(&now_nanos_, __ATOMIC_SEQ_CST));
  }
  void Set(absl::Time now) {
    __atomic_store_n(&now_nanos_, absl::ToUnixNanos(now), __ATOMIC_SEQ_CST);
  }
  void Advance(absl::Duration by) { Set(Now() + by); }

 private:
  int64_t now_nanos_;
};

[[nodiscard]] google::protobuf::Timestamp ToTimestamp(absl::Time time);
[[nodiscard]] absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp);

// "2017-06-30" → day; nothing for any other form or a day that does not exist.
[[nodiscard]] std::optional<absl::CivilDay> ParseDay(std::string_view iso_day);
[[nodiscard]] std::string FormatDay(absl::CivilDay day);

// The calendar day of `time` in UTC. Agencies of both countries are within an hour of it.
[[nodiscard]] absl::CivilDay DayOf(absl::Time time);

// Whole years from `birth` to `on`; a birthday on 29 February counts on 1 March in other years. Negative before birth.
[[nodiscard]] int AgeInYears(absl::CivilDay birth, absl::CivilDay on);

// `day` plus whole months, the day of month clipped to the month's last day.
[[nodiscard]] absl::CivilDay AddMonths(absl::CivilDay day, int months);

}  // namespace sankofa::time
