#include "storage/ring/rollup.h"

#include <cmath>

#include "base/metric/series.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

AggregationRule Rule(AggregationMethod method, double x_files_factor) {
  return {method, x_files_factor};
}

TEST(Rollup, AverageKeepsSumAndCount) {
  const auto coarse = RollUpFine(Rule(AggregationMethod::kAverage, 0.5), 10, 40, 400,
                                 {1, 2, kAbsent, 6, 5, 5, 5, 5});
  ASSERT_EQ(coarse.size(), 2u);
  EXPECT_EQ(coarse[0].timestamp_sec, 400);
  EXPECT_EQ(coarse[0].value, 9);
  EXPECT_EQ(coarse[0].count, 3);
  EXPECT_EQ(FinishCoarse(AggregationMethod::kAverage, coarse[0]), 3);
  EXPECT_EQ(coarse[1].timestamp_sec, 440);
  EXPECT_EQ(FinishCoarse(AggregationMethod::kAverage, coarse[1]), 5);
}

TEST(Rollup, XFilesFactorCountsKnownSlots) {
  const std::vector<double> half = {1, kAbsent, 3, kAbsent};
  EXPECT_EQ(RollUpFine(Rule(AggregationMethod::kAverage, 0.5), 10, 40, 0, half)[0].count, 2);
  EXPECT_EQ(RollUpFine(Rule(AggregationMethod::kAverage, 0.6), 10, 40, 0, half)[0].count, 0);
  EXPECT_EQ(RollUpFine(Rule(AggregationMethod::kMax, 0.6), 10, 40, 0, half)[0].count, 0);
  EXPECT_EQ(RollUpFine(Rule(AggregationMethod::kMax, 0.5), 10, 40, 0, half)[0].value, 3);
  const std::vector<double> none(4, kAbsent);
  EXPECT_EQ(RollUpFine(Rule(AggregationMethod::kAverage, 0), 10, 40, 0, none)[0].count, 0);
  EXPECT_TRUE(std::isnan(FinishCoarse(AggregationMethod::kSum, CoarsePoint{0, 5, 0})));
}

TEST(Rollup, AveragesOfAveragesAreExact) {
  // One step has a single known value, the next one three: a mean of means would say 5.5.
  const std::vector<CoarsePoint> fine = {{0, 10, 1}, {40, 3, 3}};
  const auto coarse = RollUpCoarse(Rule(AggregationMethod::kAverage, 0.5), 40, 80, 0, fine);
  ASSERT_EQ(coarse.size(), 1u);
  EXPECT_EQ(FinishCoarse(AggregationMethod::kAverage, coarse[0]), 13.0 / 4);
}

TEST(Rollup, XFilesFactorOfCoarseCountsSlotsNotPoints) {
  const std::vector<CoarsePoint> fine = {{0, 10, 4}, {40, 0, 0}, {80, 0, 0}, {120, 0, 0}};
  EXPECT_EQ(RollUpCoarse(Rule(AggregationMethod::kAverage, 0.5), 40, 160, 0, fine)[0].count, 0);
  EXPECT_EQ(RollUpCoarse(Rule(AggregationMethod::kAverage, 0.25), 40, 160, 0, fine)[0].count, 4);
}

TEST(Rollup, CountsOfCountsAddUp) {
  const auto fine =
      RollUpFine(Rule(AggregationMethod::kCount, 0), 10, 40, 0, {1, 1, 1, 1, 1, kAbsent, 1, 1});
  const auto coarse = RollUpCoarse(Rule(AggregationMethod::kCount, 0), 40, 80, 0, fine);
  ASSERT_EQ(coarse.size(), 1u);
  EXPECT_EQ(FinishCoarse(AggregationMethod::kCount, coarse[0]), 7);
}

TEST(Rollup, SumAndLastOverCoarse) {
  const std::vector<CoarsePoint> fine = {{0, 10, 1}, {40, 20, 1}, {80, 0, 0}, {120, 7, 1}};
  EXPECT_EQ(RollUpCoarse(Rule(AggregationMethod::kSum, 0), 40, 160, 0, fine)[0].value, 37);
  EXPECT_EQ(RollUpCoarse(Rule(AggregationMethod::kLast, 0), 40, 160, 0, fine)[0].value, 7);
  EXPECT_EQ(RollUpCoarse(Rule(AggregationMethod::kMin, 0), 40, 160, 0, fine)[0].value, 7);
}

}  // namespace
}  // namespace shoal
