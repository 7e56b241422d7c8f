#include "storage/archive_writer.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/coarse_batch.h"
#include "storage/ring/rollup.h"

namespace shoal {
namespace {

// Steps of one recomputation or merge: bounds its memory.
constexpr int64_t kStepsPerRun = 4096;
// A merge reads and writes the steps between two points along with them when there are no more.
constexpr int64_t kGapMax = 64;
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
  const AggregateColumns columns(schema.aggregation);
  const int64_t step = schema.archives[k].step_sec;
  const int64_t uncovered_before = AlignUp(now_sec - schema.archives[k - 1].retention_sec(), step);
  CoarseBatch batch(rings_, key, columns.size());
  std::vector<double> merged(columns.size());
  for (const SeriesPoints& item : late) {
    const absl::Span<const Point> points =
        After(Before(item.points, uncovered_before), now_sec - schema.archives[k].retention_sec());
    for (size_t i = 0; i < points.size();) {
      // Backfill comes in runs: one look at the ring for many steps.
      const int64_t start = AlignDown(points[i].timestamp_sec, step);
      int64_t end = start + step;
      for (size_t j = i; j < points.size(); ++j) {
        const int64_t next = AlignDown(points[j].timestamp_sec, step);
        if (next > end + kGapMax * step || next >= start + kStepsPerRun * step) break;
        end = next + step;
      }
      const size_t steps = static_cast<size_t>((end - start) / step);
      const absl::Span<double> cells = batch.Append(item.series, start, steps);
      const absl::Status status = rings_->ReadCoarse(key, item.series, start, steps, cells);
      if (!status.ok() && !absl::IsDataLoss(status)) return status;
      if (!status.ok()) LogWarning("flusher", "a late point meets a bad page: ", status.message());
      bool changed = false;
      while (i < points.size() && points[i].timestamp_sec < end) {
        const int64_t at = AlignDown(points[i].timestamp_sec, step);
        size_t last = i;
        while (last < points.size() && points[last].timestamp_sec < at + step) ++last;
        const size_t n = static_cast<size_t>((at - start) / step);
        for (size_t column = 0; column < columns.size(); ++column)
          merged[column] = cells[column * steps + n];
        if (MergeLatePoints(*rings_, schema_id, schema, columns, item.series, k, at,
                            points.subspan(i, last - i), absl::MakeSpan(merged))) {
          changed = true;
          for (size_t column = 0; column < columns.size(); ++column)
            cells[column * steps + n] = merged[column];
        }
        i = last;
      }
      if (!changed) batch.DropLast();
      SHOAL_RETURN_IF_ERROR(batch.WriteIfLarge());
    }
  }
  return batch.Write();
}

absl::Status ArchiveWriter::Recompute(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                                      absl::Span<const SeriesPoints> late, int64_t now_sec) {
  const ArchiveKey key{schema_id, static_cast<uint8_t>(k)};
  const ArchiveKey finer{schema_id, static_cast<uint8_t>(k - 1)};
  const AggregateColumns columns(schema.aggregation);
  const int64_t step = schema.archives[k].step_sec;
  const int64_t rolled_until = rings_->RolledUntil(key);
  CoarseBatch batch(rings_, key, columns.size());
  std::vector<double> cells;
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
      const size_t steps = static_cast<size_t>((end - start) / step);
      const size_t finer_steps = steps * StepsPerStep(schema, k);
      cells.resize(finer_steps * FinerColumns(columns, k));
      const absl::Status status =
          k == 1
              ? rings_->Read(finer, item.series, start, absl::MakeSpan(cells))
              : rings_->ReadCoarse(finer, item.series, start, finer_steps, absl::MakeSpan(cells));
      // Nothing is computed anew from points that could not be read just now.
      if (!status.ok() && !absl::IsDataLoss(status)) return status;
      if (!status.ok()) LogWarning("flusher", "recomputing rolled-up steps: ", status.message());
      if (RollUpArchive(schema, columns, k, cells, batch.Append(item.series, start, steps)) == 0)
        batch.DropLast();
      SHOAL_RETURN_IF_ERROR(batch.WriteIfLarge());
      while (last < points.size() && points[last].timestamp_sec < end) ++last;
      i = last;
    }
  }
  return batch.Write();
}

}  // namespace shoal
