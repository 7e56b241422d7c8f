// Any bytes as a WAL record: refused, or decoded to something that encodes and decodes to the same
// again.
#include <cstdint>
#include <string>

#include "storage/wal_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  WalRecord record;
  if (!DecodeWalRecord({reinterpret_cast<const char*>(data), size}, &record).ok()) return 0;
  std::string once;
  switch (record.kind) {
    case WalRecordKind::kSchema:
      EncodeSchemaRecord(record.schema, &once);
      break;
    case WalRecordKind::kSeries:
      EncodeSeriesRecord(record.series, &once);
      break;
    case WalRecordKind::kBatch:
      EncodeBatchRecord(record.batch, &once);
      break;
    case WalRecordKind::kDelete:
      EncodeDeleteRecord(record.deleted, &once);
      break;
    case WalRecordKind::kCheckpoint:
      EncodeCheckpointRecord(record.checkpoint, &once);
      break;
    case WalRecordKind::kSchemaChange:
      EncodeSchemaChangeRecord(record.change, &once);
      break;
  }
  WalRecord again;
  if (!DecodeWalRecord(once, &again).ok()) __builtin_trap();
  std::string twice;
  if (record.kind == WalRecordKind::kBatch) {
    EncodeBatchRecord(again.batch, &twice);
    if (once != twice) __builtin_trap();
  }
  return 0;
}
