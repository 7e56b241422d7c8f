#include "router/query/aggregate_func.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/metric/series.h"

namespace shoal {
namespace {

constexpr std::pair<absl::string_view, AggFunc> kAggFuncs[] = {
    {"average", AggFunc::kAverage},   {"avg", AggFunc::kAverage},
    {"avg_zero", AggFunc::kAvgZero},  {"count", AggFunc::kCount},
    {"current", AggFunc::kLast},      {"diff", AggFunc::kDiff},
    {"last", AggFunc::kLast},         {"max", AggFunc::kMax},
    {"median", AggFunc::kMedian},     {"min", AggFunc::kMin},
    {"multiply", AggFunc::kMultiply}, {"range", AggFunc::kRange},
    {"rangeOf", AggFunc::kRange},     {"stddev", AggFunc::kStddev},
    {"sum", AggFunc::kSum},           {"total", AggFunc::kSum},
};

constexpr std::pair<absl::string_view, Consolidation> kConsolidations[] = {
    {"average", Consolidation::kAverage},  {"avg", Consolidation::kAverage},
    {"avg_zero", Consolidation::kAvgZero}, {"first", Consolidation::kFirst},
    {"last", Consolidation::kLast},        {"max", Consolidation::kMax},
    {"min", Consolidation::kMin},          {"sum", Consolidation::kSum},
};

template <typename Table>
std::vector<std::string> Names(const Table& table) {
  std::vector<std::string> names;
  for (const auto& [name, func] : table) names.emplace_back(name);
  return names;
}

double Median(absl::Span<const double> values) {
  std::vector<double> known;
  known.reserve(values.size());
  for (double v : values) {
    if (!std::isnan(v)) known.push_back(v);
  }
  if (known.empty()) return kAbsent;
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  std::nth_element(known.begin(), middle, known.end());
  if (known.size() % 2 == 1) return *middle;
  return (*std::max_element(known.begin(), middle) + *middle) / 2;
}

double Stddev(absl::Span<const double> values) {
  double sum = 0;
  size_t known = 0;
  for (double v : values) {
    if (std::isnan(v)) continue;
    sum += v;
    ++known;
  }
  if (known == 0) return kAbsent;
  const double mean = sum / static_cast<double>(known);
  double squares = 0;
  for (double v : values) {
    if (!std::isnan(v)) squares += (v - mean) * (v - mean);
  }
  return std::sqrt(squares / static_cast<double>(known));
}

// Folds the known values from the first on; absent when there is none.
template <typename Fold>
double FoldKnown(absl::Span<const double> values, Fold fold) {
  double result = kAbsent;
  for (double v : values) {
    if (std::isnan(v)) continue;
    result = std::isnan(result) ? v : fold(result, v);
  }
  return result;
}

double Product(absl::Span<const double> values) {
  if (values.empty()) return kAbsent;
  double product = 1;
  for (double v : values) product *= v;  // NaN carries through
  return product;
}

double AverageOfAll(absl::Span<const double> values) {
  if (values.empty()) return kAbsent;
  double sum = 0;
  for (double v : values) sum += std::isnan(v) ? 0 : v;
  return sum / static_cast<double>(values.size());
}

double LastKnown(absl::Span<const double> values) {
  for (size_t i = values.size(); i > 0; --i) {
    if (!std::isnan(values[i - 1])) return values[i - 1];
  }
  return kAbsent;
}

size_t CountKnown(absl::Span<const double> values) {
  size_t known = 0;
  for (double v : values) known += std::isnan(v) ? 0 : 1;
  return known;
}

double Sum(absl::Span<const double> values) {
  double sum = 0;
  size_t known = 0;
  for (double v : values) {
    if (std::isnan(v)) continue;
    sum += v;
    ++known;
  }
  return known == 0 ? kAbsent : sum;
}

double Min(absl::Span<const double> values) {
  return FoldKnown(values, [](double a, double b) { return b < a ? b : a; });
}

double Max(absl::Span<const double> values) {
  return FoldKnown(values, [](double a, double b) { return b > a ? b : a; });
}

double FirstKnown(absl::Span<const double> values) {
  return FoldKnown(values, [](double a, double) { return a; });
}

// `known` values of the bucket are there, at least one.
double ConsolidateBucket(absl::Span<const double> bucket, size_t known, Consolidation func) {
  switch (func) {
    case Consolidation::kAverage:
      return Sum(bucket) / static_cast<double>(known);
    case Consolidation::kAvgZero:
      return AverageOfAll(bucket);
    case Consolidation::kSum:
      return Sum(bucket);
    case Consolidation::kMin:
      return Min(bucket);
    case Consolidation::kMax:
      return Max(bucket);
    case Consolidation::kFirst:
      return FirstKnown(bucket);
    case Consolidation::kLast:
      return LastKnown(bucket);
  }
  return kAbsent;
}

}  // namespace

std::optional<AggFunc> ParseAggFunc(absl::string_view name) {
  for (const auto& [known, func] : kAggFuncs) {
    if (known == name) return func;
  }
  return std::nullopt;
}

const std::vector<std::string>& AggFuncNames() {
  static const std::vector<std::string>& names = *new std::vector<std::string>(Names(kAggFuncs));
  return names;
}

double ApplyAggFunc(AggFunc func, absl::Span<const double> values) {
  switch (func) {
    case AggFunc::kAverage: {
      const size_t known = CountKnown(values);
      return known == 0 ? kAbsent : Sum(values) / static_cast<double>(known);
    }
    case AggFunc::kAvgZero:
      return AverageOfAll(values);
    case AggFunc::kMedian:
      return Median(values);
    case AggFunc::kSum:
      return Sum(values);
    case AggFunc::kMin:
      return Min(values);
    case AggFunc::kMax:
      return Max(values);
    case AggFunc::kDiff:
      return FoldKnown(values, [](double a, double b) { return a - b; });
    case AggFunc::kStddev:
      return Stddev(values);
    case AggFunc::kCount:
      return static_cast<double>(CountKnown(values));
    case AggFunc::kRange:
      return Max(values) - Min(values);
    case AggFunc::kMultiply:
      return Product(values);
    case AggFunc::kLast:
      return LastKnown(values);
  }
  return kAbsent;
}

std::optional<Consolidation> ParseConsolidation(absl::string_view name) {
  for (const auto& [known, func] : kConsolidations) {
    if (known == name) return func;
  }
  return std::nullopt;
}

const std::vector<std::string>& ConsolidationNames() {
  static const std::vector<std::string>& names =
      *new std::vector<std::string>(Names(kConsolidations));
  return names;
}

std::vector<double> Consolidate(absl::Span<const double> values, int64_t per_point,
                                Consolidation func, double x_files_factor) {
  SHOAL_CHECK(per_point > 0);
  if (per_point == 1) return std::vector<double>(values.begin(), values.end());
  const size_t width = static_cast<size_t>(per_point);
  std::vector<double> result;
  result.reserve((values.size() + width - 1) / width);
  for (size_t begin = 0; begin < values.size(); begin += std::min(width, values.size() - begin)) {
    const absl::Span<const double> bucket = values.subspan(begin, width);
    const size_t known = CountKnown(bucket);
    // A short last bucket is still held to the full width.
    result.push_back(EnoughKnown(known, static_cast<double>(per_point), x_files_factor)
                         ? ConsolidateBucket(bucket, known, func)
                         : kAbsent);
  }
  return result;
}

}  // namespace shoal
