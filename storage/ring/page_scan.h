// Every page of a ring file in the order of the disk: for tools that count what is stored.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "storage/ring/ring_file.h"
#include "storage/series_schema.h"

namespace shoal {

// A page that holds points of a series.
struct StoredPage {
  ArchiveKey archive;
  uint8_t size_class = 0;
  SeriesId series = kNoSeries;
  uint32_t page_bytes = 0;
  uint32_t points = 0;  // steps with a value
};

// Reads and checks the pages of the slots in use; `slots` is a copy of the file's, so that no lock
// is held over the I/O. Returns how many could not be read or failed their check: those are not
// visited. A page of a series that had the slot before is passed over.
uint64_t ScanPages(const RingFile& file, const SlotTable& slots,
                   absl::FunctionRef<void(const StoredPage&)> visit);

}  // namespace shoal
