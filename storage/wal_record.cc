#include "storage/wal_record.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/metric/aggregate_columns.h"
#include "base/metric/metric_name.h"

namespace shoal {
namespace {

// Frozen, of a schema record.
constexpr uint8_t kWhisperFlag = 1;

void Start(WalRecordKind kind, std::string* to) {
  to->clear();
  to->push_back(static_cast<char>(kind));
}

template <typename T>
void AppendColumn(absl::Span<const T> column, std::string* to) {
  to->append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T));
}

template <typename T>
bool GetColumn(size_t count, ByteReader* from, std::vector<T>* column) {
  absl::string_view bytes;
  if (count > from->rest().size() / sizeof(T) || !from->GetBytes(count * sizeof(T), &bytes)) {
    return false;
  }
  column->resize(count);
  if (count > 0) std::memcpy(column->data(), bytes.data(), bytes.size());
  return true;
}

// Offsets from the batch's first timestamp, as narrow as they fit: batches of fresh points need
// none or two bytes.
template <typename T>
void AppendOffsets(const std::vector<int64_t>& timestamps, int64_t base, std::string* to) {
  for (const int64_t timestamp : timestamps) {
    AppendLE<T>(to, static_cast<T>(static_cast<uint64_t>(timestamp) - static_cast<uint64_t>(base)));
  }
}

template <typename T>
bool GetOffsets(size_t count, int64_t base, ByteReader* from, std::vector<int64_t>* timestamps) {
  absl::string_view bytes;
  if (count > from->rest().size() / sizeof(T) || !from->GetBytes(count * sizeof(T), &bytes)) {
    return false;
  }
  timestamps->resize(count);
  for (size_t i = 0; i < count; ++i) {
    (*timestamps)[i] =
        static_cast<int64_t>(static_cast<uint64_t>(base) + LoadLE<T>(bytes.data() + i * sizeof(T)));
  }
  return true;
}

void AppendAggregate(AggregateSpec spec, std::string* to) {
  AppendLE<uint8_t>(to, static_cast<uint8_t>(spec.method));
  AppendLE<uint16_t>(to, spec.percentile);
}

bool GetAggregate(ByteReader* from, AggregateSpec* spec) {
  uint8_t method = 0;
  if (!from->Get(&method) || !from->Get(&spec->percentile) ||
      !IsKnownAggregate(method, spec->percentile)) {
    return false;
  }
  spec->method = static_cast<AggregationMethod>(method);
  return true;
}

bool DecodeAggregation(ByteReader* from, AggregationRule* rule) {
  AggregateSpec own;
  uint8_t flags = 0;
  uint8_t further = 0;
  if (!GetAggregate(from, &own) || !from->Get(&rule->x_files_factor) || !from->Get(&flags) ||
      flags > kWhisperFlag || !from->Get(&further) || further > kFurtherAggregatesMax) {
    return false;
  }
  rule->method = own.method;
  rule->percentile = own.percentile;
  rule->whisper = flags == kWhisperFlag;
  rule->also.resize(further);
  for (AggregateSpec& spec : rule->also) {
    if (!GetAggregate(from, &spec)) return false;
  }
  return AggregateColumns(*rule).size() <= AggregateColumns::kColumnsMax &&
         rule->x_files_factor >= 0 && rule->x_files_factor <= 1;  // false for NaN
}

bool DecodeSchema(ByteReader* from, SchemaDefinition* schema) {
  uint64_t archives = 0;
  if (!from->Get(&schema->id) || !DecodeAggregation(from, &schema->schema.aggregation) ||
      !from->GetVarint(&archives) || archives == 0 || archives > kArchivesMax) {
    return false;
  }
  schema->schema.archives.clear();
  int64_t step = 0;
  int64_t retention = 0;
  for (uint64_t i = 0; i < archives; ++i) {
    Archive archive;
    constexpr int64_t kSecondsMax = int64_t{1} << 40;
    if (!from->Get(&archive.step_sec) || !from->Get(&archive.points)) return false;
    // What every reader of a schema relies on: sane sizes, coarser and longer from archive to
    // archive, steps that divide.
    if (archive.step_sec <= step || archive.step_sec > kSecondsMax || archive.points <= 0 ||
        archive.points > kSecondsMax / archive.step_sec || archive.retention_sec() <= retention ||
        (step > 0 && archive.step_sec % step != 0)) {
      return false;
    }
    step = archive.step_sec;
    retention = archive.retention_sec();
    schema->schema.archives.push_back(archive);
  }
  return true;
}

bool DecodeSeries(ByteReader* from, std::vector<SeriesDefinition>* series) {
  uint64_t count = 0;
  constexpr size_t kBytesMin = 4;  // of one definition
  if (!from->GetVarint(&count) || count > from->rest().size() / kBytesMin) return false;
  series->resize(count);
  for (SeriesDefinition& definition : *series) {
    uint64_t id = 0;
    uint64_t schema = 0;
    absl::string_view name;
    if (!from->GetVarint(&id) || id >= kNoSeries || !from->GetVarint(&schema) ||
        schema > std::numeric_limits<SchemaId>::max() || !from->GetLengthPrefixed(&name) ||
        ValidateName(name) != NameError::kNone) {
      return false;
    }
    definition.id = static_cast<SeriesId>(id);
    definition.schema = static_cast<SchemaId>(schema);
    definition.name.assign(name.data(), name.size());
  }
  return true;
}

