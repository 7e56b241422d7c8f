#include "storage/ring/rollup.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/metric/series.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

using Method = AggregationMethod;

AggregationRule Rule(AggregateSpec spec, double x_files_factor, bool whisper = false) {
  AggregationRule rule{spec.method, x_files_factor};
  rule.percentile = spec.percentile;
  rule.whisper = whisper;
  return rule;
}
AggregationRule Rule(Method method, double x_files_factor, bool whisper = false) {
  return Rule(AggregateSpec{method, 0}, x_files_factor, whisper);
}

std::vector<double> Fine(const AggregationRule& rule, size_t per_step,
                         const std::vector<double>& fine) {
  const AggregateColumns columns(rule);
  std::vector<double> cells(columns.size() * fine.size() / per_step);
  RollUpFine(columns, rule.x_files_factor, per_step, fine, absl::MakeSpan(cells));
  return cells;
}

std::vector<double> Coarse(const AggregationRule& rule, size_t per_step,
                           const std::vector<double>& finer) {
  const AggregateColumns columns(rule);
  std::vector<double> cells(finer.size() / per_step);
  RollUpCoarse(columns, rule.x_files_factor, per_step, finer, absl::MakeSpan(cells));
  return cells;
}

double Shown(const AggregationRule& rule, const std::vector<double>& cells, size_t step) {
  const AggregateColumns columns(rule);
  return FinishStep(columns.formula(), cells.data(), cells.size() / columns.size(), step);
}

TEST(Rollup, AverageKeepsSumAndCount) {
  const AggregationRule rule = Rule(Method::kAverage, 0.5);
  const std::vector<double> cells = Fine(rule, 4, {1, 2, kAbsent, 6, 5, 5, 5, 5});
  EXPECT_EQ(cells, (std::vector<double>{9, 20, 3, 4}));
  EXPECT_EQ(Shown(rule, cells, 0), 3);
  EXPECT_EQ(Shown(rule, cells, 1), 5);
}

TEST(Rollup, XFilesFactorCountsKnownSlots) {
  const std::vector<double> half = {1, kAbsent, 3, kAbsent};
  EXPECT_EQ(Fine(Rule(Method::kMax, 0.5), 4, half), std::vector<double>{3});
  EXPECT_TRUE(std::isnan(Fine(Rule(Method::kMax, 0.6), 4, half)[0]));
  for (const double cell : Fine(Rule(Method::kAverage, 0.6), 4, half))
    EXPECT_TRUE(std::isnan(cell));
  EXPECT_TRUE(std::isnan(Fine(Rule(Method::kSum, 0), 2, {kAbsent, kAbsent})[0]));
}

TEST(Rollup, CountsTheKnownSteps) {
  const AggregationRule rule = Rule(Method::kSum, 0);
  std::vector<double> cells(3);
  EXPECT_EQ(RollUpFine(AggregateColumns(rule), 0, 2, {1, kAbsent, kAbsent, kAbsent, 2, 3},
                       absl::MakeSpan(cells)),
            2u);
  cells.resize(1);
  EXPECT_EQ(RollUpCoarse(AggregateColumns(rule), 0, 2, {kAbsent, kAbsent}, absl::MakeSpan(cells)),
            0u);
}

TEST(Rollup, XFilesFactorOfCoarseCountsStepsNotPoints) {
  const std::vector<double> finer = {10, kAbsent, kAbsent, kAbsent, 4, kAbsent, kAbsent, kAbsent};
  EXPECT_TRUE(std::isnan(Coarse(Rule(Method::kAverage, 0.5), 4, finer)[0]));
  EXPECT_EQ(Coarse(Rule(Method::kAverage, 0.25), 4, finer), (std::vector<double>{10, 4}));
}

TEST(Rollup, WhisperKeepsTheBareAverage) {
  // One step has a single known value, the next one three.
  const std::vector<double> fine = {10, kAbsent, kAbsent, 1, 1, 1};
  const AggregationRule whisper = Rule(Method::kAverage, 0, true);
  EXPECT_EQ(Fine(whisper, 3, fine), (std::vector<double>{10, 1}));
  EXPECT_EQ(Shown(whisper, Coarse(whisper, 2, Fine(whisper, 3, fine)), 0), 5.5);
  const AggregationRule exact = Rule(Method::kAverage, 0);
  EXPECT_EQ(Shown(exact, Coarse(exact, 2, Fine(exact, 3, fine)), 0), 13.0 / 4);
}

TEST(Rollup, MediansAndPercentilesAreThoseOfTheFinerOnes) {
  const std::vector<double> fine = {1, 2, 9, 4, 4, 5};
  for (const AggregateSpec spec :
       {AggregateSpec{Method::kMedian, 0}, {Method::kPercentile, 5000}}) {
    const AggregationRule rule = Rule(spec, 0);
    EXPECT_EQ(Fine(rule, 3, fine), (std::vector<double>{2, 4}));
    EXPECT_EQ(Coarse(rule, 2, Fine(rule, 3, fine)), std::vector<double>{3});
  }
}

// Through two archives, with gaps, every mergeable method gives what all points at once give.
TEST(Rollup, StaysExactFromArchiveToArchive) {
  std::mt19937_64 random(7);
  AggregationRule rule = Rule(Method::kAverage, 0);
  for (const Method method : {Method::kSum, Method::kLast, Method::kMax, Method::kMin,
                              Method::kAvgZero, Method::kAbsMax, Method::kAbsMin, Method::kFirst,
                              Method::kCount, Method::kRange, Method::kStddev, Method::kDiff}) {
    rule.also.push_back({method, 0});
  }
  const AggregateColumns columns(rule);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> fine(60);
    for (double& value : fine)
      value = random() % 3 == 0 ? kAbsent : static_cast<double>(random() % 2001) - 1000;
    const std::vector<double> cells = Coarse(rule, 5, Fine(rule, 6, fine));
    for (const AggregateSpec& spec : rule.also) {
      ColumnFormula formula;
      ASSERT_TRUE(columns.FormulaFor(spec, &formula));
      for (size_t step = 0; step < 2; ++step) {
        const double want = Aggregate(spec, absl::MakeConstSpan(fine).subspan(step * 30, 30), 0);
        EXPECT_NEAR(FinishStep(formula, cells.data(), 2, step), want, 1e-9)
            << AggregateName(spec) << " round " << round;
      }
    }
    EXPECT_NEAR(Shown(rule, cells, 0),
                Aggregate(Method::kAverage, absl::MakeConstSpan(fine).first(30), 0), 1e-9);
  }
}

TEST(Rollup, ColumnsAreSharedBetweenAggregates) {
  AggregationRule rule = Rule(Method::kAverage, 0.5);
  rule.also = {{Method::kSum, 0}, {Method::kCount, 0}, {Method::kMax, 0}, {Method::kRange, 0}};
  const AggregateColumns columns(rule);
  EXPECT_EQ(columns.specs(),
            (std::vector<AggregateSpec>{
                {Method::kSum, 0}, {Method::kCount, 0}, {Method::kMax, 0}, {Method::kMin, 0}}));
  ColumnFormula formula;
  EXPECT_TRUE(columns.FormulaFor({Method::kMin, 0}, &formula));
  EXPECT_FALSE(columns.FormulaFor({Method::kLast, 0}, &formula));
  EXPECT_FALSE(columns.FormulaFor({Method::kPercentile, 9900}, &formula));
}

}  // namespace
}  // namespace shoal
