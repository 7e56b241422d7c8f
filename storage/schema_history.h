// What the points of a series come to under another schema: its archives as the old ones say.
//
// Each step of a new archive is made of one old archive, the best that keeps its time. Old steps
// that are finer are rolled up with the new rule; steps that are coarser keep their time and value
// as one point, nothing is invented between them. Columns that the old archive has are taken over;
// a column that it lacks is computed from the values that a query of it has shown.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/metric/aggregate_columns.h"
#include "storage/series_reader.h"
#include "storage/series_schema.h"

namespace shoal {

// One thread. Borrows everything.
class SchemaHistory {
 public:
  SchemaHistory(const SeriesReader* reader, SchemaId from_id, const SeriesSchema* from,
                const SeriesSchema* to);

  // `count` steps of archive k of the new schema from `start_sec` on, which is aligned: values for
  // the finest archive, else columns one after the other; NaN where absent. The first time that
  // the old archives may know of is Oldest.
  absl::Status Read(SeriesId series, size_t k, int64_t start_sec, size_t count, int64_t now_sec,
                    std::vector<double>* cells) const;
  int64_t Oldest(int64_t now_sec) const { return now_sec - from_->archives.back().retention_sec(); }

 private:
  // The old archive that a step of archive k is made of; `sources` in order of preference.
  size_t SourceAt(absl::Span<const size_t> sources, int64_t time_sec, int64_t now_sec) const;
  std::vector<size_t> SourcesFor(size_t k) const;
  // `count` steps of archive k from archive j of the old schema; columns, also for the finest.
  absl::Status Convert(SeriesId series, size_t k, size_t j, int64_t start_sec, size_t count,
                       int64_t now_sec, std::vector<double>* cells) const;

  const SeriesReader* const reader_;
  const SchemaId from_id_;
  const SeriesSchema* const from_;
  const SeriesSchema* const to_;
  const AggregateColumns from_columns_;
  const AggregateColumns to_columns_;
  std::vector<size_t> column_of_;  // of the old archives, by new column; empty when one is missing
};

}  // namespace shoal
