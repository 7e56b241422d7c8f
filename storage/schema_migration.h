// Gives series that were created under other rules the schema that the rules say now, with their
// history: some at a time, between flush rounds, at a fraction of the time.
//
// The points of a few series are copied from the archives of the old schema to those of the new
// one; then a record in the WAL makes the series go on with the new schema, at once and with what
// is pending, and the old slots are freed. Ids stay, so that nobody who writes or reads notices.
// Wherever it stops, a series has one schema or the other, each with all points; slots in a schema
// in which a series does not live are freed at the next start (FindStraySlots).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/coarse_batch.h"
#include "storage/committer.h"
#include "storage/index/metric_index.h"
#include "storage/ring/ring_store.h"
#include "storage/rollup_runner.h"
#include "storage/schema_history.h"
#include "storage/series_reader.h"

namespace shoal {

class SchemaMigration {
 public:
  struct Hooks {
    // The schema that the rules say for a name, defined in the index.
    std::function<absl::StatusOr<SchemaId>(absl::string_view name)> schema_for;
    // See Flusher.
    std::function<absl::Status(absl::FunctionRef<absl::Status()> work)> quiet_work;
    std::function<void(absl::Span<const Committer::Deleted>)> retire;
    std::function<void(absl::Span<const Committer::Deleted>)> retire_after_round;
    // See Committer.
    std::function<absl::Status(absl::Span<Committer::SchemaMove>)> change_schemas;
  };

  // Borrows everything. `future_sec`: how far ahead points may be. Series that are created later
  // follow the rules already.
  SchemaMigration(Hooks hooks, const MetricIndex* index, RingStore* rings,
                  const SeriesReader* reader, const Clock* clock, int64_t future_sec,
                  MetricRegistry* metrics);
  ~SchemaMigration();

  // Works for about `budget`; when to go on, nullopt when all is done. From any thread.
  std::optional<std::chrono::milliseconds> RunSome(std::chrono::nanoseconds budget);

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  // Series on their way to one schema.
  struct Batch;

  // Looks for series whose schema is not what the rules say.
  absl::Status FindSome(Deadline end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MigrateSome(Deadline end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CopyAndChange(Batch* batch, Deadline end, std::vector<SeriesId>* queue)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Brings the rollups of the new schema so far that they leave alone what is copied.
  absl::Status RollUpFor(const SeriesSchema& from, Batch* batch);
  absl::Status CopySeries(SeriesId series, const SchemaHistory& history, Batch* batch);
  absl::Status WriteFine(Batch* batch);
  bool finished() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return next_ >= ids_end_ && pending_.empty();
  }
  void CountPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Hooks hooks_;
  const MetricIndex* const index_;
  RingStore* const rings_;
  const SeriesReader* const reader_;
  const Clock* const clock_;
  const int64_t future_sec_;
  const SeriesId ids_end_;
  Counter* migrated_counter_ = nullptr;  // the metrics are null without a registry
  Counter* failed_counter_ = nullptr;
  Gauge* pending_gauge_ = nullptr;

  Mutex mu_;                                // held over the work, I/O included
  SeriesId next_ ABSL_GUARDED_BY(mu_) = 0;  // to look at
  std::map<SchemaId, std::vector<SeriesId>> pending_ ABSL_GUARDED_BY(mu_);  // by new schema
  bool announced_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t migrated_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t failed_ ABSL_GUARDED_BY(mu_) = 0;
};

// Slots that a migration has left behind: of series that live, and have slots, in another schema,
// and of those in `dead`.
std::vector<Committer::Deleted> FindStraySlots(const MetricIndex& index, const RingStore& rings,
                                               absl::Span<const SeriesId> dead);

}  // namespace shoal
