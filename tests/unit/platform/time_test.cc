#include "services/platform/time/time.h"

#include <gtest/gtest.h>

namespace sankofa::time {
namespace {

TEST(ParseDay, TakesOnlyDaysThatExist) {
  EXPECT_EQ(ParseDay("2017-06-30"), absl::CivilDay(2017, 6, 30));
  EXPECT_EQ(ParseDay("2016-02-29"), absl::CivilDay(2016, 2, 29));
  for (const char* bad : {"2017-02-29", "2017-13-01", "2017-00-10", "2017-1-01", "17-01-01",
                          "2017-06-31", "2017/06/30", "2017-06-30T", "", "20a7-06-30"}) {
    EXPECT_FALSE(ParseDay(bad).has_value()) << bad;
  }
}

TEST(AgeInYears, CountsBirthdays) {
  const absl::CivilDay birth(2000, 2, 29);
  EXPECT_EQ(AgeInYears(birth, absl::CivilDay(2018, 2, 28)), 17);
  EXPECT_EQ(AgeInYears(birth, absl::CivilDay(2018, 3, 1)), 18);
  EXPECT_EQ(AgeInYears(birth, birth), 0);
}

TEST(AddMonths, ClipsToTheMonthsEnd) {
  EXPECT_EQ(AddMonths(absl::CivilDay(2017, 8, 31), 6), absl::CivilDay(2018, 2, 28));
  EXPECT_EQ(AddMonths(absl::CivilDay(2017, 1, 15), 12), absl::CivilDay(2018, 1, 15));
}

TEST(Timestamp, KeepsNanosecondsBeforeTheEpochToo) {
  for (const auto time : {absl::FromUnixNanos(1'498'780'800'123'456'789), absl::FromUnixNanos(-1),
                          absl::UnixEpoch()}) {
    EXPECT_EQ(FromTimestamp(ToTimestamp(time)), time);
    EXPECT_GE(ToTimestamp(time).nanos(), 0);
  }
}

}  // namespace
}  // namespace sankofa::time
