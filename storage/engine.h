// The storage engine of one node: WAL, write-buffered cache, ring files, rollups, series index
// behind one facade.
//
// Threads: every method is safe from any thread. Write's callbacks run on the engine's commit
// thread: they must be quick and must not call back into the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/metric/glob.h"
#include "base/metric/series.h"
#include "base/stats.h"
#include "storage/fs/file_system.h"
#include "storage/ring/ring_store.h"
#include "storage/series_limits.h"
#include "storage/series_schema.h"

namespace shoal {

enum class WalSync : uint8_t { kAlways, kInterval, kNever };

struct EngineOptions {
  FileSystem* fs = nullptr;           // FileSystem::Posix() when null
  const Clock* clock = nullptr;       // Clock::System() when null
  MetricRegistry* metrics = nullptr;  // may be null
  std::string dir;
  // Written to DIR/IDENTITY at first start; a folder of another node or cluster is refused
  // (FailedPrecondition).
  std::string cluster_name;
  std::string node_name;
  SchemaRules schemas;
  AggregationRules aggregations;

  WalSync wal_sync = WalSync::kAlways;
  int64_t wal_sync_interval_ms = 1000;  // for kInterval
  int64_t wal_segment_bytes = 64 << 20;
  // A flush round begins at half of it, and a restart has about so much to replay at most.
  int64_t wal_bytes_max = 1 << 30;
  // Both generations; a flush round begins in time for the rest to take what comes meanwhile.
  int64_t write_buffer_bytes_max = 320 << 20;
  int64_t flush_interval_ms = 600'000;  // each ring file about this often
  // Points further ahead are refused. Every ring file has room for so much beyond its retention, so
  // that a point from a fast clock never takes the place of one that is still kept: a longer time
  // costs disk.
  int64_t future_sec_max = 3600;
  int64_t series_max = 10'000'000;
  int64_t series_creations_per_sec = 0;  // 0: as fast as they come
  // Series without a point over their whole retention are removed, a few per flush round.
  bool expire = true;
  // Series that were created under other rules get the schema that these say, with their history,
  // in the background.
  bool migrate_schemas = true;
  std::vector<SeriesLimit> series_limits;  // by prefix, at most SeriesLimits::kPrefixesMax
  int64_t disk_reserve_bytes = 64 << 20;   // writes are refused (Unavailable) when less is free
};

// Why a single point was not taken. Frozen: crosses the wire.
enum class RefusalReason : uint8_t {
  kTooOld = 1,  // older than the coarsest archive keeps
  kTooFarAhead = 2,
  kSeriesLimit = 3,
  kBadName = 4,
  kSeriesGone = 5,  // deleted since it was resolved: resolve the name again. Stays within the node
};
const char* RefusalReasonText(RefusalReason reason);  // "too_old", ...

struct Refusal {
  uint32_t index = 0;  // in the batch
  RefusalReason reason = RefusalReason::kTooOld;
};

// Columns of equal length.
struct WriteBatch {
  std::vector<SeriesId>
      series;  // kNoSeries: refused with kSeriesLimit or kBadName when it was resolved
  std::vector<int64_t> timestamps_sec;
  std::vector<double> values;
};

struct WriteResult {
  // OK: every point that is not refused is durable (as wal_sync says) and readable. Unavailable:
  // try again later (disk full, shutting down); nothing of the batch may be taken as stored.
  // InvalidArgument: more than two million points.
  absl::Status status;
  std::vector<Refusal> refused;
};

// A node of the name tree that a pattern matched.
struct FoundNode {
  absl::string_view path;  // valid during the visit
  bool is_leaf = false;
  SeriesId series = kNoSeries;  // for leaves
};

struct EngineStats {
  uint64_t series = 0;
  uint64_t points_written = 0;
  uint64_t write_buffer_points = 0;
  uint64_t write_buffer_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t bad_pages = 0;
  bool read_only = false;  // disk full or a failed log
  std::string read_only_reason;
};

// What recovery did, for the log and for tests.
struct RecoveryReport {
  uint64_t wal_records = 0;
  uint64_t points_replayed = 0;
  uint64_t torn_tail_bytes = 0;
  uint64_t damaged_records = 0;  // mid-log damage: reported, never replayed as data
  bool index_rebuilt = false;
};

class Engine {
 public:
  virtual ~Engine() = default;

  static absl::StatusOr<std::unique_ptr<Engine>> Open(EngineOptions options);

  // The id of a name (canonical, validated here again); creates the series when new. New series are
  // in the WAL before the first point that uses them. ResourceExhausted past a limit: try later;
  // InvalidArgument for a bad name.
  virtual absl::StatusOr<SeriesId> Resolve(absl::string_view name) = 0;

  // Queues the batch for the next group commit; `done` is called exactly once. Blocks while the
  // write buffer is past its high mark (back-pressure) until there is room.
  virtual void Write(WriteBatch batch, std::function<void(WriteResult)> done) = 0;
  // The same, waiting.
  WriteResult WriteAndWait(WriteBatch batch);

  // The nodes (branches and leaves) that match, ordered by path. A path may be both. Ends early
  // when `visit` returns false. `visit` runs under the index's lock: it must be quick and must not
  // call the engine.
  virtual absl::Status Find(const Glob& glob,
                            absl::FunctionRef<bool(const FoundNode&)> visit) const = 0;
  // The names of all series, ordered.
  virtual absl::Status ListNames(
      absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const = 0;

  // One series over a range: archive by age of `from`, ring pages, not-yet-rolled-up tail and write
  // buffer merged. The answer covers the whole grid, clamped to [now - retention, now]; a range
  // that lies outside gives an empty series. DataLoss when a page that is needed is bad; then `out`
  // has the rest.
  virtual absl::Status Read(SeriesId series, const FetchRange& range, Series* out) const = 0;

  virtual absl::Status Delete(absl::string_view name) = 0;
  // Durable when OK; ids that are dead already are passed over. On error some may be deleted.
  virtual absl::Status DeleteSeries(absl::Span<const SeriesId> series) = 0;

  // Writes all that is buffered to the ring files, brings rollups up to date, advances the WAL's
  // checkpoint.
  virtual absl::Status Flush() = 0;
  // The same as the engine's own rounds do it: of the rollups only what is worth a batch.
  virtual absl::Status FlushPoints() = 0;

  virtual EngineStats Stats() const = 0;
  virtual const RecoveryReport& recovery() const = 0;
  virtual const RingStore& rings() const = 0;

  // Refuses new writes, flushes, syncs. Idempotent; the destructor calls it.
  virtual absl::Status Close() = 0;
};

}  // namespace shoal