bool DecodeBatch(ByteReader* from, WalBatch* batch) {
  uint64_t count = 0;
  int64_t base = 0;
  uint8_t width = 0;
  constexpr size_t kBytesMin = sizeof(SeriesId) + sizeof(double);  // of one point
  if (!from->GetVarint(&count) || count > from->rest().size() / kBytesMin || !from->Get(&base) ||
      !from->Get(&width) || !GetColumn(count, from, &batch->series)) {
    return false;
  }
  bool good = false;
  switch (width) {
    case 0:
      batch->timestamps_sec.assign(count, base);
      good = true;
      break;
    case 2:
      good = GetOffsets<uint16_t>(count, base, from, &batch->timestamps_sec);
      break;
    case 4:
      good = GetOffsets<uint32_t>(count, base, from, &batch->timestamps_sec);
      break;
    case 8:
      good = GetOffsets<uint64_t>(count, base, from, &batch->timestamps_sec);
      break;
    default:
      break;
  }
  return good && GetColumn(count, from, &batch->values);
}

}  // namespace

void EncodeSchemaRecord(const SchemaDefinition& schema, std::string* to) {
  SHOAL_CHECK(!schema.schema.archives.empty() && schema.schema.archives.size() <= kArchivesMax);
  Start(WalRecordKind::kSchema, to);
  AppendLE<SchemaId>(to, schema.id);
  const AggregationRule& rule = schema.schema.aggregation;
  AppendAggregate(rule.aggregate(), to);
  AppendLE<double>(to, rule.x_files_factor);
  AppendLE<uint8_t>(to, rule.whisper ? kWhisperFlag : 0);
  AppendLE<uint8_t>(to, static_cast<uint8_t>(rule.also.size()));
  for (const AggregateSpec& spec : rule.also) AppendAggregate(spec, to);
  AppendVarint(to, schema.schema.archives.size());
  for (const Archive& archive : schema.schema.archives) {
    AppendLE<int64_t>(to, archive.step_sec);
    AppendLE<int64_t>(to, archive.points);
  }
}

void EncodeSeriesRecord(absl::Span<const SeriesDefinition> series, std::string* to) {
  Start(WalRecordKind::kSeries, to);
  AppendVarint(to, series.size());
  for (const SeriesDefinition& definition : series) {
    AppendVarint(to, definition.id);
    AppendVarint(to, definition.schema);
    AppendLengthPrefixed(to, definition.name);
  }
}

void EncodeBatchRecord(const WalBatch& batch, std::string* to) {
  const size_t count = batch.series.size();
  SHOAL_CHECK(batch.timestamps_sec.size() == count && batch.values.size() == count);
  Start(WalRecordKind::kBatch, to);
  AppendVarint(to, count);
  int64_t base = 0;
  uint64_t span = 0;
  if (count > 0) {
    const auto [least, most] =
        std::minmax_element(batch.timestamps_sec.begin(), batch.timestamps_sec.end());
    base = *least;
    span = static_cast<uint64_t>(*most) - static_cast<uint64_t>(*least);
  }
  const uint8_t width = span == 0 ? 0 : span <= 0xffff ? 2 : span <= 0xffffffff ? 4 : 8;
  to->reserve(to->size() + 16 + count * (sizeof(SeriesId) + width + sizeof(double)));
  AppendLE<int64_t>(to, base);
  AppendLE<uint8_t>(to, width);
  AppendColumn<SeriesId>(batch.series, to);
  if (width == 2) AppendOffsets<uint16_t>(batch.timestamps_sec, base, to);
  if (width == 4) AppendOffsets<uint32_t>(batch.timestamps_sec, base, to);
  if (width == 8) AppendOffsets<uint64_t>(batch.timestamps_sec, base, to);
  AppendColumn<double>(batch.values, to);
}

void EncodeDeleteRecord(SeriesId series, std::string* to) {
  Start(WalRecordKind::kDelete, to);
  AppendVarint(to, series);
}

void EncodeSchemaChangeRecord(SchemaChange change, std::string* to) {
  Start(WalRecordKind::kSchemaChange, to);
  AppendVarint(to, change.series);
  AppendVarint(to, change.schema);
}

void EncodeCheckpointRecord(LogPosition position, std::string* to) {
  Start(WalRecordKind::kCheckpoint, to);
  AppendVarint(to, position.segment);
  AppendVarint(to, position.offset);
}

absl::Status DecodeWalRecord(absl::string_view bytes, WalRecord* record) {
  ByteReader from(bytes);
  uint8_t kind = 0;
  bool good = from.Get(&kind);
  record->kind = static_cast<WalRecordKind>(kind);
  if (good) {
    switch (record->kind) {
      case WalRecordKind::kSchema:
        good = DecodeSchema(&from, &record->schema);
        break;
      case WalRecordKind::kSeries:
        good = DecodeSeries(&from, &record->series);
        break;
      case WalRecordKind::kBatch:
        good = DecodeBatch(&from, &record->batch);
        break;
      case WalRecordKind::kDelete: {
        uint64_t id = 0;
        good = from.GetVarint(&id) && id < kNoSeries;
        record->deleted = static_cast<SeriesId>(id);
        break;
      }
      case WalRecordKind::kCheckpoint:
        good = from.GetVarint(&record->checkpoint.segment) &&
               from.GetVarint(&record->checkpoint.offset);
        break;
      case WalRecordKind::kSchemaChange: {
        uint64_t id = 0;
        uint64_t schema = 0;
        good = from.GetVarint(&id) && id < kNoSeries && from.GetVarint(&schema) &&
               schema <= std::numeric_limits<SchemaId>::max();
        record->change = {static_cast<SeriesId>(id), static_cast<SchemaId>(schema)};
        break;
      }
      default:
        good = false;
    }
  }
  if (!good || !from.empty()) {
    return absl::DataLossError(absl::StrCat("a log record of kind ", int{kind}, " and ",
                                            bytes.size(), " bytes does not decode"));
  }
  return absl::OkStatus();
}

}  // namespace shoal
