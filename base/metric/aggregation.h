// storage-aggregation.conf: how finer points become a coarser one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/metric/aggregate.h"

namespace shoal {

// How a series is rolled up.
struct AggregationRule {
  AggregationMethod method = AggregationMethod::kAverage;
  double x_files_factor = 0.5;
  uint16_t percentile = 0;            // of the method: AggregateSpec::percentile
  bool whisper = false;               // whisper's own answers: docs/rollup.md
  std::vector<AggregateSpec> also{};  // further aggregates that the coarser archives keep

  AggregateSpec aggregate() const { return {method, percentile}; }
  // Whether it answers with the aggregate: a column that only another one is made of does not
  // count.
  bool Offers(AggregateSpec spec) const;
  friend bool operator==(const AggregationRule&, const AggregationRule&) = default;
};
inline constexpr size_t kFurtherAggregatesMax = 15;

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
