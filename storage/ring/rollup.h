// The arithmetic of rollups: runs of finer steps become steps of a coarser archive. Pure functions,
// any thread; when and over what range they run is the caller's.
#pragma once

#include <cstddef>

#include "absl/types/span.h"
#include "base/metric/aggregate_columns.h"
#include "storage/series_schema.h"

namespace shoal {

// Rolls up raw values (NaN: absent), `per_step` of them to a coarse step; fine.size() is a whole
// number of coarse steps. Writes the rule's columns of all coarse steps, column after column, to
// `cells`; all columns of a step are NaN where fewer than x_files_factor of the values are known,
// or none. Returns how many steps are known.
size_t RollUpFine(const AggregateColumns& columns, double x_files_factor, size_t per_step,
                  absl::Span<const double> fine, absl::Span<double> cells);

// The same from an archive that is coarse itself: `finer` has its columns, column after column.
// x_files_factor counts known finer steps, whatever was known of them. What each column becomes:
// sums, counts and squared deviations add up, minima and the like stay what they are, medians and
// percentiles become those of the finer medians and percentiles, a bare average becomes the average
// of averages, as whisper's.
size_t RollUpCoarse(const AggregateColumns& columns, double x_files_factor, size_t per_step,
                    absl::Span<const double> finer, absl::Span<double> cells);

// Either, for archive k >= 1 of a schema, from what archive k-1 keeps.
size_t RollUpArchive(const SeriesSchema& schema, const AggregateColumns& columns, size_t k,
                     absl::Span<const double> finer, absl::Span<double> cells);

// How many steps of archive k-1 make one of archive k.
inline size_t StepsPerStep(const SeriesSchema& schema, size_t k) {
  return static_cast<size_t>(schema.archives[k].step_sec / schema.archives[k - 1].step_sec);
}
// The columns of archive k-1.
inline size_t FinerColumns(const AggregateColumns& columns, size_t k) {
  return k == 1 ? 1 : columns.size();
}

}  // namespace shoal
