#include "storage/archive_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/logging.h"
#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/ring/rollup.h"

namespace shoal {
namespace {

// Steps of one recomputation: bounds its memory.
constexpr int64_t kStepsPerRun = 4096;
const int64_t kStripeSteps = RingStoreOptions().stripe_steps;

absl::Span<const Point> Before(absl::Span<const Point> points, int64_t time_sec) {
  const auto end =
      std::lower_bound(points.begin(), points.end(), time_sec,
                       [](const Point& point, int64_t time) { return point.timestamp_sec < time; });
  return points.first(static_cast<size_t>(end - points.begin()));
}

absl::Span<const Point> After(absl::Span<const Point> points, int64_t time_sec) {
  const auto begin =
      std::upper_bound(points.begin(), points.end(), time_sec,
                       [](int64_t time, const Point& point) { return time < point.timestamp_sec; });
  return points.subspan(static_cast<size_t>(begin - points.begin()));
}

}  // namespace

absl::Status RollUpFromRings(const RingStore& rings, SchemaId schema_id, const SeriesSchema& schema,
                             SeriesId series, size_t k, int64_t start_sec, size_t count,
                             std::vector<CoarsePoint>* points) {
  const int64_t step = schema.archives[k].step_sec;
  const int64_t finer_step = schema.archives[k - 1].step_sec;
  const size_t finer_count = count * static_cast<size_t>(step / finer_step);
  absl::Status status;
  if (k == 1) {
    std::vector<double> fine(finer_count, kAbsent);
    status = rings.Read({schema_id, 0}, series, start_sec, absl::MakeSpan(fine));
    *points = RollUpFine(schema.aggregation, finer_step, step, start_sec, fine);
  } else {
    std::vector<CoarsePoint> finer(finer_count);
    status = rings.ReadCoarse({schema_id, static_cast<uint8_t>(k - 1)}, series, start_sec,
                              absl::MakeSpan(finer));
    *points = RollUpCoarse(schema.aggregation, finer_step, step, start_sec, finer);
  }
  return status;
}

class ArchiveWriter::CoarseBatch {
 public:
  void Add(SeriesId series, const CoarsePoint& point) {
    if (spans_.empty() || spans_.back().series != series)
      spans_.push_back({series, points_.size(), 0});
    points_.push_back(point);
    ++spans_.back().count;
  }
  absl::Status WriteTo(RingStore* rings, ArchiveKey key) const {
    if (points_.empty()) return absl::OkStatus();
    std::vector<SeriesCoarsePoints> batch;
    for (const auto& [series, start, count] : spans_) {
      batch.push_back({series, absl::MakeConstSpan(points_).subspan(start, count)});
    }
    return rings->WriteCoarse(key, batch);
  }

