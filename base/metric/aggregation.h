// storage-aggregation.conf: how finer points become a coarser one, and the arithmetic itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
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
};
absl::StatusOr<AggregationMethod> ParseAggregationMethod(
    absl::string_view name);  // also "avg", "total"
const char* AggregationMethodName(AggregationMethod method);
bool IsKnownAggregationMethod(uint8_t code);

// One value from the points of a bucket, oldest first, NaN = absent. Absent when fewer than
// x_files_factor of the slots are known, or none at all. kAvgZero counts absent slots as 0.
double Aggregate(AggregationMethod method, absl::Span<const double> values, double x_files_factor);

struct AggregationRule {
  AggregationMethod method = AggregationMethod::kAverage;
  double x_files_factor = 0.5;
  friend bool operator==(const AggregationRule&, const AggregationRule&) = default;
};

// First match wins; default average, 0.5. Immutable, thread safe.
class AggregationRules {
 public:
  AggregationRules();
  ~AggregationRules();
  AggregationRules(AggregationRules&&) noexcept;
  AggregationRules& operator=(AggregationRules&&) noexcept;

  static absl::StatusOr<AggregationRules> Parse(absl::string_view text, absl::string_view file);
  static absl::StatusOr<AggregationRules> Load(const std::string& path);

  AggregationRule Find(absl::string_view name) const;

 private:
  struct Rule;
  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace shoal
