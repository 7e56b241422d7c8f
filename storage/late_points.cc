#include "storage/late_points.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/metric/series.h"

namespace shoal {

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

std::vector<LatePoint> ToLatePoints(const RingStore& rings, SchemaId schema_id,
                                    const SeriesSchema& schema, SeriesId series,
                                    absl::Span<const Point> points) {
  std::vector<LatePoint> late;
  late.reserve(points.size());
  const int64_t step = schema.archives[0].step_sec;
  constexpr int64_t kStepsPerRead = 1024;
  std::vector<double> known;
  int64_t start = 0;
  for (const Point& point : points) {
    int64_t index = known.empty() ? 0 : (point.timestamp_sec - start) / step;
    if (known.empty() || index >= static_cast<int64_t>(known.size())) {
      const int64_t steps_left = (points.back().timestamp_sec - point.timestamp_sec) / step + 1;
      known.assign(static_cast<size_t>(std::min(kStepsPerRead, steps_left)), kAbsent);
      start = point.timestamp_sec;
      index = 0;
      // What cannot be read counts as not there.
      rings.Read({schema_id, 0}, series, start, absl::MakeSpan(known)).IgnoreError();
    }
    const double old = known[static_cast<size_t>(index)];
    if (std::isnan(old)) {
      late.push_back({point.timestamp_sec, point.value, point.value, 1});
    } else if (std::bit_cast<uint64_t>(old) != std::bit_cast<uint64_t>(point.value)) {
      late.push_back({point.timestamp_sec, point.value, point.value - old, 0});
    }
  }
  return late;
}

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

}  // namespace shoal
