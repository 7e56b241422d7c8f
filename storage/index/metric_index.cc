#include "storage/index/metric_index.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/logging.h"
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
constexpr uint32_t kIndexVersion = 1;

// Definitions per record of the series log: bounded records whatever the number of new series.
constexpr size_t kSeriesPerRecord = 4096;
// Definitions per write to LevelDB.
constexpr size_t kSeriesPerBatch = 65536;
constexpr int64_t kSeriesLogSegmentBytes = 64 << 20;

std::string NameKey(absl::string_view name) {
  std::string key(1, kNamePrefix);
  key.append(name.data(), name.size());
  return key;
}

std::string SchemaKey(SchemaId id) {
  return {kSchemaPrefix, static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
}

absl::string_view View(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

MetricIndex::MetricIndex(FileSystem* fs, std::string dir)
    : fs_(fs),
      dir_(std::move(dir)),
      env_(NewLevelDbEnv(fs)),
      schema_table_(std::make_unique<std::atomic<const SeriesSchema*>[]>(kSchemasMax)),
      chunks_(std::make_unique<std::atomic<Entry*>[]>(kChunks)) {}

MetricIndex::~MetricIndex() {
  for (size_t i = 0; i < kChunks; ++i) delete[] chunks_[i].load(std::memory_order_relaxed);
}

absl::StatusOr<std::unique_ptr<MetricIndex>> MetricIndex::Open(FileSystem* fs,
                                                               const std::string& dir) {
  std::unique_ptr<MetricIndex> index(new MetricIndex(fs, dir));
  SHOAL_RETURN_IF_ERROR(fs->CreateDirs(dir));
  SegmentedLogOptions log_options;
  log_options.fs = fs;
  log_options.dir = JoinPath(dir, "series-log");
  log_options.segment_bytes = kSeriesLogSegmentBytes;
  SHOAL_ASSIGN_OR_RETURN(index->series_log_, SegmentedLog::Open(std::move(log_options)));

  absl::Status loaded = index->OpenLevelDb();
  if (loaded.ok()) loaded = index->LoadLevelDb();
  if (absl::IsFailedPrecondition(loaded)) return loaded;
  if (!loaded.ok()) {
    LogWarning("index", "rebuilding LevelDB from the series log: ", loaded.message());
    index->report_.rebuilt = true;
    index->ClearMemory();
    SHOAL_RETURN_IF_ERROR(index->DestroyLevelDb());
    SHOAL_RETURN_IF_ERROR(index->OpenLevelDb());
    index->applied_ = LogPosition();
  } else if (index->applied_ == LogPosition() && index->series_log_->bytes() > 0) {
    // Brand-new LevelDB beside an old series log: somebody lost the folder.
    index->report_.rebuilt = true;
  }
  if (index->series_log_->end() < index->applied_) {
    LogWarning("index", dir, ": the series log is gone, LevelDB is not");
    ++index->report_.damaged_records;
    index->applied_ = LogPosition();
  }
  SHOAL_RETURN_IF_ERROR(index->CatchUp());
  return index;
}

void MetricIndex::ClearMemory() {
  std::unique_lock lock(mu_);
  // The tree has no clear: take its leaves off one by one. Only a rebuild does this.
  for (SeriesId id = 0; id < next_id_; ++id) {
    if (Entry* entry = EntryOf(id); entry != nullptr && entry->state.load() != 0) {
      tree_.Remove(entry->node);
      entry->state.store(0);
    }
  }
  for (size_t i = 0; i < kSchemasMax; ++i) schema_table_[i].store(nullptr);
  schemas_.clear();
  schema_count_.store(0);
  size_.store(0);
  next_id_ = 0;
}

MetricIndex::Entry* MetricIndex::EntryOf(SeriesId series) const {
  Entry* const chunk = chunks_[series / kChunkEntries].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[series % kChunkEntries];
}

MetricIndex::Entry* MetricIndex::MakeEntry(SeriesId series) {
  std::atomic<Entry*>& chunk = chunks_[series / kChunkEntries];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new Entry[kChunkEntries], std::memory_order_release);
  }
  return EntryOf(series);
}

SeriesId MetricIndex::Find(absl::string_view name) const {
  std::shared_lock lock(mu_);
  return tree_.Find(name);
}

