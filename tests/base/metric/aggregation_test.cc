#include "base/metric/aggregation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/metric/series.h"

namespace shoal {
namespace {

using ::testing::StartsWith;
using Method = AggregationMethod;

constexpr double kNone = kAbsent;

TEST(AggregateTest, EveryMethodIgnoresAbsentValues) {
  const std::vector<double> values = {kNone, 3, -5, kNone, 1, 4};
  EXPECT_EQ(Aggregate(Method::kAverage, values, 0), 0.75);
  EXPECT_EQ(Aggregate(Method::kSum, values, 0), 3);
  EXPECT_EQ(Aggregate(Method::kLast, values, 0), 4);
  EXPECT_EQ(Aggregate(Method::kFirst, values, 0), 3);
  EXPECT_EQ(Aggregate(Method::kMax, values, 0), 4);
  EXPECT_EQ(Aggregate(Method::kMin, values, 0), -5);
  EXPECT_EQ(Aggregate(Method::kAvgZero, values, 0), 0.5);
  EXPECT_EQ(Aggregate(Method::kAbsMax, values, 0), -5);
  EXPECT_EQ(Aggregate(Method::kAbsMin, values, 0), 1);
  EXPECT_EQ(Aggregate(Method::kCount, values, 0), 4);
  EXPECT_EQ(Aggregate(Method::kMedian, values, 0), 2);
  EXPECT_EQ(Aggregate(Method::kRange, values, 0), 9);
  EXPECT_EQ(Aggregate(Method::kMultiply, values, 0), -60);
  EXPECT_DOUBLE_EQ(Aggregate(Method::kStddev, values, 0), std::sqrt(48.75 / 4));
}

TEST(AggregateTest, OneValueAloneIsItself) {
  for (const Method method :
       {Method::kAverage, Method::kSum, Method::kLast, Method::kFirst, Method::kMax, Method::kMin,
        Method::kAbsMax, Method::kAbsMin, Method::kMedian, Method::kMultiply, Method::kAvgZero}) {
    EXPECT_EQ(Aggregate(method, std::vector<double>{-7}, 1), -7) << AggregationMethodName(method);
  }
  EXPECT_EQ(Aggregate(Method::kRange, std::vector<double>{-7}, 1), 0);
  EXPECT_EQ(Aggregate(Method::kStddev, std::vector<double>{-7}, 1), 0);
  EXPECT_EQ(Aggregate(Method::kMedian, std::vector<double>{9, 1, 5}, 1), 5);
}

TEST(AggregateTest, NothingKnownIsAbsentForEveryMethod) {
  for (int code = 1; IsKnownAggregationMethod(static_cast<uint8_t>(code)); ++code) {
    const auto method = static_cast<Method>(code);
    EXPECT_TRUE(std::isnan(Aggregate(method, std::vector<double>{kNone, kNone}, 0)));
    EXPECT_TRUE(std::isnan(Aggregate(method, {}, 0)));
  }
}

TEST(AggregateTest, XFilesFactorIsTheLeastShareOfKnownSlots) {
  const std::vector<double> half = {1, kNone, 3, kNone};
  EXPECT_EQ(Aggregate(Method::kSum, half, 0.5), 4);
  EXPECT_TRUE(std::isnan(Aggregate(Method::kSum, half, 0.51)));
  EXPECT_TRUE(std::isnan(Aggregate(Method::kAvgZero, half, 1)));
}

// whisper's vector: four of five points known.
TEST(AggregateTest, AgreesWithWhisper) {
  EXPECT_EQ(Aggregate(Method::kAverage, std::vector<double>{9, 3, 4, 5, kNone}, 0.5), 5.25);
}

TEST(AggregationMethodTest, NamesAndCodesRoundTrip) {
  int known = 0;
  for (int code = 0; code < 256; ++code) {
    if (!IsKnownAggregationMethod(static_cast<uint8_t>(code))) continue;
    ++known;
    const auto method = static_cast<Method>(code);
    EXPECT_EQ(*ParseAggregationMethod(AggregationMethodName(method)), method);
  }
  EXPECT_EQ(known, 14);
  EXPECT_EQ(*ParseAggregationMethod("avg"), Method::kAverage);
  EXPECT_EQ(*ParseAggregationMethod("total"), Method::kSum);
  EXPECT_STREQ(AggregationMethodName(Method::kAverage), "average");
  EXPECT_STREQ(AggregationMethodName(Method::kSum), "sum");
  EXPECT_FALSE(ParseAggregationMethod("Average").ok());
  EXPECT_FALSE(ParseAggregationMethod("").ok());
}

TEST(AggregationRulesTest, TheFirstMatchWinsAndMissingKeysAreDefaults) {
  const auto rules = AggregationRules::Parse(
      "[min]\npattern = \\.min$\nxFilesFactor = 0.1\naggregationMethod = min\n"
      "[count]\npattern = \\.count$\nXFILESFACTOR = 0\nAGGREGATIONMETHOD = sum\n"
      "[bare]\npattern = ^bare\n"
      "[late]\npattern = \\.min$\naggregationMethod = max\n",
      "storage-aggregation.conf");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->Find("a.min"), (AggregationRule{Method::kMin, 0.1}));
  EXPECT_EQ(rules->Find("a.count"), (AggregationRule{Method::kSum, 0}));
  EXPECT_EQ(rules->Find("bare.x"), (AggregationRule{Method::kAverage, 0.5}));
  EXPECT_EQ(rules->Find("other"), (AggregationRule{Method::kAverage, 0.5}));
  EXPECT_EQ(AggregationRules().Find("a.min"), AggregationRule());
}

TEST(AggregationRulesTest, ErrorsNameFileLineAndSection) {
  const auto error = [](absl::string_view text) {
    return std::string(AggregationRules::Parse(text, "a.conf").status().message());
  };
  EXPECT_EQ(error("[a]\naggregationMethod = min\n"), "a.conf:1: [a]: no pattern");
  EXPECT_EQ(error("[a]\npattern = b\naggregationMethod = mean\n"),
            "a.conf:3: [a]: unknown aggregation method \"mean\"");
  for (const char* factor : {"1.1", "-0.1", "nan", "half", ""}) {
    EXPECT_EQ(
        error(std::string("[a]\npattern = b\nxFilesFactor = ") + factor + "\n"),
        std::string("a.conf:3: [a]: xFilesFactor \"") + factor + "\" is not a number from 0 to 1");
  }
  EXPECT_THAT(error("[a]\npattern = (?<=x)y\n"), StartsWith("a.conf:2: [a]: pattern "));
}

TEST(AggregationRulesTest, LoadReadsAFile) {
  const std::string path = ::testing::TempDir() + "/aggregation_test.conf";
  std::ofstream(path) << "[sum]\nmatch-all = 1\naggregationMethod = sum\n";
  EXPECT_EQ(AggregationRules::Load(path)->Find("x").method, Method::kSum);
  EXPECT_FALSE(AggregationRules::Load(path + ".missing").ok());
}

}  // namespace
}  // namespace shoal
