// The arithmetic of rollups: runs of finer slots become slots of a coarser archive. Pure functions,
// any thread; when and over what range they run is the caller's.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/metric/aggregation.h"
#include "storage/series_schema.h"

namespace shoal {

// Rolls up fine values (NaN: absent): fine[i] is the value at start_sec + i * fine_step_sec.
// `start_sec` is aligned to the coarse step, which is a multiple of the fine one, and fine.size()
// is a whole number of coarse steps. One CoarsePoint for each coarse step, in order; count 0 where
// fewer than x_files_factor of the fine slots are known, or none.
std::vector<CoarsePoint> RollUpFine(const AggregationRule& rule, int64_t fine_step_sec,
                                    int64_t coarse_step_sec, int64_t start_sec,
                                    absl::Span<const double> fine);

// The same from an archive that is coarse itself (consecutive steps, absent ones with count 0).
// Averages are exact: sums and counts add up. x_files_factor counts known finer slots, whatever
// their own counts.
std::vector<CoarsePoint> RollUpCoarse(const AggregationRule& rule, int64_t fine_step_sec,
                                      int64_t coarse_step_sec, int64_t start_sec,
                                      absl::Span<const CoarsePoint> fine);

// The value that a query shows; NaN when absent.
double FinishCoarse(AggregationMethod method, const CoarsePoint& point);

}  // namespace shoal
