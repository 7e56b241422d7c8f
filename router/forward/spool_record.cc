#include "router/forward/spool_record.h"

#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Frozen: the first byte of a record.
constexpr uint8_t kVersion = 1;
constexpr size_t kColumnBytesPerPoint = 4 + 4 + 8;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("spool record: ", what));
}

// Takes the version and the counts off the front.
absl::Status GetHeader(ByteReader* reader, uint64_t* points, uint64_t* names) {
  uint8_t version = 0;
  if (!reader->Get(&version)) return Damaged("empty");
  if (version != kVersion) return Damaged(absl::StrCat("unknown version ", version));
  if (!reader->GetVarint(points) || !reader->GetVarint(names)) return Damaged("cut in its header");
  // Every point takes its columns and every name at least its length byte: bounds what is allocated
  // below.
  if (*points > reader->rest().size() / kColumnBytesPerPoint || *names > reader->rest().size()) {
    return Damaged("counts larger than the record");
  }
  return absl::OkStatus();
}

template <typename T>
void AppendColumn(const std::vector<T>& column, std::string* to) {
  to->append(reinterpret_cast<const char*>(column.data()), column.size() * sizeof(T));
}

template <typename T>
bool GetColumn(ByteReader* reader, size_t points, std::vector<T>* column) {
  absl::string_view bytes;
  if (!reader->GetBytes(points * sizeof(T), &bytes)) return false;
  column->resize(points);
  if (points > 0) std::memcpy(column->data(), bytes.data(), bytes.size());
  return true;
}

}  // namespace

void EncodeSpoolRecord(const NodeBatch& batch, std::string* record) {
  // Names are written once per record however many points they have.
  absl::flat_hash_map<uint32_t, uint32_t> index_of;
  index_of.reserve(batch.points());
  std::vector<uint32_t> name_refs;
  std::vector<uint32_t> refs(batch.points());
  for (size_t i = 0; i < batch.points(); ++i) {
    const auto [it, added] =
        index_of.try_emplace(batch.refs[i], static_cast<uint32_t>(name_refs.size()));
    if (added) name_refs.push_back(batch.refs[i]);
    refs[i] = it->second;
  }
  record->push_back(static_cast<char>(kVersion));
  AppendVarint(record, batch.points());
  AppendVarint(record, name_refs.size());
  for (const uint32_t ref : name_refs) AppendLengthPrefixed(record, batch.names->name(ref));
  AppendColumn(refs, record);
  AppendColumn(batch.timestamps_sec, record);
  AppendColumn(batch.values, record);
}

absl::Status DecodeSpoolRecord(absl::string_view record, SpooledBatch* batch) {
  ByteReader reader(record);
  uint64_t points = 0;
  uint64_t names = 0;
  SHOAL_RETURN_IF_ERROR(GetHeader(&reader, &points, &names));
  batch->names.resize(names);
  for (absl::string_view& name : batch->names) {
    if (!reader.GetLengthPrefixed(&name)) return Damaged("cut in its names");
  }
  if (!GetColumn(&reader, points, &batch->refs) ||
      !GetColumn(&reader, points, &batch->timestamps_sec) ||
      !GetColumn(&reader, points, &batch->values)) {
    return Damaged("cut in its columns");
  }
  if (!reader.empty()) return Damaged("bytes behind its end");
  for (const uint32_t ref : batch->refs) {
    if (ref >= names) return Damaged("a ref without a name");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SpoolRecordPoints(absl::string_view record) {
  ByteReader reader(record);
  uint64_t points = 0;
  uint64_t names = 0;
  SHOAL_RETURN_IF_ERROR(GetHeader(&reader, &points, &names));
  return points;
}

}  // namespace shoal
