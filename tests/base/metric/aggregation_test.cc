#include "base/metric/aggregation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
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
  EXPECT_EQ(Aggregate(Method::kDiff, values, 0), 3 + 5 - 1 - 4);
  EXPECT_EQ(Aggregate(AggregateSpec{Method::kPercentile, 5000}, values, 0), 2);
}

TEST(AggregateTest, OneValueAloneIsItself) {
  for (const Method method :
       {Method::kAverage, Method::kSum, Method::kLast, Method::kFirst, Method::kMax, Method::kMin,
        Method::kAbsMax, Method::kAbsMin, Method::kMedian, Method::kMultiply, Method::kAvgZero}) {
    EXPECT_EQ(Aggregate(method, std::vector<double>{-7}, 1), -7) << AggregateName({method, 0});
  }
  EXPECT_EQ(Aggregate(Method::kRange, std::vector<double>{-7}, 1), 0);
  EXPECT_EQ(Aggregate(Method::kStddev, std::vector<double>{-7}, 1), 0);
  EXPECT_EQ(Aggregate(Method::kMedian, std::vector<double>{9, 1, 5}, 1), 5);
}

TEST(AggregateTest, NothingKnownIsAbsentForEveryMethod) {
  for (int code = 1; code < 256; ++code) {
    if (!IsKnownColumn(static_cast<uint8_t>(code), 0)) continue;
    const auto method = static_cast<Method>(code);
    EXPECT_TRUE(std::isnan(Aggregate(method, std::vector<double>{kNone, kNone}, 0)));
    EXPECT_TRUE(std::isnan(Aggregate(method, {}, 0)));
  }
}

// k = p (n - 1) / 100; between two values, by the share of k behind the point.
TEST(AggregateTest, PercentilesAreLinearBetweenNeighbours) {
  const std::vector<double> values = {50, 10, 40, kNone, 20, 30};
  const auto percentile = [&](uint16_t hundredths) {
    return Aggregate(AggregateSpec{Method::kPercentile, hundredths}, values, 0);
  };
  EXPECT_EQ(percentile(0), 10);
  EXPECT_EQ(percentile(2500), 20);
  EXPECT_EQ(percentile(5000), 30);
  EXPECT_DOUBLE_EQ(percentile(9500), 48);
  EXPECT_DOUBLE_EQ(percentile(9990), 49.96);
  EXPECT_EQ(percentile(10000), 50);
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

TEST(AggregateNameTest, NamesAndCodesRoundTrip) {
  int known = 0;
  for (int code = 0; code < 256; ++code) {
    if (!IsKnownAggregate(static_cast<uint8_t>(code), 0)) continue;
    ++known;
    const AggregateSpec spec{static_cast<Method>(code), 0};
    EXPECT_EQ(*ParseAggregate(AggregateName(spec)), spec);
  }
  EXPECT_EQ(known, 16);
  EXPECT_EQ(*ParseAggregate("avg"), AggregateSpec{Method::kAverage});
  EXPECT_EQ(*ParseAggregate("total"), AggregateSpec{Method::kSum});
  EXPECT_EQ(AggregateName({Method::kAverage, 0}), "average");
  EXPECT_EQ(AggregateName({Method::kSum, 0}), "sum");
  EXPECT_FALSE(ParseAggregate("Average").ok());
  EXPECT_FALSE(ParseAggregate("squares").ok());
  EXPECT_FALSE(ParseAggregate("").ok());
}

TEST(AggregateNameTest, PercentilesHaveUpToTwoDecimals) {
  const auto hundredths = [](absl::string_view name) {
    const auto spec = ParseAggregate(name);
    return spec.ok() && spec->method == Method::kPercentile ? int{spec->percentile} : -1;
  };
  EXPECT_EQ(hundredths("p50"), 5000);
  EXPECT_EQ(hundredths("p5"), 500);
  EXPECT_EQ(hundredths("p0"), 0);
  EXPECT_EQ(hundredths("p100"), 10000);
  EXPECT_EQ(hundredths("p99.9"), 9990);
  EXPECT_EQ(hundredths("p999"), 9990);
  EXPECT_EQ(hundredths("p99.99"), 9999);
  EXPECT_EQ(hundredths("p9999"), 9999);
  for (const char* bad : {"p", "p.5", "p-1", "p101.0", "p99.999", "p99999", "p5x", "p1.2.3", "p+5"})
    EXPECT_EQ(hundredths(bad), -1) << bad;
  for (const char* name : {"p50", "p99.9", "p99.99", "p0", "p100", "p0.05"})
    EXPECT_EQ(AggregateName(*ParseAggregate(name)), name);
  EXPECT_FALSE(IsKnownAggregate(static_cast<uint8_t>(Method::kPercentile), 10001));
  EXPECT_FALSE(IsKnownAggregate(static_cast<uint8_t>(Method::kMax), 1));
}

TEST(AggregationRulesTest, FurtherAggregatesAndWhisper) {
  const auto rules = AggregationRules::Parse(
      "[a]\npattern = ^a\naggregationMethod = p99\naggregates = min, max,min, p99,p50\n"
      "[w]\npattern = ^w\naggregationMethod = sum\nwhisper = true\n",
      "a.conf");
  ASSERT_TRUE(rules.ok()) << rules.status();
  const AggregationRule rule = rules->Find("a");
  EXPECT_EQ(rule.aggregate(), (AggregateSpec{Method::kPercentile, 9900}));
  EXPECT_EQ(rule.also, (std::vector<AggregateSpec>{
                           {Method::kMin, 0}, {Method::kMax, 0}, {Method::kPercentile, 5000}}));
  EXPECT_FALSE(rule.whisper);
  EXPECT_TRUE(rules->Find("w").whisper);

  const auto error = [](absl::string_view text) {
    return std::string(AggregationRules::Parse(absl::StrCat("[a]\npattern = b\n", text), "a.conf")
                           .status()
                           .message());
  };
  EXPECT_EQ(error("aggregates = min, mean\n"),
            "a.conf:3: [a]: unknown aggregation method \"mean\"");
  EXPECT_EQ(error("whisper = maybe\n"), "a.conf:3: [a]: whisper \"maybe\" is not true or false");
  EXPECT_EQ(error("whisper = true\naggregates = max\n"),
            "a.conf:3: [a]: whisper keeps one aggregate: leave out aggregates");
  EXPECT_EQ(error("aggregates = min, max, last, first, absmax, absmin, median, multiply, avg_zero, "
                  "stddev, p50, p90, p95, p99, p99.9\n"),
            "a.conf:1: [a]: the aggregates take 17 columns, more than 15");
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
