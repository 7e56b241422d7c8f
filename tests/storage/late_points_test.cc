// Points that come when the finer archive does not keep their step any more: merged into what the
// coarser ones hold, flushed or not.
#include "storage/late_points.h"

#include <cmath>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using Method = AggregationMethod;

// All methods that merge, in one series.
constexpr char kRule[] =
    "[all]\npattern = .*\nxFilesFactor = 0\naggregationMethod = average\n"
    "aggregates = sum, count, min, max, range, absmin, absmax, first, last, avg_zero, stddev, "
    "diff, "
    "multiply\n";

class LatePointsTest : public ::testing::Test {
 protected:
  void Open(const std::string& rule) {
    harness_.aggregations_text = rule;
    ASSERT_TRUE(harness_.Open().ok());
    rule_ = AggregationRules::Parse(rule, "test")->Find("late");
    // The schema is 10s:1h,60s:6h,600s:7d. Something to roll up, so that the marks stand at now.
    now_ = harness_.clock.NowSec();
    Write({{now_ - 10, 1}});
    ASSERT_TRUE(harness_.engine->Flush().ok());
  }

  void Write(const std::vector<Point>& points) {
    std::vector<std::pair<std::string, Point>> named;
    for (const Point& point : points) named.emplace_back("late", point);
    ASSERT_TRUE(harness_.Write(named).ok());
    for (const Point& point : points) all_[point.timestamp_sec] = point.value;
  }

  // Every step of the archive in [from, until) must show what all points in it give.
  void Check(int64_t from_sec, int64_t until_sec, int64_t step, const std::string& when) {
    std::vector<AggregateSpec> specs = rule_.also;
    specs.push_back(rule_.aggregate());
    for (const AggregateSpec& spec : specs) {
      Series series;
      const FetchRange range{from_sec - 1, until_sec - 1, now_, spec};
      ASSERT_TRUE(harness_.engine->Read(harness_.Find("late"), range, &series).ok());
      ASSERT_EQ(series.step_sec, step);
      for (size_t i = 0; i < series.values.size(); ++i) {
        const int64_t start = series.start_sec + static_cast<int64_t>(i) * step;
        if (start < from_sec || start + step > until_sec) continue;
        std::vector<double> fine(static_cast<size_t>(step / 10), kAbsent);
        for (size_t k = 0; k < fine.size(); ++k) {
          const auto it = all_.find(start + static_cast<int64_t>(k) * 10);
          if (it != all_.end()) fine[k] = it->second;
        }
        const double want = Aggregate(spec, fine, 0);
        if (std::isnan(want)) {
          ASSERT_TRUE(std::isnan(series.values[i])) << AggregateName(spec) << " " << when;
        } else {
          ASSERT_NEAR(series.values[i], want, 1e-9 * std::max(1.0, std::abs(want)))
              << AggregateName(spec) << " step " << step << " at now-" << now_ - start << " "
              << when;
        }
      }
    }
  }

  EngineHarness harness_;
  AggregationRule rule_;
  int64_t now_ = 0;
  EngineHarness::Points all_;
};

TEST_F(LatePointsTest, BackfillOfManyRoundsMergesExactly) {
  ASSERT_NO_FATAL_FAILURE(Open(kRule));
  std::mt19937_64 random(3);
  // Older than all that the finest ring holds: 1 h and two stripes of 5120 s.
  const int64_t begin = now_ / 600 * 600 - 20'400;
  const int64_t end = begin + 5400;
  std::vector<Point> chunk;
  for (int round = 0; round < 3; ++round) {
    // Every third step of 10 s in each round, so that all rounds meet in the same coarse steps.
    // Forward in time within a step of 60 s: first and last are those that came first and last.
    chunk.clear();
    for (int64_t t = begin; t < end; t += 60) {
      for (int64_t k = 2 * round; k < 2 * round + 2; ++k) {
        if (random() % 3 != 0)
          chunk.push_back({t + 10 * k, static_cast<double>(random() % 9) - 4 + (k == 0 ? 0.5 : 0)});
      }
    }
    ASSERT_NO_FATAL_FAILURE(Write(chunk));
    const std::string when = absl::StrCat("round ", round);
    ASSERT_NO_FATAL_FAILURE(Check(begin, end, 60, when + " pending"));
    ASSERT_TRUE(harness_.engine->Flush().ok());
    ASSERT_NO_FATAL_FAILURE(Check(begin, end, 60, when + " flushed"));
  }
  ASSERT_TRUE(harness_.Open().ok());
  ASSERT_NO_FATAL_FAILURE(Check(begin, end, 60, "after a restart"));
}