 private:
  struct SeriesSpan {
    SeriesId series;
    size_t start;
    size_t count;
  };
  std::vector<SeriesSpan> spans_;
  std::vector<CoarsePoint> points_;
};

absl::Status ArchiveWriter::Write(SchemaId schema_id, const SeriesSchema& schema,
                                  absl::Span<const SeriesPoints> series, int64_t now_sec) {
  const size_t archives = schema.archives.size();
  std::vector<SeriesPoints> late;
  if (archives > 1) {
    const int64_t late_before = LateBefore(schema, rings_->RolledUntil({schema_id, 1}), now_sec);
    for (const SeriesPoints& item : series) {
      const absl::Span<const Point> points = Before(item.points, late_before);
      if (!points.empty()) late.push_back({item.series, points});
    }
  }
  // Merging comes first: it tells points that are new from points that the finest ring holds
  // already.
  if (!late.empty()) {
    for (size_t k = 1; k < archives; ++k) {
      SHOAL_RETURN_IF_ERROR(MergeUncovered(schema_id, schema, k, late, now_sec));
    }
  }
  // A ring reaches back up to two stripes further than its retention; while it does, old points
  // serve later computations.
  const int64_t gone_sec =
      now_sec - schema.archives[0].retention_sec() - 2 * kStripeSteps * schema.archives[0].step_sec;
  std::vector<SeriesPoints> fine;
  fine.reserve(series.size());
  for (const SeriesPoints& item : series) {
    const absl::Span<const Point> points = After(item.points, gone_sec);
    if (!points.empty()) fine.push_back({item.series, points});
  }
  if (!fine.empty()) SHOAL_RETURN_IF_ERROR(rings_->Write({schema_id, 0}, fine));
  if (!late.empty()) {
    for (size_t k = 1; k < archives; ++k) {
      SHOAL_RETURN_IF_ERROR(Recompute(schema_id, schema, k, late, now_sec));
    }
  }
  return absl::OkStatus();
}

absl::Status ArchiveWriter::MergeUncovered(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                                           absl::Span<const SeriesPoints> late, int64_t now_sec) {
  const ArchiveKey key{schema_id, static_cast<uint8_t>(k)};
  const int64_t step = schema.archives[k].step_sec;
  const int64_t uncovered_before = AlignUp(now_sec - schema.archives[k - 1].retention_sec(), step);
  CoarseBatch batch;
  std::vector<CoarsePoint> stored;
  for (const SeriesPoints& item : late) {
    const absl::Span<const Point> points =
        After(Before(item.points, uncovered_before), now_sec - schema.archives[k].retention_sec());
    int64_t stored_start = 0;
    for (size_t i = 0; i < points.size();) {
      const int64_t start = AlignDown(points[i].timestamp_sec, step);
      size_t last = i;
      while (last < points.size() && points[last].timestamp_sec < start + step) ++last;
      // Backfill comes in runs: one look at the ring for many steps.
      if (i == 0 || start >= stored_start + step * static_cast<int64_t>(stored.size())) {
        const int64_t steps_left = (points.back().timestamp_sec - start) / step + 1;
        stored_start = start;
        stored.assign(static_cast<size_t>(std::min(steps_left, kStepsPerRun)), CoarsePoint());
        const absl::Status status =
            rings_->ReadCoarse(key, item.series, start, absl::MakeSpan(stored));
        if (!status.ok())
          LogWarning("flusher", "a late point meets a bad page: ", status.message());
      }
      CoarsePoint point = stored[static_cast<size_t>((start - stored_start) / step)];
      point.timestamp_sec = start;
      const std::optional<CoarsePoint> merged = WithLatePoints(
          *rings_, schema_id, schema, item.series, k, point, points.subspan(i, last - i));
      if (merged.has_value()) batch.Add(item.series, *merged);
      i = last;
    }
  }
  return batch.WriteTo(rings_, key);
}

absl::Status ArchiveWriter::Recompute(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                                      absl::Span<const SeriesPoints> late, int64_t now_sec) {
  const ArchiveKey key{schema_id, static_cast<uint8_t>(k)};
  const int64_t step = schema.archives[k].step_sec;
  const int64_t rolled_until = rings_->RolledUntil(key);
  CoarseBatch batch;
  std::vector<CoarsePoint> computed;
  for (const SeriesPoints& item : late) {
    const absl::Span<const Point> points = item.points;
    for (size_t i = 0; i < points.size();) {
      const int64_t start = AlignDown(points[i].timestamp_sec, step);
      if (start >= rolled_until) break;  // the rollup gets there
      if (!IsCovered(schema, k, start, now_sec)) {
        ++i;
        continue;
      }
      // A run of touched steps without a gap, computed at once.
      int64_t end = start + step;
      size_t last = i;
      while (last < points.size() && end - start < kStepsPerRun * step) {
        const int64_t next = AlignDown(points[last].timestamp_sec, step);
        if (next > end || next >= rolled_until) break;
        end = std::max(end, next + step);
        ++last;
      }
      const absl::Status status =
          RollUpFromRings(*rings_, schema_id, schema, item.series, k, start,
                          static_cast<size_t>((end - start) / step), &computed);
      if (!status.ok()) LogWarning("flusher", "recomputing rolled-up steps: ", status.message());
      for (const CoarsePoint& point : computed) {
        if (point.count > 0) batch.Add(item.series, point);
      }
      while (last < points.size() && points[last].timestamp_sec < end) ++last;
      i = last;
    }
  }
  return batch.WriteTo(rings_, key);
}

}  // namespace shoal
