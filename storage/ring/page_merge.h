// One page on its way through the writer: what the disk holds, merged with new points, encoded.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/page/page_codec.h"
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
  uint32_t known = 0;      // of the steps
  SlotRef at;              // where it goes; found by the writer
  uint8_t generation = 0;  // of that slot
  bool alone = false;      // no other write of the same call is of this series
  bool last = false;       // no later one is
  size_t points() const { return fine.size() + known; }
};

// One thread at a time.
class PageMerge {
 public:
  // What stands in a page's place, as far as the series is concerned.
  enum class Found { kNothing, kPoints, kLaterLap };

  // Before anything else: pages of this archive.
  void SetArchive(const ArchiveRings& rings);
  // Nothing is known.
  void Reset();
  // Checks the raw page of the slot and takes over what it has for the stripe. DataLoss: it is bad,
  // and nothing of it is taken.
  absl::Status Load(SlotRef at, SeriesId series, uint8_t generation, uint32_t stripe, char* raw,
                    Found* found);
  void Merge(const PageWrite& write);
  bool AnyKnown() const;

  // Encodes what is known, at least one step, for any class.
  const PageSize& Encode(SeriesId series, uint32_t stripe);
  const PageSize& size() const { return size_; }
  // The encoded page as it belongs into a slot that is large enough; valid until the next Encode.
  bool Fits(const RingFile& file) const { return size_.bytes <= file.header().page_bytes; }
  absl::string_view Seal(SlotRef at, uint8_t generation);

 private:
  PageShape shape_;  // page_bytes is that of the full class
  int64_t step_sec_ = 0;
  uint32_t stripes_ = 0;
  std::vector<double> dense_;
  std::vector<char> body_;
  PageSize size_;
};

}  // namespace shoal