void MetricIndex::AddLocked(absl::string_view name, SeriesId series, SchemaId schema) {
  Entry* const entry = MakeEntry(series);
  entry->node = tree_.Insert(name, series);
  entry->state.store(kAlive | schema, std::memory_order_release);
  next_id_ = std::max(next_id_, series + 1);
  size_.fetch_add(1, std::memory_order_relaxed);
}

void MetricIndex::RemoveLocked(SeriesId series, std::string* name) {
  Entry* const entry = EntryOf(series);
  name->clear();
  if (entry == nullptr || entry->state.load(std::memory_order_relaxed) == 0) return;
  *name = tree_.NameOf(entry->node);
  tree_.Remove(entry->node);
  entry->state.store(0, std::memory_order_release);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

SeriesId MetricIndex::Create(absl::string_view name, SchemaId schema) {
  std::unique_lock lock(mu_);
  SHOAL_CHECK(next_id_ < kNoSeries);
  const SeriesId id = next_id_;
  AddLocked(name, id, schema);
  changes_.series.push_back({id, schema, std::string(name)});
  return id;
}

bool MetricIndex::Restore(const SeriesDefinition& definition) {
  if (Schema(definition.schema) == nullptr) return false;  // its record was damaged, and counted
  std::unique_lock lock(mu_);
  next_id_ = std::max(next_id_, definition.id + 1);
  const Entry* const entry = EntryOf(definition.id);
  if (entry != nullptr && entry->state.load(std::memory_order_relaxed) != 0) return false;
  if (tree_.Find(definition.name) != kNoSeries) return false;
  AddLocked(definition.name, definition.id, definition.schema);
  changes_.series.push_back(definition);
  return true;
}

void MetricIndex::Remove(SeriesId series) {
  std::unique_lock lock(mu_);
  std::string name;
  RemoveLocked(series, &name);
  if (!name.empty()) changes_.removed.push_back({series, std::move(name)});
}

void MetricIndex::ReserveId(SeriesId series) {
  std::unique_lock lock(mu_);
  next_id_ = std::max(next_id_, series + 1);
}

const SeriesSchema* MetricIndex::SchemaOf(SeriesId series, SchemaId* schema) const {
  const Entry* const entry = EntryOf(series);
  if (entry == nullptr) return nullptr;
  const uint32_t state = entry->state.load(std::memory_order_acquire);
  if (state == 0) return nullptr;
  const SchemaId id = static_cast<SchemaId>(state & 0xffff);
  if (schema != nullptr) *schema = id;
  return Schema(id);
}

std::string MetricIndex::NameOf(SeriesId series) const {
  std::shared_lock lock(mu_);
  const Entry* const entry = EntryOf(series);
  if (entry == nullptr || entry->state.load(std::memory_order_relaxed) == 0) return "";
  return tree_.NameOf(entry->node);
}

const SeriesSchema* MetricIndex::Schema(SchemaId id) const {
  return id < kSchemasMax ? schema_table_[id].load(std::memory_order_acquire) : nullptr;
}

void MetricIndex::AddSchemaLocked(const SchemaDefinition& definition) {
  schemas_.push_back(definition.schema);
  schema_table_[definition.id].store(&schemas_.back(), std::memory_order_release);
  schema_count_.store(schemas_.size(), std::memory_order_release);
}

absl::StatusOr<SchemaId> MetricIndex::InternSchema(const SeriesSchema& schema, bool* is_new) {
  std::unique_lock lock(mu_);
  *is_new = false;
  const auto it = std::find(schemas_.begin(), schemas_.end(), schema);
  if (it != schemas_.end()) return static_cast<SchemaId>(it - schemas_.begin());
  if (schemas_.size() >= kSchemasMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", kSchemasMax, " distinct schemas"));
  }
  const SchemaDefinition definition{static_cast<SchemaId>(schemas_.size()), schema};
  AddSchemaLocked(definition);
  changes_.schemas.push_back(definition);
  *is_new = true;
  return definition.id;
}

absl::Status MetricIndex::RestoreSchema(const SchemaDefinition& definition) {
  std::unique_lock lock(mu_);
  if (definition.id < schemas_.size()) {
    if (schemas_[definition.id] == definition.schema) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("schema ", definition.id, " is defined twice, differently"));
  }
  if (definition.id > schemas_.size() || definition.id >= kSchemasMax) {
    return absl::DataLossError(
        absl::StrCat("schema ", definition.id, " follows ", schemas_.size()));
  }
  AddSchemaLocked(definition);
  changes_.schemas.push_back(definition);
  return absl::OkStatus();
}

