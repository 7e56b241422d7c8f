#include "storage/series_limits.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

using std::chrono::seconds;

class SeriesLimitsTest : public ::testing::Test {
 protected:
  SeriesLimitsTest() { SetLogLevel("error").IgnoreError(); }
  // How many of `count` new names are taken.
  int Take(SeriesLimits* limits, const std::string& prefix, int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) {
      if (limits->Admit(absl::StrCat(prefix, next_++), now_).ok()) ++taken;
    }
    return taken;
  }
  bool HasMetric(const std::string& line) {
    return metrics_.PrometheusText().find(line + "\n") != std::string::npos;
  }

  MetricRegistry metrics_;
  SeriesLimits::TimePoint now_{seconds(1000)};
  int next_ = 0;
};

TEST_F(SeriesLimitsTest, CountsAreLimitedForTheNodeAndForPrefixes) {
  SeriesLimits limits({"", 10, 0}, {{"k8s.", 4, 0}, {"k8s.a", 100, 0}}, &metrics_);
  limits.Start(0);
  limits.AddedToPrefix("k8s.x");
  EXPECT_EQ(Take(&limits, "k8s.", 5), 3);
  EXPECT_EQ(Take(&limits, "other.", 9), 7);
  limits.Removed("k8s.x");
  EXPECT_EQ(Take(&limits, "k8s.a", 2), 1);
  EXPECT_TRUE(
      HasMetric("shoal_node_series_refused_total{prefix=\"k8s.\",reason=\"series_max\"} 2"));
  EXPECT_TRUE(HasMetric("shoal_node_series_refused_total{prefix=\"\",reason=\"series_max\"} 3"));
  EXPECT_TRUE(HasMetric("shoal_node_prefix_series{prefix=\"k8s.\"} 4"));
}

TEST_F(SeriesLimitsTest, CreationsComeAsFastAsTheRateAfterABurst) {
  SeriesLimits limits({"", 0, 0}, {{"pod.", 0, 5}}, &metrics_);
  EXPECT_EQ(Take(&limits, "pod.", 200), 5 * SeriesLimits::kBurstSec);
  EXPECT_EQ(Take(&limits, "host.", 200), 200);
  now_ += seconds(2);
  EXPECT_EQ(Take(&limits, "pod.", 200), 10);
  now_ += seconds(3600);
  EXPECT_EQ(Take(&limits, "pod.", 200), 5 * SeriesLimits::kBurstSec);
  EXPECT_TRUE(HasMetric(
      "shoal_node_series_refused_total{prefix=\"pod.\",reason=\"creations_per_sec\"} 490"));
}

TEST_F(SeriesLimitsTest, ARefusalByThePrefixCostsTheNodeNoToken) {
  SeriesLimits limits({"", 0, 1}, {{"full.", 1, 0}}, nullptr);
  EXPECT_EQ(Take(&limits, "full.", 100), 1);
  EXPECT_EQ(Take(&limits, "other.", 100), SeriesLimits::kBurstSec - 1);
}

}  // namespace
}  // namespace shoal
