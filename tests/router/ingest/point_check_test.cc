#include "router/ingest/point_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace shoal {
namespace {

constexpr uint32_t kNow = 1'700'000'123;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

LineError Check(double timestamp, double value, ParsedLine* parsed, LineSyntax syntax = {}) {
  return CheckNumbers(timestamp, value, kNow, syntax, parsed);
}

TEST(CheckNumbersTest, TimestampsAreTruncatedAndBounded) {
  ParsedLine parsed;
  const auto seconds = [&](double timestamp) -> int64_t {
    return Check(timestamp, 1, &parsed) == LineError::kNone ? parsed.timestamp_sec : -1;
  };
  EXPECT_EQ(seconds(1), 1);
  EXPECT_EQ(seconds(1700000000.999), 1700000000);
  EXPECT_EQ(seconds(4294967295.5), 4294967295);
  for (const double now : {0.0, -0.0, 0.9, -0.9, -1.0, -1.9}) EXPECT_EQ(seconds(now), kNow) << now;
  for (const double bad : {-2.0, 4294967296.0, 1e300, -1e300, kInf, -kInf, kNan}) {
    EXPECT_EQ(Check(bad, 1, &parsed), LineError::kBadTimestamp) << bad;
  }
}

TEST(CheckNumbersTest, ValuesAreNumbers) {
  ParsedLine parsed;
  EXPECT_EQ(Check(1, -1.5, &parsed), LineError::kNone);
  EXPECT_EQ(parsed.value, -1.5);
  EXPECT_EQ(Check(1, kNan, &parsed), LineError::kNanValue);
  EXPECT_EQ(Check(1, -kInf, &parsed), LineError::kInfiniteValue);
  EXPECT_EQ(Check(1, -kInf, &parsed, {.accept_infinite = true}), LineError::kNone);
  EXPECT_EQ(parsed.value, -kInf);
}

TEST(ParseNumberTextTest, ReadsAsPythonDoes) {
  double number = 0;
  for (const char* text : {"1.5", " 1.5\n", "+1.5", "15e-1", ".15e1", "1.50"}) {
    EXPECT_TRUE(ParseNumberText(text, &number)) << text;
    EXPECT_EQ(number, 1.5) << text;
  }
  EXPECT_TRUE(ParseNumberText("nan", &number) && std::isnan(number));
  EXPECT_TRUE(ParseNumberText("-Infinity", &number) && number == -kInf);
  EXPECT_TRUE(ParseNumberText("1e999", &number) && number == kInf);
  for (const char* text : {"", " ", "x", "0x10", "1.5f", "nan(1)", "1_0", "1 2", "--1", "1,5"}) {
    EXPECT_FALSE(ParseNumberText(text, &number)) << text;
  }
}

}  // namespace
}  // namespace shoal
