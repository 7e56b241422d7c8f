#include "storage/ring/rollup.h"

#include <cmath>

#include "base/check.h"
#include "base/metric/series.h"

namespace shoal {
namespace {

bool IsKnown(const CoarsePoint& point) { return point.count > 0 && !std::isnan(point.value); }

// How the finer slots' values make the coarser one: a count of counts is their sum.
AggregationMethod MethodOverCoarse(AggregationMethod method) {
  return method == AggregationMethod::kCount ? AggregationMethod::kSum : method;
}

size_t SlotsPerBucket(int64_t fine_step_sec, int64_t coarse_step_sec, int64_t start_sec,
                      size_t slots) {
  SHOAL_CHECK(fine_step_sec > 0 && coarse_step_sec % fine_step_sec == 0 &&
              start_sec % coarse_step_sec == 0);
  const size_t per_bucket = static_cast<size_t>(coarse_step_sec / fine_step_sec);
  SHOAL_CHECK(slots % per_bucket == 0);
  return per_bucket;
}

// A value of any method but average.
CoarsePoint FromValue(int64_t timestamp_sec, double value) {
  if (std::isnan(value)) return {timestamp_sec, 0, 0};
  return {timestamp_sec, value, 1};
}

bool Enough(size_t known, size_t slots, double x_files_factor) {
  return known > 0 && static_cast<double>(known) / static_cast<double>(slots) >= x_files_factor;
}

}  // namespace

std::vector<CoarsePoint> RollUpFine(const AggregationRule& rule, int64_t fine_step_sec,
                                    int64_t coarse_step_sec, int64_t start_sec,
                                    absl::Span<const double> fine) {
  const size_t per_bucket = SlotsPerBucket(fine_step_sec, coarse_step_sec, start_sec, fine.size());
  std::vector<CoarsePoint> coarse;
  coarse.reserve(fine.size() / per_bucket);
  for (size_t i = 0; i < fine.size(); i += per_bucket) {
    const absl::Span<const double> bucket = fine.subspan(i, per_bucket);
    const int64_t timestamp_sec = start_sec + static_cast<int64_t>(i) * fine_step_sec;
    if (rule.method != AggregationMethod::kAverage) {
      coarse.push_back(
          FromValue(timestamp_sec, Aggregate(rule.method, bucket, rule.x_files_factor)));
      continue;
    }
    CoarsePoint point{timestamp_sec, 0, 0};
    for (const double value : bucket) {
      if (std::isnan(value)) continue;
      point.value += value;
      point.count += 1;
    }
    if (!Enough(static_cast<size_t>(point.count), per_bucket, rule.x_files_factor))
      point = {timestamp_sec, 0, 0};
    coarse.push_back(point);
  }
  return coarse;
}

std::vector<CoarsePoint> RollUpCoarse(const AggregationRule& rule, int64_t fine_step_sec,
                                      int64_t coarse_step_sec, int64_t start_sec,
                                      absl::Span<const CoarsePoint> fine) {
  const size_t per_bucket = SlotsPerBucket(fine_step_sec, coarse_step_sec, start_sec, fine.size());
  std::vector<CoarsePoint> coarse;
  coarse.reserve(fine.size() / per_bucket);
  std::vector<double> values(per_bucket);
  for (size_t i = 0; i < fine.size(); i += per_bucket) {
    const absl::Span<const CoarsePoint> bucket = fine.subspan(i, per_bucket);
    const int64_t timestamp_sec = start_sec + static_cast<int64_t>(i) * fine_step_sec;
    if (rule.method != AggregationMethod::kAverage) {
      for (size_t k = 0; k < per_bucket; ++k)
        values[k] = IsKnown(bucket[k]) ? bucket[k].value : kAbsent;
      const double value = Aggregate(MethodOverCoarse(rule.method), values, rule.x_files_factor);
      coarse.push_back(FromValue(timestamp_sec, value));
      continue;
    }
    CoarsePoint point{timestamp_sec, 0, 0};
    size_t known = 0;
    for (const CoarsePoint& finer : bucket) {
      if (!IsKnown(finer)) continue;
      point.value += finer.value;
      point.count += finer.count;
      ++known;
    }
    if (!Enough(known, per_bucket, rule.x_files_factor)) point = {timestamp_sec, 0, 0};
    coarse.push_back(point);
  }
  return coarse;
}

double FinishCoarse(AggregationMethod method, const CoarsePoint& point) {
  if (!IsKnown(point)) return kAbsent;
  return method == AggregationMethod::kAverage ? point.value / point.count : point.value;
}

}  // namespace shoal
