#include "storage/late_points.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/metric/series.h"
#include "storage/ring/rollup.h"

namespace shoal {
namespace {

// A point to merge into a coarse step, as the change that it makes to it.
struct LatePoint {
  double value = 0;
  double more_value = 0;  // to the sum
  double more_count = 0;  // to the count; 0 when it replaces a point
};

// The step with the points merged in, at least one.
CoarsePoint MergeLate(const SeriesSchema& schema, size_t k, CoarsePoint stored,
                      absl::Span<const LatePoint> points) {
  const AggregationMethod method = schema.aggregation.method;
  const bool known = stored.count > 0 && !std::isnan(stored.value);
  double more_value = 0;
  double more_count = 0;
  std::vector<double> values;
  if (known) values.push_back(stored.value);
  for (const LatePoint& point : points) {
    more_value += point.more_value;
    more_count += point.more_count;
    values.push_back(point.value);
  }
  const absl::Span<const double> all(values);
  const absl::Span<const double> fresh = all.subspan(known ? 1 : 0);
  CoarsePoint merged{stored.timestamp_sec, 0, 1};
  switch (method) {
    case AggregationMethod::kAverage:
      merged.value = (known ? stored.value : 0) + more_value;
      // A replacement (no more count) of a point that this step does not know of is a new point.
      merged.count = std::max((known ? stored.count : 0) + more_count, 1.0);
      break;
    case AggregationMethod::kSum:
      merged.value = (known ? stored.value : 0) + more_value;
      break;
    case AggregationMethod::kCount:
      merged.value = std::max((known ? stored.value : 0) + more_count, 1.0);
      break;
    case AggregationMethod::kAvgZero: {
      const double slots =
          static_cast<double>(schema.archives[k].step_sec / schema.archives[0].step_sec);
      merged.value = (known ? stored.value : 0) + more_value / slots;
      break;
    }
    case AggregationMethod::kMax:
    case AggregationMethod::kMin:
    case AggregationMethod::kAbsMax:
    case AggregationMethod::kAbsMin:
    case AggregationMethod::kFirst:
    case AggregationMethod::kLast:
    case AggregationMethod::kMultiply:
      merged.value = Aggregate(method, all, 0);
      break;
    case AggregationMethod::kMedian:
    case AggregationMethod::kRange:
    case AggregationMethod::kStddev:
      // The step's value does not tell what it was made of: as in whisper, what is written last
      // stands.
      merged.value = Aggregate(method, fresh, 0);
      break;
  }
  return merged;
}

}  // namespace

int64_t LateBefore(const SeriesSchema& schema, int64_t rolled_until_sec, int64_t now_sec) {
  int64_t before = rolled_until_sec;
  for (size_t k = 1; k < schema.archives.size(); ++k) {
    // Steps that start before (now - retention) are not covered; their last point lies a step
    // further on.
    const int64_t step = schema.archives[k].step_sec;
    before = std::max(before, AlignUp(now_sec - schema.archives[k - 1].retention_sec(), step));
  }
  return before;
}

std::optional<CoarsePoint> WithLatePoints(const RingStore& rings, SchemaId schema_id,
                                          const SeriesSchema& schema, SeriesId series, size_t k,
                                          const CoarsePoint& stored,
                                          absl::Span<const Point> pending) {
  const int64_t fine_step = schema.archives[0].step_sec;
  const int64_t step = schema.archives[k].step_sec;
  const int64_t start = stored.timestamp_sec;
  std::vector<double> fine(static_cast<size_t>(step / fine_step), kAbsent);
  // What cannot be read counts as not there.
  rings.Read({schema_id, 0}, series, start, absl::MakeSpan(fine)).IgnoreError();
  const bool has_fine =
      std::any_of(fine.begin(), fine.end(), [](double value) { return !std::isnan(value); });

  std::vector<LatePoint> late;
  for (const Point& point : pending) {
    double& value = fine[static_cast<size_t>((point.timestamp_sec - start) / fine_step)];
    if (std::isnan(value)) {
      late.push_back({point.value, point.value, 1});
    } else if (std::bit_cast<uint64_t>(value) != std::bit_cast<uint64_t>(point.value)) {
      late.push_back({point.value, point.value - value, 0});
    }
    value = point.value;
  }
  if (late.empty()) return std::nullopt;
  if (k == 1 && has_fine) {
    const CoarsePoint computed =
        RollUpFine(schema.aggregation, fine_step, step, start, fine).front();
    // An average tells when the ring has lost a part of the step already.
    if (computed.count > 0 && computed.count >= stored.count) return computed;
  }
  return MergeLate(schema, k, stored, late);
}

}  // namespace shoal
