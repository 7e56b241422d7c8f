// What the records of the WAL and of the index's series log hold: docs/format/wal.md.
//
// Bytes are not trusted: every decoder bounds counts by the bytes that are there, and answers
// DataLoss otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/log/segmented_log.h"
#include "storage/series_schema.h"

namespace shoal {

// Frozen on disk: the first byte of a record.
enum class WalRecordKind : uint8_t {
  kSchema = 1,
  kSeries = 2,
  kBatch = 3,
  kDelete = 4,
  kCheckpoint = 5,
  kSchemaChange = 6,
};

struct SchemaDefinition {
  SchemaId id = 0;
  SeriesSchema schema;
  friend bool operator==(const SchemaDefinition&, const SchemaDefinition&) = default;
};

struct SeriesDefinition {
  SeriesId id = kNoSeries;
  SchemaId schema = 0;
  std::string name;
  friend bool operator==(const SeriesDefinition&, const SeriesDefinition&) = default;
};

// A series keeps its id and its name and goes on with another schema.
struct SchemaChange {
  SeriesId series = kNoSeries;
  SchemaId schema = 0;
  friend bool operator==(const SchemaChange&, const SchemaChange&) = default;
};

// Columns of equal length.
struct WalBatch {
  std::vector<SeriesId> series;
  std::vector<int64_t> timestamps_sec;
  std::vector<double> values;

  void Clear() {
    series.clear();
    timestamps_sec.clear();
    values.clear();
  }
};

// One decoded record; only the field of its kind is set. Reused from record to record to save
// allocations.
struct WalRecord {
  WalRecordKind kind = WalRecordKind::kCheckpoint;
  SchemaDefinition schema;
  std::vector<SeriesDefinition> series;
  WalBatch batch;
  SeriesId deleted = kNoSeries;
  SchemaChange change;
  LogPosition checkpoint;  // every point of a record before it is in a synced ring file
};

inline constexpr size_t kArchivesMax = 16;

// Each replaces *to.
void EncodeSchemaRecord(const SchemaDefinition& schema, std::string* to);
void EncodeSeriesRecord(absl::Span<const SeriesDefinition> series, std::string* to);
void EncodeBatchRecord(const WalBatch& batch, std::string* to);
void EncodeDeleteRecord(SeriesId series, std::string* to);
void EncodeSchemaChangeRecord(SchemaChange change, std::string* to);
void EncodeCheckpointRecord(LogPosition position, std::string* to);

absl::Status DecodeWalRecord(absl::string_view bytes, WalRecord* record);

}  // namespace shoal
