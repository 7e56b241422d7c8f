// Points that reach a coarser archive by other ways than the rollup: late ones and backfill.
//
// A step of archive k >= 1 is *covered* while archive k-1 still keeps all of it. A late point in a
// covered step makes the step be computed anew from archive k-1. A point in a step that is not
// covered any more is merged into what archive k holds. Reader and flusher share these rules, so
// that a point reads the same before and after its flush.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "base/metric/aggregate_columns.h"
#include "storage/ring/ring_store.h"
#include "storage/series_schema.h"

namespace shoal {

inline int64_t AlignDown(int64_t time_sec, int64_t step_sec) {
  const int64_t rest = time_sec % step_sec;
  return rest < 0 ? time_sec - rest - step_sec : time_sec - rest;
}
inline int64_t AlignUp(int64_t time_sec, int64_t step_sec) {
  return AlignDown(time_sec + step_sec - 1, step_sec);
}

// Whether archive k-1 still keeps the whole step of archive k that starts at `step_start_sec`.
inline bool IsCovered(const SeriesSchema& schema, size_t k, int64_t step_start_sec,
                      int64_t now_sec) {
  return step_start_sec >= now_sec - schema.archives[k - 1].retention_sec();
}

// Whether archive k keeps the time at all.
inline bool IsKept(const SeriesSchema& schema, size_t k, int64_t time_sec, int64_t now_sec) {
  return time_sec > now_sec - schema.archives[k].retention_sec();
}

// Before this, a point is late for some archive: its step is rolled up already, or not covered.
// `rolled_until_sec` is archive 1's.
int64_t LateBefore(const SeriesSchema& schema, int64_t rolled_until_sec, int64_t now_sec);

// Lays points that are pending for the step of archive k >= 1 that starts at `start_sec` over what
// is stored of it: `step` has its columns, NaN when it is absent. `pending` lies within the step
// and is not empty. False, and nothing is changed, when the step has them already (a replayed log).
//
// Where the finest ring still holds the step's points they are computed anew together; otherwise
// the new ones are merged into what is stored, without an xFilesFactor: this archive is then the
// finest that has them at all. A rule with `whisper` stores the last one.
bool MergeLatePoints(const RingStore& rings, SchemaId schema_id, const SeriesSchema& schema,
                     const AggregateColumns& columns, SeriesId series, size_t k, int64_t start_sec,
                     absl::Span<const Point> pending, absl::Span<double> step);

}  // namespace shoal
