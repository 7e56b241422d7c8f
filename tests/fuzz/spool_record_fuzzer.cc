// Spool records: no bytes crash the decoder, and what it takes is within bounds.
#include <cstdint>

#include "base/check.h"
#include "router/forward/spool_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view record(reinterpret_cast<const char*>(data), size);
  shoal::SpooledBatch batch;
  const bool good = shoal::DecodeSpoolRecord(record, &batch).ok();
  const auto points = shoal::SpoolRecordPoints(record);
  if (!good) return 0;
  SHOAL_CHECK(points.ok() && *points == batch.refs.size());
  SHOAL_CHECK(batch.refs.size() == batch.timestamps_sec.size());
  SHOAL_CHECK(batch.refs.size() == batch.values.size());
  for (const uint32_t ref : batch.refs) SHOAL_CHECK(ref < batch.names.size());
  return 0;
}
