// What is stored, and for whom: per archive of each schema, and per prefix of the names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "storage/ring/ring_store.h"

namespace shoal {

struct ArchiveUsage {
  ArchiveKey archive;
  uint32_t step_sec = 0;
  int64_t retention_sec = 0;
  uint64_t series = 0;      // with a slot in the archive
  uint64_t points = 0;      // steps with a value
  uint64_t page_bytes = 0;  // of the pages that hold them
  uint64_t files = 0;
  uint64_t logical_bytes = 0;    // of the files, holes included
  uint64_t allocated_bytes = 0;  // of the files, on disk
};

struct PrefixUsage {
  std::string prefix;       // the first nodes of the names
  uint64_t series = 0;      // known by name, with points on disk or not
  uint64_t points = 0;      // of all archives
  uint64_t page_bytes = 0;  // of all archives
};

struct UsageReport {
  std::vector<ArchiveUsage> archives;  // by schema and archive
  std::vector<PrefixUsage> prefixes;   // the largest first
  uint64_t series = 0;
  uint64_t prefixes_left_out = 0;
  uint64_t nameless_series = 0;  // with pages and without a name: deleted, and not freed yet
  uint64_t failed_pages = 0;     // could not be read or failed their check; not counted above
};

struct UsageQuery {
  uint32_t prefix_nodes = 1;  // of the names, from the left; 0: no prefixes
  size_t prefixes_max = 100;
};

// Calls its argument with every name and its series.
using VisitNamesFn =
    absl::FunctionRef<void(absl::FunctionRef<void(absl::string_view name, SeriesId series)>)>;

// Reads every page: it takes as long as reading the data once, and memory for 16 bytes a series.
// Safe while points are written; what is written meanwhile is counted or not.
UsageReport ReportUsage(const RingStore& rings, VisitNamesFn visit_names, const UsageQuery& query);

}  // namespace shoal
