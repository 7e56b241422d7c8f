// The series of a node: names, ids and schemas; in memory for look-ups, in a series log and in
// LevelDB on disk.
//
// The series log is an append-only record log of definitions that lies beside the ring files: it is
// what names their slots. LevelDB, in a folder of its own, is the fast way to load, and is made
// anew from the log when it is missing, corrupt or has failed; the log is written anew from LevelDB
// when it is lost. A definition is in the WAL before it gets to either. Neither is needed on the
// hot path: memory has it all. See docs/format/index.md.
//
// Threads: look-ups and changes from any thread; Persist from one at a time (the flusher).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/metric/glob.h"
#include "base/stats.h"
#include "storage/fs/file_system.h"
#include "storage/index/leveldb_index.h"
#include "storage/index/name_tree.h"
#include "storage/log/segmented_log.h"
#include "storage/series_schema.h"
#include "storage/wal_record.h"

namespace shoal {

struct IndexReport {
  bool rebuilt = false;  // LevelDB was missing or corrupt and has been made from the series log
  uint64_t damaged_records = 0;  // of the series log
};

struct MetricIndexOptions {
  FileSystem* fs = nullptr;
  std::string dir;                    // of LevelDB; created when absent
  std::string log_dir;                // of the series log
  MetricRegistry* metrics = nullptr;  // may be null
};

class MetricIndex {
 public:
  static constexpr size_t kSchemasMax = 4096;

  static absl::StatusOr<std::unique_ptr<MetricIndex>> Open(MetricIndexOptions options);
  ~MetricIndex();

  // kNoSeries when there is none.
  SeriesId Find(absl::string_view name) const;
  // `name` must not be there yet; the caller keeps creations apart from each other.
  SeriesId Create(absl::string_view name, SchemaId schema);
  // A definition out of the WAL. One that a later one has overtaken is left out; ids of names are
  // never used again all the same. Whether the series is new.
  bool Restore(const SeriesDefinition& definition);
  // The name goes, the id stays dead for ever. No effect when dead already.
  void Remove(SeriesId series);
  // The series goes on with another schema, which must be known. False: it is dead.
  bool ChangeSchema(SeriesId series, SchemaId schema);
  // Called with each name that Remove takes away. Set before other threads come.
  void OnRemoved(std::function<void(absl::string_view name)> on_removed) {
    on_removed_ = std::move(on_removed);
  }
  // Ids up to and including this are never given out.
  void ReserveId(SeriesId series);

  // nullptr: unknown or removed. Lock-free; the schema lives as long as the index.
  const SeriesSchema* SchemaOf(SeriesId series, SchemaId* schema = nullptr) const;
  // Fetches what SchemaOf reads of the series into the processor's cache.
  void Prefetch(SeriesId series) const;
  std::string NameOf(SeriesId series) const;  // empty when unknown or removed
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  // Ids from here on have not been given out yet.
  SeriesId ids_end() const;
  // Whether the names have no room in memory for one more.
  bool full() const;

  // The id of the schema; a new one when it is new (*is_new). ResourceExhausted past kSchemasMax.
  absl::StatusOr<SchemaId> InternSchema(const SeriesSchema& schema, bool* is_new);
  // A definition out of the WAL or the series log. DataLoss when it contradicts what is known.
  absl::Status RestoreSchema(const SchemaDefinition& definition);
  // nullptr: unknown.
  const SeriesSchema* Schema(SchemaId id) const;
  size_t schema_count() const { return schema_count_.load(std::memory_order_acquire); }

