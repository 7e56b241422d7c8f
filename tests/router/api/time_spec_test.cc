#include "router/api/time_spec.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

// Tuesday 2023-11-14 22:33:54 UTC.
constexpr int64_t kNow = 1700001234;

int64_t In(absl::string_view zone, absl::string_view text) {
  const auto time = ParseTimeSpec(text, *FindTimeZone(std::string(zone)), kNow);
  return time.ok() ? *time : -1;
}
int64_t At(absl::string_view text) { return In("UTC", text); }
int64_t Utc(int month, int day, int hour, int minute, int year = 2023) {
  return absl::ToUnixSeconds(
      absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, 0), absl::UTCTimeZone()));
}

TEST(TimeSpecTest, EpochAndRelative) {
  EXPECT_EQ(At("1600000000"), 1600000000);
  EXPECT_EQ(At("0"), 0);
  EXPECT_EQ(At("now"), kNow);
  EXPECT_EQ(At(""), kNow);
  EXPECT_EQ(At("-1d"), kNow - 86400);
  EXPECT_EQ(At(" NOW - 1h 30min "), kNow - 5400);
  EXPECT_EQ(At("+1week"), kNow + 7 * 86400);
  EXPECT_EQ(At("-100y"), 0);
}

TEST(TimeSpecTest, DatesAndTimesOfDay) {
  EXPECT_EQ(At("midnight"), Utc(11, 14, 0, 0));
  EXPECT_EQ(At("noon yesterday"), Utc(11, 13, 12, 0));
  EXPECT_EQ(At("teatime_tomorrow"), Utc(11, 15, 16, 0));
  EXPECT_EQ(At("today"), Utc(11, 14, 0, 0));
  EXPECT_EQ(At("16:05"), Utc(11, 14, 16, 5));
  EXPECT_EQ(At("4:05pm, yesterday"), Utc(11, 13, 16, 5));
  EXPECT_EQ(At("8am"), Utc(11, 14, 8, 0));
  EXPECT_EQ(At("12am"), Utc(11, 14, 12, 0));  // as Graphite has it
  EXPECT_EQ(At("20231031"), Utc(10, 31, 0, 0));
  EXPECT_EQ(At("06:00_20231031"), Utc(10, 31, 6, 0));
  EXPECT_EQ(At("10/31/23"), Utc(10, 31, 0, 0));
  EXPECT_EQ(At("1/2/1999"), Utc(1, 2, 0, 0, 1999));
  EXPECT_EQ(At("june 5"), Utc(6, 5, 0, 0));
  EXPECT_EQ(At("dec25"), Utc(12, 25, 0, 0));
  EXPECT_EQ(At("monday"), Utc(11, 13, 0, 0));
  EXPECT_EQ(At("tuesday"), Utc(11, 14, 0, 0));
  EXPECT_EQ(At("noon wed"), Utc(11, 8, 12, 0));
  EXPECT_EQ(At("midnight-2h"), Utc(11, 13, 22, 0));
}

TEST(TimeSpecTest, ZonesAndTheirJumps) {
  EXPECT_EQ(In("Asia/Tokyo", "midnight"), Utc(11, 14, 15, 0));  // it is the 15th there already
  EXPECT_EQ(In("America/New_York", "midnight"), Utc(11, 14, 5, 0));
  EXPECT_EQ(In("America/New_York", "01:30_20231105"), Utc(11, 5, 6, 30));  // twice; the later one
  EXPECT_EQ(In("Europe/Berlin", "02:30_20230326"),
            Utc(3, 26, 1, 30));                                      // never; by the offset before
  EXPECT_EQ(In("Europe/Berlin", "20230326+1d"), Utc(3, 26, 23, 0));  // a day is 24 hours
}

TEST(TimeSpecTest, NonsenseIsRefused) {
  for (const char* text :
       {"-5m", "-1", "1h", "gestern", "25:00", "10:60", ":30", "13/13/13", "1/2", "june", "feb 31",
        "now-1d+2h", "999999999999", "999999999999999999999999", "1:x", "++1h", "\xff\xfe"}) {
    EXPECT_EQ(At(text), -1) << text;
  }
  EXPECT_EQ(At(std::string(1000, '1')), -1);
}

TEST(TimeSpecTest, NoNameOfAZoneLeavesTheDatabase) {
  EXPECT_TRUE(FindTimeZone("Europe/Berlin").has_value());
  EXPECT_TRUE(FindTimeZone("UTC").has_value());
  for (const char* name : {"", "No/Such", "/etc/localtime", "../../etc/passwd", "Europe/../UTC",
                           "file:UTC", "libc:localtime", "Europe", "a b", "/dev/zero"}) {
    EXPECT_FALSE(FindTimeZone(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace shoal
