// Pages: one series' part of a stripe, in a fixed number of bytes. docs/format/page.md has the
// bytes.
//
// A page holds, for the `steps` of its stripe, one or more columns of doubles on a shared set of
// known steps. In memory the columns are dense: columns * steps doubles, column after column; a
// step is absent when its first column is NaN.
//
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/series_schema.h"

namespace shoal {

inline constexpr size_t kPageHeaderBytes = 16;
// Bounds of what a file header may say; the counts in a page are 16 bits wide.
inline constexpr uint32_t kPageStepsMax = 32'768;
inline constexpr uint8_t kPageColumnsMax = 15;
inline constexpr uint32_t kPageBytesMax = 1 << 22;

// What is the same for all pages of a file.
struct PageShape {
  uint32_t steps = 0;       // 1..kPageStepsMax
  uint8_t columns = 1;      // 1..kPageColumnsMax
  uint32_t page_bytes = 0;  // PageBytesFor() of the file's size class (size_class.h)
  size_t cells() const { return size_t{columns} * steps; }
};

// Whose page it is, and of which span of time.
struct PageTag {
  SeriesId series = kNoSeries;
  uint32_t stripe = 0;     // timestamp / (step * steps): tells this lap of the ring from the last
  uint8_t generation = 0;  // of the slot: tells a series from the one that had the slot before
  friend bool operator==(const PageTag&, const PageTag&) = default;
};

struct PageHeader {
  PageTag tag;
  uint16_t count = 0;  // known steps; 0 only when `blank`
  bool blank = false;  // all bytes are zero: never written
};

struct PageSize {
  uint32_t bytes = 0;       // header to last column, without padding
  uint32_t full_bytes = 0;  // what it should be once all steps are known, if they go on like these
};

// Encodes the dense columns into `page` (shape.page_bytes bytes, all of them are set). False when
// they do not fit. At least one step is known. `seed` binds the page to its file and slot.
bool EncodePage(const PageShape& shape, uint64_t seed, const PageTag& tag,
                absl::Span<const double> dense, char* page);

// The two halves of EncodePage, for a writer that chooses the size class by the outcome: the body
// is the same for every class and slot. PageBytesFor(kFullSizeClass) bytes always do. False when
// `page` is too small; its bytes and `size` are undefined then.
bool EncodePageBody(const PageShape& shape, const PageTag& tag, absl::Span<const double> dense,
                    absl::Span<char> page, PageSize* size);
// The slot may be known later than the body.
void SetPageGeneration(uint8_t generation, char* page);
// Fills the page with zeros from `used` on and sets the checksum.
void SealPage(uint64_t seed, size_t used, absl::Span<char> page);

// What EncodePageBody needs for these columns.
PageSize MeasurePage(const PageShape& shape, absl::Span<const double> dense);

// Verifies the checksum and reads the header. DataLoss names the check that failed.
absl::Status CheckPage(const PageShape& shape, uint64_t seed, absl::string_view page,
                       PageHeader* header);

// The stripe that a page's header names, unchecked; 0 when the page is blank.
uint32_t PageStripe(const char* page);

// Decodes a page that CheckPage accepted (not blank) into shape.cells() doubles. DataLoss when it
// is malformed in spite of its checksum; `dense` is undefined then. Safe on any bytes.
absl::Status DecodePage(const PageShape& shape, absl::string_view page, absl::Span<double> dense);

}  // namespace shoal
