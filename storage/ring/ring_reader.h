// The read side of the ring store: finds the pages of a range, checks and decodes them.
//
// What a read returns was durable at some moment of the read. A page that fails its check is
// reported to BadPages and never served; an error of the disk (Unavailable, with file and offset)
// is passed on as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "storage/ring/bad_pages.h"
#include "storage/ring/ring_catalog.h"
#include "storage/series_schema.h"

namespace shoal {

// Thread safe. `mu` guards the catalog; it is taken for each look-up and never held over I/O.
class RingReader {
 public:
  RingReader(Mutex* mu, BadPages* bad_pages) : mu_(mu), bad_pages_(bad_pages) {}

  // What a read needs to know of an archive; constant.
  struct Grid {
    int64_t step_sec = 0;
    uint32_t stripe_steps = 0;
    uint8_t columns = 0;
  };

  // Calls `take` with the dense columns of each page that the range touches: `first` is the step of
  // the range that the page's step `skip` is, `count` steps lie in the range.
  absl::Status ReadPages(const ArchiveRings& rings, SeriesId series, int64_t start_sec,
                         size_t steps,
                         absl::FunctionRef<void(const Grid& grid, absl::Span<const double> dense,
                                                size_t skip, size_t first, size_t count)>
                             take) const;

  // RingStore::ReadBatch.
  absl::Status ReadBatch(const ArchiveRings& rings, absl::Span<const SeriesId> series,
                         int64_t start_sec, size_t steps,
                         absl::FunctionRef<void(size_t index, absl::Span<const double> columns,
                                                const absl::Status& status)>
                             visit) const;

 private:
  struct Range;
  struct Wanted;
  struct PageRef;
  class Block;

  std::vector<Wanted> InOrderOfPlace(const ArchiveRings& rings, const Range& range,
                                     absl::Span<const SeriesId> series) const;
  void ReadRun(absl::Span<const PageRef> run, uint32_t stripe, Block* block) const;
  // Checks and decodes a page that was read; `found` when it has points of the lease's series in
  // that stripe.
  absl::Status DecodeOwn(const Lease& lease, uint32_t stripe, char* page, absl::Span<double> dense,
                         bool* found) const;

  Mutex* const mu_;
  BadPages* const bad_pages_;
};

}  // namespace shoal
