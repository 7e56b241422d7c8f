// Graphite's aggregation functions: one value from a row of values, NaN = absent.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

enum class AggFunc {
  kAverage,
  kAvgZero,
  kMedian,
  kSum,
  kMin,
  kMax,
  kDiff,
  kStddev,
  kCount,
  kRange,
  kMultiply,
  kLast,
};

// "average", "avg", "sum", "total", "rangeOf", "current", ...; nullopt for anything else.
std::optional<AggFunc> ParseAggFunc(absl::string_view name);
// Every name that ParseAggFunc takes, sorted.
const std::vector<std::string>& AggFuncNames();

// Absent values are left out, except that kAvgZero takes them for 0 and kMultiply is absent when
// any is. kCount of nothing is 0, everything else of nothing is absent.
double ApplyAggFunc(AggFunc func, absl::Span<const double> values);

// Whether enough of `total` values are there: never when none is, whatever the factor.
inline bool EnoughKnown(size_t known, double total, double x_files_factor) {
  return known > 0 && total > 0 && static_cast<double>(known) / total >= x_files_factor;
}

// How a series shrinks to a coarser step.
enum class Consolidation { kAverage, kAvgZero, kSum, kMin, kMax, kFirst, kLast };
std::optional<Consolidation> ParseConsolidation(absl::string_view name);  // also "avg"
const std::vector<std::string>& ConsolidationNames();

// One value for every `per_point` values, the last one possibly from fewer; absent unless known /
// per_point reaches `x_files_factor`.
std::vector<double> Consolidate(absl::Span<const double> values, int64_t per_point,
                                Consolidation func, double x_files_factor);

}  // namespace shoal
