// What a coarser archive keeps of each step, so that the aggregates of a rule can be answered and
// rolled up further: one or more columns of doubles on a shared set of known steps.
//
// An average is kept as sum and count, a range as max and min, a standard deviation as sum, count
// and squared deviations, a difference as first and sum: so they stay exact from archive to
// archive. Medians and percentiles are kept as they are. A rule with `whisper` keeps the bare
// value.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/metric/aggregation.h"

namespace shoal {

// How a query's value is made of the columns of a step.
struct ColumnFormula {
  enum class Kind : uint8_t { kColumn, kAverage, kRange, kStddev, kDiff };
  Kind kind = Kind::kColumn;
  uint8_t a = 0;  // the column itself; sum; max; sum; first
  uint8_t b = 0;  // count; min; count; sum
  uint8_t c = 0;  // squares
};

// Immutable, thread safe.
class AggregateColumns {
 public:
  static constexpr size_t kColumnsMax = 15;  // what a page may have

  explicit AggregateColumns(const AggregationRule& rule);

  // The first column is NaN exactly when the step is absent.
  const std::vector<AggregateSpec>& specs() const { return specs_; }
  size_t size() const { return specs_.size(); }
  // The position of a column; -1 when it is not kept.
  int Find(AggregateSpec spec) const;

  // The formula for an aggregate; false when the columns do not have it.
  bool FormulaFor(AggregateSpec spec, ColumnFormula* formula) const;
  // The rule's own.
  const ColumnFormula& formula() const { return formula_; }

 private:
  void Need(AggregateSpec spec, bool bare);

  std::vector<AggregateSpec> specs_;
  ColumnFormula formula_;
};

// The value of step `i`; column c of it is cells[c * stride + i].
double FinishStep(const ColumnFormula& formula, const double* cells, size_t stride, size_t i);

}  // namespace shoal
