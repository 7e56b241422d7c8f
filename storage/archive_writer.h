// Writes pending points to the ring files: to the finest archive, and where they are late to the
// coarser ones as well.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/late_points.h"
#include "storage/ring/ring_store.h"
#include "storage/series_schema.h"

namespace shoal {

// One thread (the flusher's). Borrows the rings.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(RingStore* rings) : rings_(rings) {}

  // `series` ascending by id, points sorted. Durable when OK; on error writing the same again is
  // harmless.
  absl::Status Write(SchemaId schema_id, const SeriesSchema& schema,
                     absl::Span<const SeriesPoints> series, int64_t now_sec);

 private:
  // Merges points into steps of archive k that archive k-1 does not cover any more.
  absl::Status MergeUncovered(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                              absl::Span<const SeriesPoints> late, int64_t now_sec);
  // Computes the rolled-up steps of archive k that the points touch anew from archive k-1.
  absl::Status Recompute(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                         absl::Span<const SeriesPoints> late, int64_t now_sec);

  RingStore* const rings_;
};

}  // namespace shoal
