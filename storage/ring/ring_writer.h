// The write side of the ring store: finds the page of each write, merges, chooses the size class.
//
// Pages of series that have a slot are rewritten in the order of the disk; new series are encoded
// once, then leased a slot of the class that they need. A series changes its class when a page does
// not fit any more (promotion, from that page's stripe on), and when a stripe begins and the last
// page says that another class is clearly better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/ring/bad_pages.h"
#include "storage/ring/page_merge.h"
#include "storage/ring/ring_catalog.h"
#include "storage/ring/ring_commit.h"

namespace shoal {

// May be null, each.
struct RingWriterCounters {
  Counter* points_written = nullptr;
  Counter* points_expired = nullptr;  // dropped: a later lap has their place
  Counter* pages_written = nullptr;
  Counter* pages_lost = nullptr;  // bad pages that were rewritten from the points at hand
  Counter* promotions = nullptr;
  Counter* class_changes = nullptr;  // at the beginning of a stripe
  Counter* journal_bytes = nullptr;
  Counter* stripes_punched = nullptr;
};

// One thread at a time. `mu` guards the catalog; the writer takes it for each look-up and change.
class RingWriter {
 public:
  RingWriter(RingFilePool* pool, std::string dir, int64_t stripe_bytes_max, Mutex* mu,
             BadPages* bad_pages, RingWriterCounters counters);

  // All writes of a series side by side, ascending by stripe.
  absl::Status Write(ArchiveRings* rings, std::vector<PageWrite> writes);
  // Gives back all slots of the series in one archive.
  absl::Status Free(ArchiveRings* rings, absl::Span<const SeriesId> series);
  // Gives the disk blocks of stripes back that hold nothing but steps before `oldest_sec`, when no
  // step after `newest_sec` is stored.
  absl::Status PunchExpired(ArchiveRings* rings, int64_t oldest_sec, int64_t newest_sec);

 private:
  using Found = PageMerge::Found;

  // Splits the writes into those with a slot, in the order of the disk, and those of new series.
  void Route(std::vector<PageWrite> writes, std::vector<PageWrite>* known,
             std::vector<PageWrite>* fresh);
  bool RouteTo(const Leases& leases, PageWrite* write) const;
  absl::Status WriteKnown(absl::Span<PageWrite> writes);
  // All writes of one stripe of one file, ascending by slot.
  absl::Status WriteGroup(absl::Span<PageWrite> group);
  absl::Status WriteFresh(absl::Span<PageWrite> writes);
  absl::Status WriteDeferred(PageWrite write);
  absl::Status ReadPage(SlotRef at, SeriesId series, uint8_t generation, uint32_t stripe,
                        Found* found);

  // ring_writer_leases.cc: what follows concerns the encoded page in merge_.
  //
  // The class that the series should have from the write's stripe on, given the page of the stripe
  // before; nothing when the one that it has will do.
  std::optional<uint8_t> ClassAnew(const PageWrite& write, const char* last_page) const;
  absl::Status ChangeClass(const PageWrite& write, uint8_t size_class, Leases leases);
  // The page does not fit its slot: from its stripe on, the series moves to a larger one.
  absl::Status Promote(const PageWrite& write, const Leases& leases);
  void StageExpired(const PageWrite& write, Leases* leases);
  absl::Status CopyLaterPages(SeriesId series, const Lease& from, uint32_t after_stripe,
                              const Lease& to);
  absl::Status LearnNewest(RingFile* file, uint32_t stripe) const;
  absl::StatusOr<bool> HasEarlierPages(SeriesId series, const Lease& lease, uint32_t stripe) const;

  absl::Status TakeSlot(uint8_t size_class, Lease* lease);
  void StagePage(SlotRef at, uint32_t stripe, absl::string_view image);
  void CountWritten(const PageWrite& write) const;
  void CountExpired(const PageWrite& write) const;

  RingFilePool* const pool_;
  const std::string dir_;
  const int64_t stripe_bytes_max_;
  Mutex* const mu_;
  BadPages* const bad_pages_;
  const RingWriterCounters counters_;

  RingCommit commit_;
  PageMerge merge_;
  PageMerge copy_;                 // of pages that move along
  ArchiveRings* rings_ = nullptr;  // of the call that is under way

  // Writes to be routed again, after all others are in place.
  std::vector<PageWrite> deferred_;

  std::vector<char> stripe_buffer_;
  std::vector<char> last_stripe_buffer_;
  std::vector<char> page_;
};

}  // namespace shoal
