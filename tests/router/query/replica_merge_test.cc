#include "router/query/replica_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace shoal {
namespace {

ReplicaSeries Copy(const std::string& name, int64_t start_sec, std::vector<double> values,
                   int distrust, int64_t step_sec = 10) {
  ReplicaSeries copy;
  copy.series.name = name;
  copy.series.start_sec = start_sec;
  copy.series.step_sec = step_sec;
  copy.series.values = std::move(values);
  copy.distrust = distrust;
  return copy;
}

TEST(MergeReplicas, TheMoreTrustedCopyWinsWhereBothHaveAValue) {
  MergeCounts counts;
  const std::vector<Series> merged =
      MergeReplicas({Copy("a", 0, {9, 9, 9}, 2), Copy("a", 0, {1, kAbsent, 3}, 0)}, &counts);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_THAT(merged[0].values, testing::ElementsAre(1, 9, 3));
  EXPECT_EQ(counts.merged, 1u);
}

TEST(MergeReplicas, GridsOfDifferentLengthAreCoveredBoth) {
  MergeCounts counts;
  const std::vector<Series> merged =
      MergeReplicas({Copy("a", 20, {2, 3}, 0), Copy("a", 10, {1}, 0)}, &counts);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].start_sec, 10);
  EXPECT_THAT(merged[0].values, testing::ElementsAre(1, 2, 3));
}

TEST(MergeReplicas, NamesComeOnceAndSortedByBytes) {
  MergeCounts counts;
  const std::vector<Series> merged = MergeReplicas(
      {Copy("b", 0, {1}, 0), Copy("B", 0, {1}, 0), Copy("a", 0, {1}, 0), Copy("b", 0, {1}, 0)},
      &counts);
  ASSERT_EQ(merged.size(), 3u);
  EXPECT_EQ(merged[0].name, "B");
  EXPECT_EQ(merged[1].name, "a");
  EXPECT_EQ(merged[2].name, "b");
}

TEST(MergeReplicas, AnotherStepOrPhaseIsLeftOutAndCounted) {
  MergeCounts counts;
  const std::vector<Series> merged = MergeReplicas(
      {Copy("a", 0, {1, kAbsent}, 0), Copy("a", 0, {7}, 1, 60), Copy("a", 5, {8, 8}, 1)}, &counts);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].values[0], 1);
  EXPECT_TRUE(std::isnan(merged[0].values[1]));
  EXPECT_EQ(counts.step_mismatch, 2u);
}

TEST(MergeReplicas, AnEmptyCopyGivesWayToOneWithValues) {
  MergeCounts counts;
  const std::vector<Series> merged =
      MergeReplicas({Copy("a", 0, {}, 0), Copy("a", 30, {4}, 1, 60)}, &counts);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(merged[0].step_sec, 60);
  EXPECT_THAT(merged[0].values, testing::ElementsAre(4));
}

}  // namespace
}  // namespace shoal
