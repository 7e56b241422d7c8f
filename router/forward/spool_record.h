// What one record of the spool holds: a batch that needs nothing else to be understood.
// docs/format/spool.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/forward/chunk.h"

namespace shoal {

// Appends the record of `batch` to *record.
void EncodeSpoolRecord(const NodeBatch& batch, std::string* record);

// Columns of equal length; refs index `names`. Views into the record.
struct SpooledBatch {
  std::vector<absl::string_view> names;
  std::vector<uint32_t> refs;
  std::vector<uint32_t> timestamps_sec;
  std::vector<double> values;
};

// The record is not trusted: DataLoss unless every length and ref fits. *batch is reused, its
// capacity too.
absl::Status DecodeSpoolRecord(absl::string_view record, SpooledBatch* batch);
// Only the number of points, for the books about dropped records.
absl::StatusOr<uint64_t> SpoolRecordPoints(absl::string_view record);

}  // namespace shoal
