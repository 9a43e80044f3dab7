#include "services/platform/time/time.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace sankofa::time {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] absl::Time Now() const override { return absl::Now(); }
};

int DaysInMonth(absl::CivilMonth month) {
  return static_cast<int>(absl::CivilDay(month + 1) - absl::CivilDay(month));
}

}  // namespace

const Clock& WallClock() {
  static const SystemClock clock;
  return clock;
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(
      static_cast<int32_t>((time - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
  return timestamp;
}

absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

std::optional<absl::CivilDay> ParseDay(std::string_view iso_day) {
  constexpr std::string_view kForm = "0000-00-00";
  if (iso_day.size() != kForm.size()) return std::nullopt;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = iso_day[i] >= '0' && iso_day[i] <= '9';
    if (kForm[i] == '-' ? iso_day[i] != '-' : !digit) return std::nullopt;
  }
  const auto number = [&](size_t at, size_t length) {
    int value = 0;
    for (const char digit : iso_day.substr(at, length)) value = value * 10 + (digit - '0');
    return value;
  };
  const absl::CivilDay day(number(0, 4), number(5, 2), number(8, 2));
  // CivilDay carries over 31 February into March: such a day does not exist.
  if (FormatDay(day) != iso_day) return std::nullopt;
  return day;
}

std::string FormatDay(absl::CivilDay day) {
  return absl::StrFormat("%04d-%02d-%02d", day.year(), day.month(), day.day());
}

absl::CivilDay DayOf(absl::Time time) { return absl::ToCivilDay(time, absl::UTCTimeZone()); }

int AgeInYears(absl::CivilDay birth, absl::CivilDay on) {
  const bool before_birthday =
      std::pair(on.month(), on.day()) < std::pair(birth.month(), birth.day());
  return static_cast<int>(on.year() - birth.year()) - (before_birthday ? 1 : 0);
}

absl::CivilDay AddMonths(absl::CivilDay day, int months) {
  const absl::CivilMonth month = absl::CivilMonth(day) + months;
  return absl::CivilDay(month.year(), month.month(), std::min(day.day(), DaysInMonth(month)));
}

}  // namespace sankofa::time