void MetricIndex::Glob(const shoal::Glob& glob,
                       absl::FunctionRef<bool(const NameTree::Match& match)> visit) const {
  std::shared_lock lock(mu_);
  tree_.Glob(glob, visit);
}

void MetricIndex::VisitNames(
    absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const {
  std::string names;  // one after the other: about the names' own bytes, not a string object each
  std::vector<std::pair<uint32_t, SeriesId>> series;
  {
    std::shared_lock lock(mu_);
    series.reserve(size());
    tree_.VisitLeaves([&](absl::string_view name, SeriesId id) {
      names.append(name.data(), name.size());
      series.emplace_back(static_cast<uint32_t>(name.size()), id);
    });
  }
  absl::string_view rest = names;
  for (const auto& [size, id] : series) {
    visit(rest.substr(0, size), id);
    rest.remove_prefix(size);
  }
}

absl::Status MetricIndex::OpenLevelDb() {
  leveldb::Options options;
  options.create_if_missing = true;
  options.env = env_.get();
  options.paranoid_checks = true;  // a damaged record is an error, not a missing series
  leveldb::DB* db = nullptr;
  const std::string path = JoinPath(dir_, "leveldb");
  SHOAL_RETURN_IF_ERROR(FromLevelDb(leveldb::DB::Open(options, path, &db), path));
  db_.reset(db);
  return absl::OkStatus();
}

absl::Status MetricIndex::DestroyLevelDb() {
  db_ = nullptr;
  const std::string path = JoinPath(dir_, "leveldb");
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs_->Exists(path));
  if (!exists) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(path));
  // CURRENT first: without it what is left is no database, wherever a crash stops this.
  for (const absl::string_view first : {"CURRENT", ""}) {
    for (const std::string& name : names) {
      if ((name == "CURRENT") == (first == "CURRENT")) {
        SHOAL_RETURN_IF_ERROR(fs_->Remove(JoinPath(path, name)));
      }
    }
  }
  return fs_->SyncDir(path);
}

absl::Status MetricIndex::LoadLevelDb() {
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  std::string state;
  const leveldb::Status found = db_->Get(read, kStateKey, &state);
  uint64_t expected = 0;
  if (found.ok()) {
    ByteReader from(state);
    uint32_t version = 0;
    uint32_t next_id = 0;
    if (!from.Get(&version)) return absl::DataLossError("index: bad state record");
    if (version != kIndexVersion) {
      return absl::FailedPreconditionError(absl::StrCat(dir_, ": index format version ", version,
                                                        ", this program knows ", kIndexVersion));
    }
    if (!from.Get(&applied_.segment) || !from.Get(&applied_.offset) || !from.Get(&next_id) ||
        !from.Get(&expected)) {
      return absl::DataLossError("index: bad state record");
    }
    next_id_ = next_id;
  } else if (!found.IsNotFound()) {
    return FromLevelDb(found, dir_);
  }

  std::vector<SchemaDefinition> schemas;
  const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(read));
  WalRecord record;
  for (it->Seek(std::string(1, kSchemaPrefix));
       it->Valid() && absl::StartsWith(View(it->key()), absl::string_view(&kSchemaPrefix, 1));
       it->Next()) {
    SHOAL_RETURN_IF_ERROR(DecodeWalRecord(View(it->value()), &record));
    if (record.kind != WalRecordKind::kSchema) return absl::DataLossError("index: not a schema");
    SHOAL_RETURN_IF_ERROR(RestoreSchema(record.schema));
  }
  for (it->Seek(std::string(1, kNamePrefix));
       it->Valid() && absl::StartsWith(View(it->key()), absl::string_view(&kNamePrefix, 1));
       it->Next()) {
    ByteReader from(View(it->value()));
    uint32_t id = 0;
    uint16_t schema = 0;
    const absl::string_view name = View(it->key()).substr(1);
    if (!from.Get(&id) || !from.Get(&schema) || Schema(schema) == nullptr || id >= next_id_ ||
        name.empty() || SchemaOf(id) != nullptr) {
      return absl::DataLossError(absl::StrCat("index: bad record of series ", name));
    }
    std::unique_lock lock(mu_);
    AddLocked(name, id, schema);
  }
  SHOAL_RETURN_IF_ERROR(FromLevelDb(it->status(), dir_));
  if (size() != expected) {
    return absl::DataLossError(
        absl::StrCat("index: ", size(), " series found where ", expected, " belong"));
  }
  changes_ = Changes();  // what was restored here is there already
  return absl::OkStatus();
}

