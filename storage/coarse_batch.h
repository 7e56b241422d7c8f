// Coarse steps of many series on their way to one archive: gathered in one buffer of bounded size,
// written together.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/ring/ring_store.h"
#include "storage/series_schema.h"

namespace shoal {

// One thread. Borrows the rings.
class CoarseBatch {
 public:
  CoarseBatch(RingStore* rings, ArchiveKey archive, size_t columns)
      : rings_(rings), archive_(archive), columns_(columns) {}

  // Room for the columns of `steps` steps, column after column, to be filled in before the next
  // call.
  absl::Span<double> Append(SeriesId series, int64_t start_sec, size_t steps);
  // Takes back the last Append.
  void DropLast();

  // Writes what there is; WriteIfLarge when it has grown past its bound.
  absl::Status Write();
  absl::Status WriteIfLarge() { return cells_.size() < kCellsMax ? absl::OkStatus() : Write(); }

 private:
  static constexpr size_t kCellsMax = 2 << 20;  // 16 MiB

  RingStore* const rings_;
  const ArchiveKey archive_;
  const size_t columns_;
  std::vector<CoarseRun> runs_;  // `cells` is set when they are written
  std::vector<double> cells_;
};

}  // namespace shoal
