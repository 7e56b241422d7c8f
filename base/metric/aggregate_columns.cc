#include "base/metric/aggregate_columns.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/metric/series.h"

namespace shoal {
namespace {

using Method = AggregationMethod;

// The columns that an aggregate is made of.
std::vector<Method> PartsOf(Method method) {
  switch (method) {
    case Method::kAverage:
      return {Method::kSum, Method::kCount};
    case Method::kRange:
      return {Method::kMax, Method::kMin};
    case Method::kStddev:
      return {Method::kSum, Method::kCount, Method::kSquares};
    case Method::kDiff:
      return {Method::kFirst, Method::kSum};
    default:
      return {method};
  }
}

}  // namespace

AggregateColumns::AggregateColumns(const AggregationRule& rule) {
  Need(rule.aggregate(), rule.whisper);
  for (const AggregateSpec& spec : rule.also) Need(spec, rule.whisper);
  SHOAL_CHECK(FormulaFor(rule.aggregate(), &formula_));
}

void AggregateColumns::Need(AggregateSpec spec, bool bare) {
  const std::vector<Method> parts = bare ? std::vector<Method>{spec.method} : PartsOf(spec.method);
  for (const Method part : parts) {
    const AggregateSpec column{part, spec.percentile};
    if (Find(column) < 0) specs_.push_back(column);
  }
}

int AggregateColumns::Find(AggregateSpec spec) const {
  const auto it = std::find(specs_.begin(), specs_.end(), spec);
  return it == specs_.end() ? -1 : static_cast<int>(it - specs_.begin());
}

bool AggregateColumns::FormulaFor(AggregateSpec spec, ColumnFormula* formula) const {
  std::vector<Method> parts = PartsOf(spec.method);
  ColumnFormula::Kind kind = ColumnFormula::Kind::kColumn;
  if (Find(spec) >= 0) {
    parts = {spec.method};
  } else if (spec.method == Method::kAverage) {
    kind = ColumnFormula::Kind::kAverage;
  } else if (spec.method == Method::kRange) {
    kind = ColumnFormula::Kind::kRange;
  } else if (spec.method == Method::kStddev) {
    kind = ColumnFormula::Kind::kStddev;
  } else if (spec.method == Method::kDiff) {
    kind = ColumnFormula::Kind::kDiff;
  }
  uint8_t at[3] = {0, 0, 0};
  for (size_t i = 0; i < parts.size(); ++i) {
    const int column = Find({parts[i], spec.percentile});
    if (column < 0) return false;
    at[i] = static_cast<uint8_t>(column);
  }
  *formula = {kind, at[0], at[1], at[2]};
  return true;
}

double FinishStep(const ColumnFormula& formula, const double* cells, size_t stride, size_t i) {
  if (std::isnan(cells[i])) return kAbsent;
  const double a = cells[formula.a * stride + i];
  switch (formula.kind) {
    case ColumnFormula::Kind::kColumn:
      return a;
    case ColumnFormula::Kind::kAverage:
      return a / cells[formula.b * stride + i];
    case ColumnFormula::Kind::kRange:
      return a - cells[formula.b * stride + i];
    case ColumnFormula::Kind::kStddev:
      return std::sqrt(cells[formula.c * stride + i] / cells[formula.b * stride + i]);
    case ColumnFormula::Kind::kDiff:
      return a - (cells[formula.b * stride + i] - a);
  }
  return kAbsent;
}

}  // namespace shoal