absl::Status MetricIndex::CatchUp() {
  const std::unique_ptr<SegmentedLog::Cursor> cursor = series_log_->NewCursor(applied_);
  std::string bytes;
  WalRecord record;
  Changes changes;
  uint64_t records = 0;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, cursor->Next(&bytes));
    if (!found) break;
    ++records;
    absl::Status status = DecodeWalRecord(bytes, &record);
    if (status.ok() && record.kind == WalRecordKind::kSchema) {
      status = RestoreSchema(record.schema);
      if (status.ok()) changes.schemas.push_back(record.schema);
    } else if (status.ok() && record.kind == WalRecordKind::kSeries) {
      for (SeriesDefinition& definition : record.series) {
        if (Restore(definition)) changes.series.push_back(std::move(definition));
      }
    } else if (status.ok() && record.kind == WalRecordKind::kDelete) {
      std::string name;
      std::unique_lock lock(mu_);
      next_id_ = std::max(next_id_, record.deleted + 1);
      RemoveLocked(record.deleted, &name);
      if (!name.empty()) changes.removed.push_back({record.deleted, std::move(name)});
    }
    if (!status.ok()) {
      ++report_.damaged_records;
      LogWarning("index", dir_, "/series-log: ", status.message());
    }
  }
  applied_ = cursor->position();
  report_.damaged_records += cursor->report().damaged_regions;
  {
    std::unique_lock lock(mu_);
    changes_ = Changes();  // all of it came from the series log
    persisted_next_id_ = next_id_;
  }
  persisted_size_ = size();
  if (records > 0 || report_.rebuilt) {
    // What was defined and removed again within these records must not stay.
    auto& series = changes.series;
    series.erase(std::remove_if(series.begin(), series.end(),
                                [this](const SeriesDefinition& definition) {
                                  return SchemaOf(definition.id) == nullptr;
                                }),
                 series.end());
    SHOAL_RETURN_IF_ERROR(WriteToLevelDb(changes));
  }
  if (report_.damaged_records > 0) return RewriteSeriesLog();
  return absl::OkStatus();
}

absl::Status MetricIndex::RewriteSeriesLog() {
  // What was damaged is known from LevelDB, or lost; either way the log is whole again behind this.
  Changes all;
  {
    std::shared_lock lock(mu_);
    for (size_t i = 0; i < schemas_.size(); ++i) {
      all.schemas.push_back({static_cast<SchemaId>(i), schemas_[i]});
    }
    tree_.VisitLeaves([&](absl::string_view name, SeriesId id) {
      SchemaId schema = 0;
      if (SchemaOf(id, &schema) != nullptr) all.series.push_back({id, schema, std::string(name)});
    });
  }
  LogWarning("index", dir_, ": rewriting ", all.series.size(),
             " definitions to the series log after damage");
  SHOAL_RETURN_IF_ERROR(series_log_->Roll());
  const LogPosition start = series_log_->end();
  SHOAL_RETURN_IF_ERROR(AppendToSeriesLog(all, all.series));
  SHOAL_RETURN_IF_ERROR(series_log_->TruncateBefore(start));
  applied_ = series_log_->end();
  return WriteToLevelDb(Changes());
}

