#include "base/metric/series.h"

#include <gtest/gtest.h>

#include <cmath>

namespace shoal {
namespace {

constexpr double kNone = kAbsent;

Series Make(int64_t start_sec, std::vector<double> values) {
  Series series;
  series.start_sec = start_sec;
  series.step_sec = 60;
  series.values = std::move(values);
  return series;
}

void ExpectSeries(const Series& series, int64_t start_sec, const std::vector<double>& values) {
  EXPECT_EQ(series.start_sec, start_sec);
  ASSERT_EQ(series.values.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(series.values[i])) << i;
    } else {
      EXPECT_EQ(series.values[i], values[i]) << i;
    }
  }
}

// whisper's own answers: fetch(from, until) -> (start, end, step).
TEST(GridOfTest, AgreesWithWhisper) {
  FetchGrid grid = GridOf(1700000000, 1700000100, 60);
  EXPECT_EQ(grid.start_sec, 1700000040);
  EXPECT_EQ(grid.end_sec, 1700000160);
  EXPECT_EQ(grid.count(), 2);
  grid = GridOf(1700000040, 1700000100, 60);
  EXPECT_EQ(grid.start_sec, 1700000100);
  EXPECT_EQ(grid.end_sec, 1700000160);
  grid = GridOf(1700000100, 1700000100, 60);
  EXPECT_EQ(grid.start_sec, 1700000160);
  EXPECT_EQ(grid.end_sec, 1700000220);
  EXPECT_EQ(grid.count(), 1);
}

TEST(FillFromTest, FillsOnlyWhatIsAbsent) {
  Series into = Make(600, {1, kNone, 3, kNone});
  FillFrom(Make(600, {9, 2, 9, kNone}), &into);
  ExpectSeries(into, 600, {1, 2, 3, kNone});
}

TEST(FillFromTest, TheResultCoversBothGrids) {
  Series into = Make(600, {1, 2});
  FillFrom(Make(480, {7, 8}), &into);
  ExpectSeries(into, 480, {7, 8, 1, 2});
  FillFrom(Make(840, {9}), &into);
  ExpectSeries(into, 480, {7, 8, 1, 2, kNone, kNone, 9});
  FillFrom(Make(720, {5, 6}), &into);
  ExpectSeries(into, 480, {7, 8, 1, 2, 5, 6, 9});
}

TEST(FillFromTest, EmptySeriesChangeNothingOrGiveAll) {
  Series into = Make(600, {1});
  FillFrom(Make(0, {}), &into);
  ExpectSeries(into, 600, {1});
  Series empty = Make(0, {});
  FillFrom(into, &empty);
  ExpectSeries(empty, 600, {1});
}

TEST(FillFromDeathTest, StepsMustBeTheSame) {
  Series into = Make(600, {1});
  Series other = Make(600, {1});
  other.step_sec = 10;
  EXPECT_DEATH(FillFrom(other, &into), "check failed");
}

}  // namespace
}  // namespace shoal
