#include "router/query/time_offset.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(TimeOffsetTest, ReadsRunsOfNumbersAndUnits) {
  EXPECT_EQ(*ParseTimeOffset(""), 0);
  EXPECT_EQ(*ParseTimeOffset("10s"), 10);
  EXPECT_EQ(*ParseTimeOffset("5min"), 300);
  EXPECT_EQ(*ParseTimeOffset("-1d2h"), -(86400 + 7200));
  EXPECT_EQ(*ParseTimeOffset("+1hour30minutes"), 5400);
  EXPECT_EQ(*ParseTimeOffset("2weeks"), 14 * 86400);
  EXPECT_EQ(*ParseTimeOffset("1mon"), 30 * 86400);
  EXPECT_EQ(*ParseTimeOffset("1y"), 365 * 86400);
}

TEST(TimeOffsetTest, RefusesEverythingElse) {
  for (const char* text :
       {"5m", "h", "1", "1h-2min", "1 h", "x5s", "1parsec", "99999999999999999999s", "10001y"}) {
    EXPECT_EQ(ParseTimeOffset(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace shoal