TEST_F(LatePointsTest, TheNextArchiveFollowsABackfilledOne) {
  ASSERT_NO_FATAL_FAILURE(Open(kRule));
  const int64_t begin = now_ / 600 * 600 - 20'400;
  std::vector<Point> points;
  for (int64_t t = begin; t < begin + 3000; t += 30) points.push_back({t, double(t % 7) - 3});
  ASSERT_NO_FATAL_FAILURE(Write(points));
  ASSERT_TRUE(harness_.engine->Flush().ok());
  // Asked from two days ago, the third archive answers.
  for (const AggregateSpec& spec : rule_.also) {
    Series series;
    ASSERT_TRUE(
        harness_.engine->Read(harness_.Find("late"), {now_ - 2 * 86400, now_, now_, spec}, &series)
            .ok());
    ASSERT_EQ(series.step_sec, 600);
    std::vector<double> fine(60, kAbsent);
    for (size_t k = 0; k < 60; k += 3)
      fine[k] = double((begin + static_cast<int64_t>(k) * 10) % 7) - 3;
    const size_t i = static_cast<size_t>((begin - series.start_sec) / 600);
    const double want = Aggregate(spec, fine, 0);
    EXPECT_NEAR(series.values[i], want, 1e-9 * std::max(1.0, std::abs(want)))
        << AggregateName(spec);
  }
}

TEST_F(LatePointsTest, WhatTheFinestRingStillHoldsCountsOnceHoweverOftenItComes) {
  ASSERT_NO_FATAL_FAILURE(Open(kRule));
  // Behind the finest archive's hour, within its ring.
  const int64_t begin = now_ / 600 * 600 - 6000;
  std::vector<Point> points;
  for (int64_t t = begin; t < begin + 1200; t += 20) points.push_back({t, double(t % 11) - 5});
  for (const char* when : {"once", "twice", "three times"}) {
    ASSERT_NO_FATAL_FAILURE(Write(points));
    ASSERT_NO_FATAL_FAILURE(Check(begin, begin + 1200, 60, absl::StrCat(when, " pending")));
    ASSERT_TRUE(harness_.engine->Flush().ok());
    ASSERT_NO_FATAL_FAILURE(Check(begin, begin + 1200, 60, absl::StrCat(when, " flushed")));
  }
}

TEST_F(LatePointsTest, PercentilesOfOldStepsAreThoseOfTheNewPoints) {
  ASSERT_NO_FATAL_FAILURE(Open("[all]\npattern = .*\nxFilesFactor = 0\naggregationMethod = p50\n"));
  const int64_t at = now_ / 600 * 600 - 20'400;
  ASSERT_NO_FATAL_FAILURE(Write({{at, 1}, {at + 10, 2}, {at + 20, 9}}));
  ASSERT_TRUE(harness_.engine->Flush().ok());
  ASSERT_NO_FATAL_FAILURE(Check(at, at + 60, 60, "at first"));
  ASSERT_NO_FATAL_FAILURE(Write({{at + 30, 50}}));
  ASSERT_TRUE(harness_.engine->Flush().ok());
  const EngineHarness::Points found = harness_.Read("late", at - 1, at + 59);
  EXPECT_EQ(found.at(at), 50);
}

}  // namespace
}  // namespace shoal