absl::Status MetricIndex::AppendToSeriesLog(const Changes& changes,
                                            absl::Span<const SeriesDefinition> series) {
  std::string bytes;
  for (const SchemaDefinition& schema : changes.schemas) {
    EncodeSchemaRecord(schema, &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  // Before the additions: a name may have gone and come back under another id, and a reader takes
  // a name that is taken for the older series.
  for (const Changes::Removal& removal : changes.removed) {
    EncodeDeleteRecord(removal.id, &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  for (size_t i = 0; i < series.size(); i += kSeriesPerRecord) {
    EncodeSeriesRecord(series.subspan(i, kSeriesPerRecord), &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  return series_log_->Sync();
}

absl::Status MetricIndex::WriteToLevelDb(const Changes& changes) {
  leveldb::WriteBatch batch;
  std::string bytes;
  for (const SchemaDefinition& schema : changes.schemas) {
    EncodeSchemaRecord(schema, &bytes);
    batch.Put(SchemaKey(schema.id), bytes);
  }
  // Before the additions: a name may have gone and come back under another id.
  for (const Changes::Removal& removal : changes.removed) batch.Delete(NameKey(removal.name));
  size_t in_batch = 0;
  for (const SeriesDefinition& series : changes.series) {
    bytes.clear();
    AppendLE<uint32_t>(&bytes, series.id);
    AppendLE<uint16_t>(&bytes, series.schema);
    batch.Put(NameKey(series.name), bytes);
    if (++in_batch < kSeriesPerBatch) continue;
    // A crash before the state record follows leaves a count that does not fit: LevelDB is rebuilt
    // then.
    SHOAL_RETURN_IF_ERROR(FromLevelDb(db_->Write(leveldb::WriteOptions(), &batch), dir_));
    batch.Clear();
    in_batch = 0;
  }
  bytes.clear();
  AppendLE<uint32_t>(&bytes, kIndexVersion);
  AppendLE<uint64_t>(&bytes, applied_.segment);
  AppendLE<uint64_t>(&bytes, applied_.offset);
  AppendLE<uint32_t>(&bytes, persisted_next_id_);
  AppendLE<uint64_t>(&bytes, persisted_size_);
  batch.Put(kStateKey, bytes);
  leveldb::WriteOptions options;
  options.sync = true;
  return FromLevelDb(db_->Write(options, &batch), dir_);
}

absl::Status MetricIndex::Persist() {
  Changes taken;
  {
    std::unique_lock lock(mu_);
    if (changes_.empty()) return absl::OkStatus();
    std::swap(taken, changes_);
  }
  // Of a series that came and went since the last time only the removal is told, to the series log:
  // it keeps the id used up.
  absl::flat_hash_set<SeriesId> gone;
  for (const Changes::Removal& removal : taken.removed) gone.insert(removal.id);
  const auto brief = std::stable_partition(
      taken.series.begin(), taken.series.end(),
      [&](const SeriesDefinition& definition) { return !gone.contains(definition.id); });
  const auto kept =
      absl::MakeConstSpan(taken.series).first(static_cast<size_t>(brief - taken.series.begin()));
  if (absl::Status status = AppendToSeriesLog(taken, kept); !status.ok()) {
    std::unique_lock lock(mu_);
    const auto put_back = [](auto* all, auto* first) {
      all->insert(all->begin(), std::make_move_iterator(first->begin()),
                  std::make_move_iterator(first->end()));
    };
    put_back(&changes_.schemas, &taken.schemas);
    put_back(&changes_.series, &taken.series);
    put_back(&changes_.removed, &taken.removed);
    return status;
  }
  if (db_ == nullptr) return absl::OkStatus();
  applied_ = series_log_->end();

  auto& series = taken.series;
  absl::flat_hash_set<SeriesId> brief_ids;
  for (auto it = series.begin(); it != series.end(); ++it) {
    persisted_next_id_ = std::max(persisted_next_id_, it->id + 1);
    if (it >= brief) brief_ids.insert(it->id);
  }
  series.erase(brief, series.end());
  auto& removed = taken.removed;
  removed.erase(std::remove_if(removed.begin(), removed.end(),
                               [&](const Changes::Removal& r) { return brief_ids.contains(r.id); }),
                removed.end());
  persisted_size_ += series.size();
  persisted_size_ -= removed.size();
  if (absl::Status status = WriteToLevelDb(taken); !status.ok()) {
    // Nothing is lost: the series log has it all, and the next start catches up from there.
    LogError("index", "LevelDB is out of use until the next start: ", status.message());
    db_ = nullptr;
  }
  return absl::OkStatus();
}

}  // namespace shoal