  // See NameTree::Glob. `visit` runs under the index's lock: it must be quick and must not call
  // back.
  void Glob(const shoal::Glob& glob,
            absl::FunctionRef<bool(const NameTree::Match& match)> visit) const;
  // Ordered by name. `visit` runs without a lock, on a copy of the names.
  void VisitNames(absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const;

  // Makes durable what has changed since the last OK. On error nothing is forgotten: the next call
  // tries again.
  absl::Status Persist();

  // LevelDB that failed is made anew by Persist, not sooner than 30 s later; now for tests.
  void RetryLevelDbNow() { next_rebuild_ = std::chrono::steady_clock::time_point(); }

  const IndexReport& report() const { return report_; }

 private:
  struct Entry {
    std::atomic<uint32_t> state{0};  // 0: unknown or dead; kAlive | schema
    NameTree::NodeId node = NameTree::kNoNode;
  };
  static constexpr uint32_t kAlive = 1u << 16;
  static constexpr size_t kChunkEntries = 1 << 16;
  static constexpr size_t kChunks = 1 << 16;

  // What is not persisted yet.
  struct Changes {
    std::vector<SchemaDefinition> schemas;
    std::vector<SeriesId> created;  // memory has the names; those that are dead again are left out
    struct Removal {
      SeriesId id;
      std::string name;
    };
    std::vector<Removal> removed;
    std::vector<SeriesId> changed;  // their schemas; those that are dead again are left out
    bool empty() const {
      return schemas.empty() && created.empty() && removed.empty() && changed.empty();
    }
  };

  explicit MetricIndex(MetricIndexOptions options);
  Entry* EntryOf(SeriesId series) const;  // nullptr: no such chunk yet
  Entry* MakeEntry(SeriesId series);
  void AddSchemaLocked(const SchemaDefinition& definition);
  void AddLocked(absl::string_view name, SeriesId series, SchemaId schema);
  void RemoveLocked(SeriesId series, std::string* name);
  bool ChangeSchemaLocked(SeriesId series, SchemaId schema);
  void ClearMemory();
  // Calls with the definitions of those of `series` that are alive, a few thousand at a time. No
  // lock is held during the calls.
  absl::Status ForDefinitions(
      absl::Span<const SeriesId> series,
      absl::FunctionRef<absl::Status(absl::Span<const SeriesDefinition>)> take) const;

  absl::Status OpenFiles();
  absl::Status LoadLevelDb();
  // Brings memory and LevelDB up to the end of the series log.
  absl::Status CatchUp();
  absl::Status ApplyLogRecord(const WalRecord& record, Changes* changes);
  // Memory to LevelDB, which is empty; by name, which suits it best.
  absl::Status FillLevelDb();
  // The series log to LevelDB, whatever was in it, while changes go on in memory.
  absl::Status RebuildLevelDb();
  // Memory to a new series log; the old one goes when the new one is durable.
  absl::Status RewriteSeriesLog();
  bool SeriesLogIsLong() const;
  absl::Status AppendToSeriesLog(const Changes& changes);
  absl::Status WriteToLevelDb(const Changes& changes);
  void LevelDbFailed(const absl::Status& why);

  const MetricIndexOptions options_;
  std::function<void(absl::string_view name)> on_removed_;
  IndexReport report_;
  std::unique_ptr<SegmentedLog> series_log_;
  // Only used in Open and Persist. Closed after it failed: memory and series log go on without it,
  // and Persist makes it anew.
  LevelDbIndex leveldb_;
  LevelDbIndex::State state_;  // as last committed, or to be committed next
  Gauge* leveldb_gauge_ = nullptr;
  Counter* rebuilds_counter_ = nullptr;
  std::chrono::steady_clock::time_point next_rebuild_;

  // std::shared_mutex: look-ups of many write streams at once. Guards tree_, the nodes of entries,
  // changes_, schemas_.
  mutable std::shared_mutex mu_;
  NameTree tree_;
  Changes changes_;
  std::deque<SeriesSchema> schemas_;
  SeriesId next_id_ = 0;
  uint64_t name_bytes_ = 0;  // of the series that are alive
  std::atomic<uint64_t> size_{0};
  std::atomic<size_t> schema_count_{0};
  std::unique_ptr<std::atomic<const SeriesSchema*>[]> schema_table_;
  std::unique_ptr<std::atomic<Entry*>[]> chunks_;
};

}  // namespace shoal
