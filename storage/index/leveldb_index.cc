#include "storage/index/leveldb_index.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "leveldb/db.h"
#include "leveldb/env.h"
#include "leveldb/write_batch.h"
#include "storage/index/leveldb_env.h"

namespace shoal {
namespace {

// Key prefixes, frozen on disk: docs/format/index.md.
constexpr char kNamePrefix = 'n';    // 'n' NAME -> id u32, schema u16
constexpr char kSchemaPrefix = 's';  // 's' id u16 (big-endian) -> a schema record as in the WAL
constexpr char kStateKey[] =
    "m";  // -> version u32, series log segment u64, offset u64, next id u32, series u64
constexpr size_t kBatchBytes = 1 << 20;

std::string NameKey(absl::string_view name) {
  std::string key(1, kNamePrefix);
  key.append(name.data(), name.size());
  return key;
}

std::string SchemaKey(SchemaId id) {
  return {kSchemaPrefix, static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
}

absl::string_view View(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

bool HasPrefix(const leveldb::Iterator& it, char prefix) {
  return it.Valid() && !it.key().empty() && it.key()[0] == prefix;
}

leveldb::ReadOptions CheckedRead() {
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  return read;
}

}  // namespace

LevelDbIndex::LevelDbIndex(FileSystem* fs, std::string path)
    : fs_(fs),
      path_(std::move(path)),
      env_(NewLevelDbEnv(fs)),
      batch_(std::make_unique<leveldb::WriteBatch>()) {}

LevelDbIndex::~LevelDbIndex() = default;

absl::Status LevelDbIndex::Open() {
  leveldb::Options options;
  options.create_if_missing = true;
  options.env = env_.get();
  options.paranoid_checks = true;  // a damaged record is an error, not a missing series
  leveldb::DB* db = nullptr;
  SHOAL_RETURN_IF_ERROR(FromLevelDb(leveldb::DB::Open(options, path_, &db), path_));
  db_.reset(db);
  batch_->Clear();
  return absl::OkStatus();
}

void LevelDbIndex::Close() {
  db_ = nullptr;
  batch_->Clear();
}

absl::Status LevelDbIndex::Destroy() {
  Close();
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs_->Exists(path_));
  if (!exists) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(path_));
  // CURRENT first: without it what is left is no database, wherever a crash stops this.
  for (const bool current : {true, false}) {
    for (const std::string& name : names) {
      if ((name == "CURRENT") != current) continue;
      SHOAL_RETURN_IF_ERROR(fs_->Remove(JoinPath(path_, name)));
    }
  }
  return fs_->SyncDir(path_);
}

absl::StatusOr<LevelDbIndex::State> LevelDbIndex::ReadState() const {
  std::string bytes;
  const leveldb::Status found = db_->Get(CheckedRead(), kStateKey, &bytes);
  if (found.IsNotFound()) return absl::NotFoundError(absl::StrCat(path_, ": new"));
  SHOAL_RETURN_IF_ERROR(FromLevelDb(found, path_));
  ByteReader from(bytes);
  uint32_t version = 0;
  State state;
  if (!from.Get(&version)) return absl::DataLossError("index: bad state record");
  if (version != kIndexVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path_, ": index format version ", version,
                                                      ", this program knows ", kIndexVersion));
  }
  if (!from.Get(&state.applied.segment) || !from.Get(&state.applied.offset) ||
      !from.Get(&state.next_id) || !from.Get(&state.size)) {
    return absl::DataLossError("index: bad state record");
  }
  return state;
}

absl::Status LevelDbIndex::Load(
    absl::FunctionRef<absl::Status(const SchemaDefinition& schema)> on_schema,
    absl::FunctionRef<absl::Status(absl::string_view name, SeriesId series, SchemaId schema)>
        on_series) const {
  const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(CheckedRead()));
  WalRecord record;
  for (it->Seek(std::string(1, kSchemaPrefix)); HasPrefix(*it, kSchemaPrefix); it->Next()) {
    SHOAL_RETURN_IF_ERROR(DecodeWalRecord(View(it->value()), &record));
    if (record.kind != WalRecordKind::kSchema) return absl::DataLossError("index: not a schema");
    SHOAL_RETURN_IF_ERROR(on_schema(record.schema));
  }
  for (it->Seek(std::string(1, kNamePrefix)); HasPrefix(*it, kNamePrefix); it->Next()) {
    ByteReader from(View(it->value()));
    uint32_t id = 0;
    uint16_t schema = 0;
    const absl::string_view name = View(it->key()).substr(1);
    if (!from.Get(&id) || !from.Get(&schema)) {
      return absl::DataLossError(absl::StrCat("index: bad record of series ", name));
    }
    SHOAL_RETURN_IF_ERROR(on_series(name, id, schema));
  }
  return FromLevelDb(it->status(), path_);
}

absl::Status LevelDbIndex::WriteBatchIfLarge() {
  if (batch_->ApproximateSize() < kBatchBytes) return absl::OkStatus();
  const leveldb::Status written = db_->Write(leveldb::WriteOptions(), batch_.get());
  batch_->Clear();
  return FromLevelDb(written, path_);
}

absl::Status LevelDbIndex::Put(const SchemaDefinition& schema) {
  std::string bytes;
  EncodeSchemaRecord(schema, &bytes);
  batch_->Put(SchemaKey(schema.id), bytes);
  return WriteBatchIfLarge();
}

absl::Status LevelDbIndex::Put(absl::string_view name, SeriesId series, SchemaId schema) {
  std::string bytes;
  AppendLE<uint32_t>(&bytes, series);
  AppendLE<uint16_t>(&bytes, schema);
  batch_->Put(NameKey(name), bytes);
  return WriteBatchIfLarge();
}

absl::Status LevelDbIndex::Remove(absl::string_view name) {
  batch_->Delete(NameKey(name));
  return WriteBatchIfLarge();
}

absl::Status LevelDbIndex::Commit(const State& state) {
  std::string bytes;
  AppendLE<uint32_t>(&bytes, kIndexVersion);
  AppendLE<uint64_t>(&bytes, state.applied.segment);
  AppendLE<uint64_t>(&bytes, state.applied.offset);
  AppendLE<uint32_t>(&bytes, state.next_id);
  AppendLE<uint64_t>(&bytes, state.size);
  batch_->Put(kStateKey, bytes);
  leveldb::WriteOptions options;
  options.sync = true;
  const leveldb::Status written = db_->Write(options, batch_.get());
  batch_->Clear();
  return FromLevelDb(written, path_);
}

}  // namespace shoal
