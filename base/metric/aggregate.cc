#include "base/metric/aggregate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/metric/series.h"

namespace shoal {
namespace {

struct NamedMethod {
  const char* name;
  AggregationMethod method;
};
// A method's own name comes first, then its other spellings.
constexpr NamedMethod kMethods[] = {
    {"average", AggregationMethod::kAverage},   {"avg", AggregationMethod::kAverage},
    {"sum", AggregationMethod::kSum},           {"total", AggregationMethod::kSum},
    {"last", AggregationMethod::kLast},         {"current", AggregationMethod::kLast},
    {"max", AggregationMethod::kMax},           {"min", AggregationMethod::kMin},
    {"avg_zero", AggregationMethod::kAvgZero},  {"absmax", AggregationMethod::kAbsMax},
    {"absmin", AggregationMethod::kAbsMin},     {"first", AggregationMethod::kFirst},
    {"count", AggregationMethod::kCount},       {"median", AggregationMethod::kMedian},
    {"range", AggregationMethod::kRange},       {"rangeOf", AggregationMethod::kRange},
    {"multiply", AggregationMethod::kMultiply}, {"stddev", AggregationMethod::kStddev},
    {"diff", AggregationMethod::kDiff},
};

// Left to right, as Graphite adds: the last bit of a double depends on the order.
double Sum(absl::Span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

// The first of the values that no other one beats.
template <typename Beats>
double Best(absl::Span<const double> values, Beats beats) {
  double best = values.front();
  for (const double value : values.subspan(1)) best = beats(value, best) ? value : best;
  return best;
}

double Min(absl::Span<const double> values) {
  return Best(values, [](double a, double b) { return a < b; });
}

double Max(absl::Span<const double> values) {
  return Best(values, [](double a, double b) { return a > b; });
}

double Median(absl::Span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  if (sorted.size() % 2 == 1) return *middle;
  return (*std::max_element(sorted.begin(), middle) + *middle) / 2;
}

double Percentile(absl::Span<const double> values, uint16_t percentile) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double rank =
      static_cast<double>(sorted.size() - 1) * static_cast<double>(percentile) / kPercentileMax;
  const size_t below = static_cast<size_t>(rank);
  const double share = rank - static_cast<double>(below);
  if (share == 0) return sorted[below];
  return sorted[below] * (1 - share) + sorted[below + 1] * share;
}

double Squares(absl::Span<const double> values) {
  const double mean = Sum(values) / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares;
}

// Hundredths of a percent of "50", "99.9", "999"; negative when it is none.
int ParsePercentile(absl::string_view text) {
  if (text.empty() || !absl::ascii_isdigit(text.front())) return -1;
  std::string digits;
  size_t whole = absl::string_view::npos;  // digits before the point
  for (const char c : text) {
    if (c == '.' && whole == absl::string_view::npos) {
      whole = digits.size();
    } else if (absl::ascii_isdigit(c)) {
      digits.push_back(c);
    } else {
      return -1;
    }
  }
  if (digits == "100" && whole == absl::string_view::npos) return kPercentileMax;
  if (whole == absl::string_view::npos) whole = std::min<size_t>(digits.size(), 2);
  if (whole == 0 || digits.size() - whole > 2 || digits.size() > 5) return -1;
  digits.append(whole + 2 - digits.size(), '0');
  int hundredths = 0;
  if (!absl::SimpleAtoi(digits, &hundredths) || hundredths > kPercentileMax) return -1;
  return hundredths;
}

}  // namespace

absl::StatusOr<AggregateSpec> ParseAggregate(absl::string_view name) {
  for (const NamedMethod& named : kMethods) {
    if (name == named.name) return AggregateSpec{named.method, 0};
  }
  if (!name.empty() && name.front() == 'p') {
    const int percentile = ParsePercentile(name.substr(1));
    if (percentile >= 0)
      return AggregateSpec{AggregationMethod::kPercentile, static_cast<uint16_t>(percentile)};
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown aggregation method \"", name, "\""));
}

std::string AggregateName(AggregateSpec spec) {
  for (const NamedMethod& named : kMethods) {
    if (spec.method == named.method) return named.name;
  }
  if (spec.method == AggregationMethod::kSquares) return "squares";
  if (spec.method != AggregationMethod::kPercentile) return "unknown";
  std::string name = absl::StrCat("p", spec.percentile / 100);
  const int decimals = spec.percentile % 100;
  if (decimals != 0) absl::StrAppend(&name, ".", decimals / 10);
  if (decimals % 10 != 0) absl::StrAppend(&name, decimals % 10);
  return name;
}

bool IsKnownAggregate(uint8_t method, uint16_t percentile) {
  if (method == static_cast<uint8_t>(AggregationMethod::kPercentile))
    return percentile <= kPercentileMax;
  return percentile == 0 && method >= static_cast<uint8_t>(AggregationMethod::kAverage) &&
         method < static_cast<uint8_t>(AggregationMethod::kPercentile);
}

bool IsKnownColumn(uint8_t method, uint16_t percentile) {
  return IsKnownAggregate(method, percentile) ||
         (method == static_cast<uint8_t>(AggregationMethod::kSquares) && percentile == 0);
}

double Aggregate(AggregateSpec spec, absl::Span<const double> values, double x_files_factor) {
  std::vector<double> known;
  known.reserve(values.size());
  for (const double value : values) {
    if (!std::isnan(value)) known.push_back(value);
  }
  const double slots = static_cast<double>(values.size());
  if (known.empty() || static_cast<double>(known.size()) / slots < x_files_factor) return kAbsent;
  return AggregateKnown(spec, known, values.size());
}

double AggregateKnown(AggregateSpec spec, absl::Span<const double> known, size_t slots) {
  const double count = static_cast<double>(known.size());
  switch (spec.method) {
    case AggregationMethod::kAverage:
      return Sum(known) / count;
    case AggregationMethod::kSum:
      return Sum(known);
    case AggregationMethod::kLast:
      return known.back();
    case AggregationMethod::kMax:
      return Max(known);
    case AggregationMethod::kMin:
      return Min(known);
    case AggregationMethod::kAvgZero:
      return Sum(known) / static_cast<double>(slots);
    case AggregationMethod::kAbsMax:
      return Best(known, [](double a, double b) { return std::abs(a) > std::abs(b); });
    case AggregationMethod::kAbsMin:
      return Best(known, [](double a, double b) { return std::abs(a) < std::abs(b); });
    case AggregationMethod::kFirst:
      return known.front();
    case AggregationMethod::kCount:
      return count;
    case AggregationMethod::kMedian:
      return Median(known);
    case AggregationMethod::kRange:
      return Max(known) - Min(known);
    case AggregationMethod::kMultiply: {
      double product = 1;
      for (const double value : known) product *= value;
      return product;
    }
    case AggregationMethod::kStddev:
      return std::sqrt(Squares(known) / count);
    case AggregationMethod::kDiff:
      return known.front() - (Sum(known) - known.front());
    case AggregationMethod::kPercentile:
      return Percentile(known, spec.percentile);
    case AggregationMethod::kSquares:
      return Squares(known);
  }
  return kAbsent;
}

}  // namespace shoal
