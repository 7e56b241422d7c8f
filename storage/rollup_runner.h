// Brings the coarser archives up to date from the finer ones, lazily, in batches.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "storage/index/metric_index.h"
#include "storage/ring/ring_store.h"

namespace shoal {

// One thread (the flusher's). Borrows both.
class RollupRunner {
 public:
  enum class When {
    kWorthwhile,  // a batch of steps is complete
    kAll,         // every complete step
    kLagging,     // only what is about to lose its finer data
  };

  RollupRunner(const MetricIndex* index, RingStore* rings) : index_(index), rings_(rings) {}

  // Every point before `now_sec` that has been flushed counts; later ones are late. Stops at the
  // first error of writing.
  absl::Status Run(When when, int64_t now_sec);
  // Of one schema.
  absl::Status RunSchema(SchemaId schema_id, When when, int64_t now_sec);

 private:
  absl::Status RunArchive(SchemaId schema_id, const SeriesSchema& schema, size_t k, When when,
                          int64_t now_sec);
  // Steps [start, end) of archive k for all series of the schema.
  absl::Status RollUpSpan(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                          int64_t start_sec, int64_t end_sec);

  const MetricIndex* const index_;
  RingStore* const rings_;
};

}  // namespace shoal
