#include "storage/late_points.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/metric/series.h"
#include "storage/ring/rollup.h"

namespace shoal {
namespace {

using Method = AggregationMethod;

// A point to merge into a coarse step, and the one that it replaces (NaN: none that is known of).
struct LatePoint {
  double value = 0;
  double old = kAbsent;
  double more() const { return std::isnan(old) ? value : value - old; }
};

// Squared deviations of a step with `count` points of the sum `sum`, as points come and go.
double MergeSquares(double squares, double sum, double count, absl::Span<const LatePoint> points) {
  const auto move = [&](double value, double sign) {
    const double before = count > 0 ? sum / count : value;
    sum += sign * value;
    count += sign;
    const double after = count > 0 ? sum / count : value;
    squares = std::max(0.0, squares + sign * (value - before) * (value - after));
  };
  for (const LatePoint& point : points) {
    if (!std::isnan(point.old) && count > 0) move(point.old, -1);
    move(point.value, 1);
  }
  return squares;
}

class LateMerge {
 public:
  LateMerge(const SeriesSchema& schema, const AggregateColumns& columns, size_t k,
            absl::Span<const LatePoint> points)
      : columns_(columns), points_(points) {
    slots_ = static_cast<size_t>(schema.archives[k].step_sec / schema.archives[0].step_sec);
    for (const LatePoint& point : points) {
      more_value_ += point.more();
      more_count_ += std::isnan(point.old) ? 1 : 0;
      fresh_.push_back(point.value);
    }
  }

  // The new value of a column of the step; `stored` has all columns.
  double Column(size_t column, absl::Span<const double> stored) const {
    const bool known = !std::isnan(stored[0]);
    const double base = known ? stored[column] : 0;
    const AggregateSpec spec = columns_.specs()[column];
    switch (spec.method) {
      case Method::kSum:
        return base + more_value_;
      case Method::kCount:
        // A replacement of a point that this step does not know of is a new point.
        return std::max(base + more_count_, 1.0);
      case Method::kAvgZero:
        return base + more_value_ / static_cast<double>(slots_);
      case Method::kSquares:
        return MergeSquares(base, Stored(Method::kSum, known, stored),
                            Stored(Method::kCount, known, stored), points_);
      case Method::kMedian:
      case Method::kPercentile:
        // The step's value does not tell what it was made of: what is written last stands.
        return AggregateKnown(spec, fresh_, fresh_.size());
      default: {
        std::vector<double> all;
        if (known) all.push_back(base);
        all.insert(all.end(), fresh_.begin(), fresh_.end());
        return AggregateKnown(spec, all, all.size());
      }
    }
  }

 private:
  double Stored(Method method, bool known, absl::Span<const double> stored) const {
    return known ? stored[static_cast<size_t>(columns_.Find({method, 0}))] : 0;
  }

  const AggregateColumns& columns_;
  const absl::Span<const LatePoint> points_;
  size_t slots_ = 0;
  double more_value_ = 0;
  double more_count_ = 0;
  std::vector<double> fresh_;
};

// Whether the step computed from the finest ring may take the place of what is stored: a count
// tells when the ring has lost a part of the step already.
bool IsWhole(const AggregateColumns& columns, absl::Span<const double> computed,
             absl::Span<const double> stored) {
  if (std::isnan(computed[0])) return false;
  const int count = columns.Find({Method::kCount, 0});
  if (count < 0 || std::isnan(stored[0])) return true;
  return computed[static_cast<size_t>(count)] >= stored[static_cast<size_t>(count)];
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

bool MergeLatePoints(const RingStore& rings, SchemaId schema_id, const SeriesSchema& schema,
                     const AggregateColumns& columns, SeriesId series, size_t k, int64_t start_sec,
                     absl::Span<const Point> pending, absl::Span<double> step) {
  if (schema.aggregation.whisper) {
    const double value = pending.back().value;
    if (std::bit_cast<uint64_t>(value) == std::bit_cast<uint64_t>(step[0])) return false;
    step[0] = value;
    return true;
  }
  const int64_t fine_step = schema.archives[0].step_sec;
  std::vector<double> fine(static_cast<size_t>(schema.archives[k].step_sec / fine_step), kAbsent);
  // What cannot be read counts as not there.
  rings.Read({schema_id, 0}, series, start_sec, absl::MakeSpan(fine)).IgnoreError();
  const bool has_fine =
      std::any_of(fine.begin(), fine.end(), [](double value) { return !std::isnan(value); });

  std::vector<LatePoint> late;
  for (const Point& point : pending) {
    double& value = fine[static_cast<size_t>((point.timestamp_sec - start_sec) / fine_step)];
    if (std::bit_cast<uint64_t>(value) != std::bit_cast<uint64_t>(point.value))
      late.push_back({point.value, value});
    value = point.value;
  }
  if (late.empty()) return false;
  std::vector<double> merged(columns.size());
  if (k == 1 && has_fine) {
    RollUpFine(columns, schema.aggregation.x_files_factor, fine.size(), fine,
               absl::MakeSpan(merged));
    if (IsWhole(columns, merged, step)) {
      std::copy(merged.begin(), merged.end(), step.begin());
      return true;
    }
  }
  const LateMerge merge(schema, columns, k, late);
  for (size_t column = 0; column < columns.size(); ++column)
    merged[column] = merge.Column(column, step);
  std::copy(merged.begin(), merged.end(), step.begin());
  return true;
}

}  // namespace shoal
