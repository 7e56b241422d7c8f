// The series of a node: names, ids and schemas; in memory for look-ups, in LevelDB and a series log
// on disk.
//
// The series log is an append-only record log of definitions, from which LevelDB is rebuilt when it
// is missing or corrupt; a definition is in the WAL before it gets here. Neither is needed on the
// hot path: memory has it all. See docs/format/index.md.
//
// Threads: look-ups and changes from any thread; Persist from one at a time (the flusher).
#pragma once

#include <atomic>
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
#include "storage/fs/file_system.h"
#include "storage/index/name_tree.h"
#include "storage/log/segmented_log.h"
#include "storage/series_schema.h"
#include "storage/wal_record.h"

namespace leveldb {
class DB;
class Env;
}  // namespace leveldb

namespace shoal {

struct IndexReport {
  bool rebuilt = false;  // LevelDB was missing or corrupt and has been made from the series log
  uint64_t damaged_records = 0;  // of the series log
};

class MetricIndex {
 public:
  static constexpr size_t kSchemasMax = 4096;

  // `dir` is created when absent.
  static absl::StatusOr<std::unique_ptr<MetricIndex>> Open(FileSystem* fs, const std::string& dir);
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
  // Ids up to and including this are never given out.
  void ReserveId(SeriesId series);

  // nullptr: unknown or removed. Lock-free; the schema lives as long as the index.
  const SeriesSchema* SchemaOf(SeriesId series, SchemaId* schema = nullptr) const;
  std::string NameOf(SeriesId series) const;  // empty when unknown or removed
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }

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
    std::vector<SeriesDefinition> series;
    struct Removal {
      SeriesId id;
      std::string name;
    };
    std::vector<Removal> removed;
    bool empty() const { return schemas.empty() && series.empty() && removed.empty(); }
  };

  MetricIndex(FileSystem* fs, std::string dir);
  Entry* EntryOf(SeriesId series) const;  // nullptr: no such chunk yet
  Entry* MakeEntry(SeriesId series);
  void AddSchemaLocked(const SchemaDefinition& definition);
  void AddLocked(absl::string_view name, SeriesId series, SchemaId schema);
  void RemoveLocked(SeriesId series, std::string* name);
  void ClearMemory();

  absl::Status OpenLevelDb();
  absl::Status LoadLevelDb();
  // Brings memory and LevelDB up to the end of the series log.
  absl::Status CatchUp();
  absl::Status DestroyLevelDb();
  absl::Status RewriteSeriesLog();
  // `series` of the changes' own are those that go to the log.
  absl::Status AppendToSeriesLog(const Changes& changes, absl::Span<const SeriesDefinition> series);
  absl::Status WriteToLevelDb(const Changes& changes);

  FileSystem* const fs_;
  const std::string dir_;
  IndexReport report_;
  std::unique_ptr<leveldb::Env> env_;
  std::unique_ptr<SegmentedLog> series_log_;
  // Only used in Open and Persist. Null after it failed: memory and series log go on without it.
  std::unique_ptr<leveldb::DB> db_;
  // What LevelDB's state record says.
  LogPosition applied_;  // LevelDB holds everything of the series log before this
  SeriesId persisted_next_id_ = 0;
  uint64_t persisted_size_ = 0;

  // std::shared_mutex: look-ups of many write streams at once. Guards tree_, the nodes of entries,
  // changes_, schemas_.
  mutable std::shared_mutex mu_;
  NameTree tree_;
  Changes changes_;
  std::deque<SeriesSchema> schemas_;
  SeriesId next_id_ = 0;
  std::atomic<uint64_t> size_{0};
  std::atomic<size_t> schema_count_{0};
  std::unique_ptr<std::atomic<const SeriesSchema*>[]> schema_table_;
  std::unique_ptr<std::atomic<Entry*>[]> chunks_;
};

}  // namespace shoal
