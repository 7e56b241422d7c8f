// The write side of the ring store: merges points into pages, leases and promotes slots, and takes
// every change through the double-write journal.
//
// Changes are collected into a batch. Commit writes the batch to the journal (from then on it will
// happen, also after a crash), then in place, syncs the files, and only then shows readers the new
// leases: until that moment they read the old slots, which a batch does not touch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/ring/bad_pages.h"
#include "storage/ring/double_write.h"
#include "storage/ring/ring_catalog.h"
#include "storage/series_schema.h"

namespace shoal {

// The points of one series in one stripe: `fine`, or the steps of a CoarseRun.
struct PageWrite {
  SeriesId series = kNoSeries;
  uint32_t stripe = 0;
  absl::Span<const Point> fine;
  const double* cells = nullptr;  // column c of the page's step first + i: cells[c * stride + i]
  size_t stride = 0;
  uint32_t first = 0;
  uint32_t steps = 0;
  uint32_t known = 0;  // of the steps
  Lease lease;         // where it goes; found by the writer
  size_t points() const { return fine.size() + known; }
};

// May be null, each.
struct RingWriterCounters {
  Counter* points_written = nullptr;
  Counter* points_expired = nullptr;  // dropped: a later lap has their place
  Counter* pages_written = nullptr;
  Counter* pages_lost = nullptr;  // bad pages that were rewritten from the points at hand
  Counter* promotions = nullptr;
  Counter* journal_bytes = nullptr;
};

// One thread at a time. `mu` guards the catalog; the writer takes it for each look-up and change.
class RingWriter {
 public:
  RingWriter(FileSystem* fs, std::string dir, int64_t stripe_bytes_max, Mutex* mu,
             BadPages* bad_pages, RingWriterCounters counters);
  // Leaves no batch in the journal when all is in place.
  ~RingWriter();

  absl::Status Write(ArchiveRings* rings, std::vector<PageWrite> writes);
  // Gives back all slots of a series in one archive.
  absl::Status Free(ArchiveRings* rings, SeriesId series);

 private:
  struct Staged {
    absl::flat_hash_map<SeriesId, Leases> chains;  // whole new chains
    absl::flat_hash_map<RingFile*, absl::flat_hash_map<uint32_t, SlotEntry>> entries;
    std::vector<SlotRef> taken;  // returned when the batch does not happen
    std::vector<SlotRef> left;   // returned when it does
    struct Rewritten {
      RingFile* file;
      uint32_t index;
      uint32_t slot;
    };
    std::vector<Rewritten> rewritten;  // bad pages
  };
  // What stands in a page's place, as far as the series is concerned.
  enum class Found { kNothing, kPoints, kLaterLap };

  Leases FindLeases(SeriesId series);
  absl::Status Route(PageWrite* write, bool* dropped);
  absl::Status LeaseFirst(const PageWrite& write, Leases* leases);
  absl::Status TakeSlot(uint8_t size_class, SlotRef* ref);
  void StageExpired(SeriesId series, uint32_t stripe, Leases* leases);

  absl::Status WriteGroup(absl::Span<PageWrite> group, std::vector<PageWrite>* deferred);
  absl::Status WriteDeferred(PageWrite write);
  absl::Status Promote(const PageWrite& write, const Leases& leases);
  absl::Status CopyLaterPages(SeriesId series, const Lease& from, uint32_t after_stripe,
                              const Lease& to);

  // Reads the raw page into page_, checks it and decodes it into dense_ (all absent unless
  // kPoints). `tag` is what the page says of itself when it is the lease's.
  absl::Status ReadInto(const Lease& lease, uint32_t stripe, char* page, bool have_raw,
                        Found* found, PageTag* tag);
  void Merge(const PageWrite& write);
  bool AnyKnown() const;
  void StagePage(const Lease& lease, uint32_t stripe, absl::string_view image);
  void CountExpired(const PageWrite& write);

  absl::Status CommitIfLarge();
  absl::Status Commit();
  void RollBack();
  absl::Status ApplyPending();
  void Publish();

  FileSystem* const fs_;
  const std::string dir_;
  const int64_t stripe_bytes_max_;
  Mutex* const mu_;
  BadPages* const bad_pages_;
  const RingWriterCounters counters_;

  DoubleWrite journal_;
  uint64_t sequence_ = 0;
  ArchiveRings* rings_ = nullptr;  // of the call that is under way, and of the pending batch
  JournalBatch batch_;
  absl::flat_hash_map<std::string, RingFile*> touched_;
  Staged staged_;
  // The batch is in the journal but not known to be in place: nothing else is written before it is.
  bool pending_ = false;
  bool reopen_ = false;  // after a failed write or sync in place

  std::vector<char> stripe_buffer_;
  std::vector<char> page_;
  std::vector<char> image_;
  std::vector<double> dense_;
};

}  // namespace shoal
