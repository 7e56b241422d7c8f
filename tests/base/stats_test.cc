#include "base/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace shoal {
namespace {

using ::testing::HasSubstr;

TEST(StatsTest, PrintsPrometheusTextGroupedByName) {
  MetricRegistry registry;
  registry.AddCounter("shoal_points_total", "Points.", {{"reason", "bad"}})->Add(3);
  registry.AddGauge("shoal_depth", "Depth.")->Set(-2);
  registry.AddCounter("shoal_points_total", "Points.", {{"reason", "late"}})->Add();
  EXPECT_EQ(registry.PrometheusText(),
            "# HELP shoal_points_total Points.\n"
            "# TYPE shoal_points_total counter\n"
            "shoal_points_total{reason=\"bad\"} 3\n"
            "shoal_points_total{reason=\"late\"} 1\n"
            "# HELP shoal_depth Depth.\n"
            "# TYPE shoal_depth gauge\n"
            "shoal_depth -2\n");
}

TEST(StatsTest, TheSameNameAndLabelsGiveTheSameMetric) {
  MetricRegistry registry;
  Counter* first = registry.AddCounter("a", "A.", {{"k", "v"}});
  EXPECT_EQ(registry.AddCounter("a", "A.", {{"k", "v"}}), first);
  EXPECT_NE(registry.AddCounter("a", "A.", {{"k", "w"}}), first);
  EXPECT_EQ(registry.AddGauge("g", "G."), registry.AddGauge("g", "G."));
  EXPECT_EQ(registry.AddHistogram("h", "H.", {1}), registry.AddHistogram("h", "H.", {1}));
}

TEST(StatsTest, EscapesLabelsAndHelp) {
  MetricRegistry registry;
  registry.AddCounter("a", "line\nand \\ and \"", {{"k", "quote\" slash\\ line\n"}});
  EXPECT_EQ(registry.PrometheusText(),
            "# HELP a line\\nand \\\\ and \"\n"
            "# TYPE a counter\n"
            "a{k=\"quote\\\" slash\\\\ line\\n\"} 0\n");
}

TEST(StatsTest, HistogramBucketsAreCumulativeAndBoundsBelongToTheirBucket) {
  MetricRegistry registry;
  Histogram* histogram = registry.AddHistogram("lat", "L.", {0.1, 1}, {{"op", "read"}});
  histogram->Observe(0.1);
  histogram->Observe(0.5);
  histogram->Observe(7);
  EXPECT_EQ(histogram->Count(), 3u);
  EXPECT_EQ(registry.PrometheusText(),
            "# HELP lat L.\n"
            "# TYPE lat histogram\n"
            "lat_bucket{op=\"read\",le=\"0.1\"} 1\n"
            "lat_bucket{op=\"read\",le=\"1\"} 2\n"
            "lat_bucket{op=\"read\",le=\"+Inf\"} 3\n"
            "lat_sum{op=\"read\"} 7.6\n"
            "lat_count{op=\"read\"} 3\n");
}

TEST(StatsTest, CallbackGaugesAreReadWhenPrinted) {
  MetricRegistry registry;
  double value = 0.25;
  registry.AddCallbackGauge("g", "G.", {}, [&value] { return value; });
  EXPECT_THAT(registry.PrometheusText(), HasSubstr("\ng 0.25\n"));
  value = std::numeric_limits<double>::infinity();
  EXPECT_THAT(registry.PrometheusText(), HasSubstr("\ng +Inf\n"));
  value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(registry.PrometheusText(), HasSubstr("\ng NaN\n"));
}

TEST(StatsTest, CountsFromManyThreadsAddUp) {
  MetricRegistry registry;
  Counter* counter = registry.AddCounter("c", "C.");
  Histogram* histogram = registry.AddHistogram("h", "H.", MetricRegistry::LatencyBounds());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter->Add();
        histogram->Observe(i * 0.001);
        if (i % 100 == 0) registry.PrometheusText();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter->Value(), 4000u);
  EXPECT_EQ(histogram->Count(), 4000u);
}

TEST(StatsDeathTest, OneNameCannotBeTwoTypes) {
  MetricRegistry registry;
  registry.AddCounter("a", "A.");
  EXPECT_DEATH(registry.AddGauge("a", "A."), "check failed");
}

}  // namespace
}  // namespace shoal
