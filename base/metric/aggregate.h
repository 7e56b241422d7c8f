// The aggregates that make one value of many, and their arithmetic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

// Frozen: reaches disk. The first eight are whisper's codes.
enum class AggregationMethod : uint8_t {
  kAverage = 1,
  kSum = 2,
  kLast = 3,
  kMax = 4,
  kMin = 5,
  kAvgZero = 6,
  kAbsMax = 7,
  kAbsMin = 8,
  kFirst = 9,
  kCount = 10,
  kMedian = 11,
  kRange = 12,
  kMultiply = 13,
  kStddev = 14,
  kDiff = 15,        // the first value less all others
  kPercentile = 16,  // p50, p99.9: linear between the two nearest values, as go-carbon's
  // Not a method of rules: the sum of the squared deviations from the mean, a column that standard
  // deviations are made of.
  kSquares = 17,
};

// A method with what else names it.
struct AggregateSpec {
  AggregationMethod method = AggregationMethod::kAverage;
  uint16_t percentile = 0;  // in hundredths of a percent, 0..10000; 0 for other methods
  friend bool operator==(const AggregateSpec&, const AggregateSpec&) = default;
};
inline constexpr uint16_t kPercentileMax = 10'000;
// Both in one number, not 0. Frozen: reaches disk.
inline constexpr uint32_t AggregateCode(AggregateSpec spec) {
  return static_cast<uint32_t>(spec.method) | uint32_t{spec.percentile} << 16;
}

// A method's name or another spelling of it ("avg", "total"); "p" and a percentile of at most two
// decimals ("p50", "p99.9"), where digits past the first two count as decimals ("p999").
absl::StatusOr<AggregateSpec> ParseAggregate(absl::string_view name);
std::string AggregateName(AggregateSpec spec);  // "average", "p99.9"

// Whether the numbers, as they come from disk or the wire, are an aggregate that a rule may name.
bool IsKnownAggregate(uint8_t method, uint16_t percentile);
// The same, or a column that only rollups use.
bool IsKnownColumn(uint8_t method, uint16_t percentile);

// One value from the points of a bucket, oldest first, NaN = absent. Absent when fewer than
// x_files_factor of the slots are known, or none at all. kAvgZero counts absent slots as 0.
double Aggregate(AggregateSpec spec, absl::Span<const double> values, double x_files_factor);
inline double Aggregate(AggregationMethod method, absl::Span<const double> values,
                        double x_files_factor) {
  return Aggregate(AggregateSpec{method, 0}, values, x_files_factor);
}

// The same from the known values alone, at least one, of `slots`.
double AggregateKnown(AggregateSpec spec, absl::Span<const double> known, size_t slots);

}  // namespace shoal
