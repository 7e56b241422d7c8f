// The ring files of one node: every archive of every series on disk.
//
// A ring file is a fixed-size file for one archive and one size class: a ring of stripes, each
// covering a fixed span of time for all slots of the file; a slot belongs to one series. See
// docs/format/ring.md.
//
// Writes go through the double-write journal: journal (one sequential write, one sync), then in
// place, then the ring files are synced before the journal is reused. After a crash Open() replays
// whole journal entries, so that a page is always the old one or the new one. Every page read is
// checked; a page that fails is quarantined (counted, reported, never served) and the read says so.
//
// Threads: one writer at a time (the flusher); reads from any thread at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/stats.h"
#include "storage/fs/file_system.h"
#include "storage/series_schema.h"

namespace shoal {

struct RingStoreOptions {
  FileSystem* fs = nullptr;
  std::string dir;                    // DIR/ring
  MetricRegistry* metrics = nullptr;  // may be null
  int64_t stripe_steps = 512;  // steps that a stripe covers; fixed for a file at its creation
  int64_t stripe_bytes_max = 2 << 20;  // decides the slots of a file
  // How far ahead of the clock points may be. New files of finest archives have room for it beside
  // the retention; without, a point from the future takes the place of one that has not expired.
  int64_t future_sec = 0;
  // Ring files open at a time, without those in use at the moment.
  size_t open_files_max = 512;
};

// Pending points of one series for the finest archive, sorted by timestamp, one per step (the last
// write has won already).
struct SeriesPoints {
  SeriesId series = kNoSeries;
  absl::Span<const Point> points;
};

struct RingStoreUsage {
  ArchiveKey archive;
  uint8_t size_class = 0;
  uint32_t step_sec = 0;
  int64_t retention_sec = 0;
  uint64_t files = 0;
  uint64_t slots = 0;
  uint64_t slots_used = 0;
  uint64_t logical_bytes = 0;
  uint64_t allocated_bytes = 0;
};

struct StoredPage;

class RingStore {
 public:
  virtual ~RingStore() = default;

  // Replays the double-write journal, reads the headers and slot tables of all files. Files of a
  // newer format version: FailedPrecondition, nothing touched. `schemas[id]` is the schema of that
  // id.
  static absl::StatusOr<std::unique_ptr<RingStore>> Open(RingStoreOptions options,
                                                         std::vector<SeriesSchema> schemas);

  // Adds the next SchemaId.
  virtual void AddSchema(SchemaId id, const SeriesSchema& schema) = 0;

  // Merges points into the finest archive (`archive.archive` is 0), last write wins against what is
  // stored. Points whose stripe has been overwritten by a later lap are dropped and counted,
  // and so are NaN and timestamps that the format has no place for (before 1970, or millennia
  // ahead). Durable when OK is returned. On error some of the points may be stored; writing them
  // again is harmless. Makes slots for series that have none.
  virtual absl::Status Write(ArchiveKey archive, absl::Span<const SeriesPoints> points) = 0;
  // The same for a coarser archive. A known step replaces what is stored, an absent one leaves it.
  virtual absl::Status WriteCoarse(ArchiveKey archive, absl::Span<const CoarseRun> runs) = 0;

  // Reads steps [start_sec, start_sec + step * out.size()) of the finest archive; `start_sec` is
  // aligned. Absent: NaN. DataLoss when a needed page is bad (the rest of `out` is filled all the
  // same).
  virtual absl::Status Read(ArchiveKey archive, SeriesId series, int64_t start_sec,
                            absl::Span<double> out) const = 0;
  // The same for `steps` steps of a coarser archive, column after column; `cells` has room for all
  // columns. All columns of an absent step are NaN.
  virtual absl::Status ReadCoarse(ArchiveKey archive, SeriesId series, int64_t start_sec,
                                  size_t steps, absl::Span<double> cells) const = 0;

  // Reads steps [start_sec, start_sec + step * steps) of many series of any archive, in the order
  // in which their pages lie on disk. `visit` gets each series that has something there: its place
  // in `series`, its columns (columns * steps doubles, column after column, NaN where absent; valid
  // during the call) and the first error of its pages. The order of the visits is not that of
  // `series`. Memory is bounded, whatever the number of series. Not OK: nothing was read.
  virtual absl::Status ReadBatch(
      ArchiveKey archive, absl::Span<const SeriesId> series, int64_t start_sec, size_t steps,
      absl::FunctionRef<void(size_t index, absl::Span<const double> columns,
                             const absl::Status& status)>
          visit) const = 0;

  // Everything before this (exclusive, aligned to the archive's step) has been rolled up into the
  // coarse archive for all series of the schema; 0 when nothing has. Durable with SetRolledUntil.
  virtual int64_t RolledUntil(ArchiveKey archive) const = 0;
  virtual absl::Status SetRolledUntil(ArchiveKey archive, int64_t until_sec) = 0;

  // Series that have a slot in the archive, ascending.
  virtual std::vector<SeriesId> SeriesIn(ArchiveKey archive) const = 0;
  // Frees the slots of deleted series in all archives of their schema.
  virtual absl::Status Free(SchemaId schema, absl::Span<const SeriesId> series) = 0;
  // Gives the disk blocks of what has expired back to the file system: stripes with nothing but
  // points older than their archive's retention. `now_sec` is the node's clock; stripes stay when
  // the clock is ahead of all points that were written since Open, so that a wrong one destroys
  // nothing.
  virtual absl::Status PunchExpired(int64_t now_sec) = 0;

  // Reads and checks every page that should hold data; returns a line per bad page ("FILE stripe S
  // slot N: reason").
  virtual std::vector<std::string> Verify() const = 0;
  // One entry for each schema, archive and class that has files, ascending.
  virtual std::vector<RingStoreUsage> Usage() const = 0;
  // Reads every page, see ScanPages; returns how many failed.
  virtual uint64_t VisitPages(absl::FunctionRef<void(const StoredPage&)> visit) const = 0;
  // What the catalog of slots takes in memory.
  virtual uint64_t MemoryBytes() const = 0;
  // Pages that failed their check since Open.
  virtual uint64_t BadPages() const = 0;
};

}  // namespace shoal
