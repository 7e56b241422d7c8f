// The index's two copies on disk: opening, bringing them up to date, making one from the other.
#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"
#include "storage/index/metric_index.h"

namespace shoal {
namespace {

// Definitions per record of the series log: bounded records whatever the number of new series.
constexpr size_t kSeriesPerRecord = 4096;
constexpr int64_t kSeriesLogSegmentBytes = 64 << 20;
// The log is written anew when it is longer than this and twice what is alive.
constexpr uint64_t kSeriesLogBytesMin = 16 << 20;
// About what a definition takes in the log beside its name.
constexpr uint64_t kDefinitionBytes = 10;
constexpr auto kRebuildInterval = std::chrono::seconds(30);

}  // namespace

absl::StatusOr<std::unique_ptr<MetricIndex>> MetricIndex::Open(MetricIndexOptions options) {
  std::unique_ptr<MetricIndex> index(new MetricIndex(std::move(options)));
  SHOAL_RETURN_IF_ERROR(index->OpenFiles());
  return index;
}

absl::Status MetricIndex::OpenFiles() {
  FileSystem* const fs = options_.fs;
  SHOAL_RETURN_IF_ERROR(fs->CreateDirs(options_.dir));
  const std::string old_log = JoinPath(options_.dir, "series-log");
  SHOAL_ASSIGN_OR_RETURN(const bool is_old, fs->Exists(old_log));
  if (is_old) {
    return absl::FailedPreconditionError(
        absl::StrCat(old_log, ": index format version 1, this program knows ", kIndexVersion));
  }
  if (options_.metrics != nullptr) {
    leveldb_gauge_ = options_.metrics->AddGauge("shoal_node_index_leveldb_up",
                                                "1 while the names are in LevelDB too");
    rebuilds_counter_ = options_.metrics->AddCounter(
        "shoal_node_index_rebuilds_total", "Times that LevelDB was made from the series log");
  }
  SegmentedLogOptions log_options;
  log_options.fs = fs;
  log_options.dir = options_.log_dir;
  log_options.segment_bytes = kSeriesLogSegmentBytes;
  SHOAL_ASSIGN_OR_RETURN(series_log_, SegmentedLog::Open(std::move(log_options)));

  absl::Status loaded = leveldb_.Open();
  if (loaded.ok()) loaded = LoadLevelDb();
  if (absl::IsFailedPrecondition(loaded)) return loaded;
  if (!loaded.ok()) {
    LogWarning("index", "rebuilding LevelDB from the series log: ", loaded.message());
    report_.rebuilt = true;
    ClearMemory();
    SHOAL_RETURN_IF_ERROR(leveldb_.Destroy());
    SHOAL_RETURN_IF_ERROR(leveldb_.Open());
    state_ = LevelDbIndex::State();
  } else if (state_.applied == LogPosition() && series_log_->bytes() > 0) {
    // Brand-new LevelDB beside an old series log: somebody lost the folder.
    report_.rebuilt = true;
  }
  if (series_log_->end() < state_.applied) {
    LogWarning("index", options_.log_dir, ": the series log is gone, LevelDB is not");
    ++report_.damaged_records;
    state_.applied = LogPosition();
  }
  SHOAL_RETURN_IF_ERROR(CatchUp());
  if (leveldb_gauge_ != nullptr) leveldb_gauge_->Set(1);
  if (report_.rebuilt && rebuilds_counter_ != nullptr) rebuilds_counter_->Add();
  return absl::OkStatus();
}

absl::Status MetricIndex::LoadLevelDb() {
  const absl::StatusOr<LevelDbIndex::State> state = leveldb_.ReadState();
  if (absl::IsNotFound(state.status())) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(state.status());
  state_ = *state;
  const auto on_schema = [this](const SchemaDefinition& schema) { return RestoreSchema(schema); };
  std::unique_lock<std::shared_mutex> lock(mu_, std::defer_lock);
  const auto on_series = [&](absl::string_view name, SeriesId id, SchemaId schema) -> absl::Status {
    if (!lock.owns_lock()) lock.lock();  // behind the schemas, which take it themselves
    if (Schema(schema) == nullptr || id >= state_.next_id || name.empty() ||
        name.size() > kNameBytesMax || SchemaOf(id) != nullptr) {
      return absl::DataLossError(absl::StrCat("index: bad record of series ", name));
    }
    AddLocked(name, id, schema);
    return absl::OkStatus();
  };
  SHOAL_RETURN_IF_ERROR(leveldb_.Load(on_schema, on_series));
  if (size() < state_.size) {
    return absl::DataLossError(
        absl::StrCat("index: ", size(), " series found where ", state_.size, " belong"));
  }
  if (!lock.owns_lock()) lock.lock();
  next_id_ = std::max(next_id_, state_.next_id);
  changes_ = Changes();  // what was restored here is there already
  return absl::OkStatus();
}

absl::Status MetricIndex::ApplyLogRecord(const WalRecord& record, Changes* changes) {
  switch (record.kind) {
    case WalRecordKind::kSchema:
      SHOAL_RETURN_IF_ERROR(RestoreSchema(record.schema));
      changes->schemas.push_back(record.schema);
      break;
    case WalRecordKind::kSeries:
      for (const SeriesDefinition& definition : record.series) {
        if (Restore(definition)) changes->created.push_back(definition.id);
      }
      break;
    case WalRecordKind::kDelete: {
      std::string name;
      std::unique_lock lock(mu_);
      next_id_ = std::max(next_id_, record.deleted + 1);
      RemoveLocked(record.deleted, &name);
      if (!name.empty()) changes->removed.push_back({record.deleted, std::move(name)});
      break;
    }
    case WalRecordKind::kSchemaChange: {
      std::unique_lock lock(mu_);
      if (ChangeSchemaLocked(record.change.series, record.change.schema))
        changes->changed.push_back(record.change.series);
      break;
    }
    default:
      break;
  }
  return absl::OkStatus();
}

absl::Status MetricIndex::CatchUp() {
  const std::unique_ptr<SegmentedLog::Cursor> cursor = series_log_->NewCursor(state_.applied);
  std::string bytes;
  WalRecord record;
  Changes changes;
  uint64_t records = 0;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, cursor->Next(&bytes));
    if (!found) break;
    ++records;
    absl::Status status = DecodeWalRecord(bytes, &record);
    if (status.ok()) status = ApplyLogRecord(record, &changes);
    if (!status.ok()) {
      ++report_.damaged_records;
      LogWarning("index", options_.log_dir, ": ", status.message());
    }
  }
  report_.damaged_records += cursor->report().damaged_regions;
  {
    std::unique_lock lock(mu_);
    changes_ = Changes();  // all of it came from the series log
    state_.next_id = next_id_;
  }
  const bool was_empty = state_.applied == LogPosition() && state_.size == 0;
  state_.applied = cursor->position();
  if (was_empty && (records > 0 || report_.rebuilt)) {
    SHOAL_RETURN_IF_ERROR(FillLevelDb());
  } else if (records > 0) {
    SHOAL_RETURN_IF_ERROR(WriteToLevelDb(changes));
  }
  state_.size = size();
  if (report_.damaged_records > 0) SHOAL_RETURN_IF_ERROR(RewriteSeriesLog());
  return absl::OkStatus();
}

absl::Status MetricIndex::ForDefinitions(
    absl::Span<const SeriesId> series,
    absl::FunctionRef<absl::Status(absl::Span<const SeriesDefinition>)> take) const {
  std::vector<SeriesDefinition> definitions;
  for (size_t i = 0; i < series.size(); i += kSeriesPerRecord) {
    definitions.clear();
    {
      std::shared_lock lock(mu_);
      for (const SeriesId id : series.subspan(i, kSeriesPerRecord)) {
        const Entry* const entry = EntryOf(id);
        const uint32_t state = entry == nullptr ? 0 : entry->state.load(std::memory_order_relaxed);
        if (state == 0) continue;
        definitions.push_back(
            {id, static_cast<SchemaId>(state & 0xffff), tree_.NameOf(entry->node)});
      }
    }
    if (!definitions.empty()) SHOAL_RETURN_IF_ERROR(take(definitions));
  }
  return absl::OkStatus();
}

absl::Status MetricIndex::FillLevelDb() {
  for (size_t i = 0; i < schemas_.size(); ++i) {
    SHOAL_RETURN_IF_ERROR(leveldb_.Put({static_cast<SchemaId>(i), schemas_[i]}));
  }
  absl::Status status;
  {
    std::shared_lock lock(mu_);  // during I/O: only Open comes here, and nobody else is there yet
    tree_.VisitLeaves([&](absl::string_view name, SeriesId id) {
      SchemaId schema = 0;
      if (status.ok() && SchemaOf(id, &schema) != nullptr) status = leveldb_.Put(name, id, schema);
    });
  }
  SHOAL_RETURN_IF_ERROR(status);
  state_.size = size();
  return leveldb_.Commit(state_);
}

absl::Status MetricIndex::RebuildLevelDb() {
  SHOAL_RETURN_IF_ERROR(leveldb_.Destroy());
  SHOAL_RETURN_IF_ERROR(leveldb_.Open());
  // Twice through the log: whose definitions count is known when all deletions are.
  std::vector<bool> seen;  // by id: dead, or in LevelDB already
  const auto mark = [&seen](SeriesId id) {
    if (id >= seen.size()) seen.resize(id + size_t{1});
    const bool before = seen[id];
    seen[id] = true;
    return !before;
  };
  std::string bytes;
  WalRecord record;
  LevelDbIndex::State state;
  for (const bool deletions : {true, false}) {
    const std::unique_ptr<SegmentedLog::Cursor> cursor =
        series_log_->NewCursor(series_log_->begin());
    for (;;) {
      SHOAL_ASSIGN_OR_RETURN(const bool found, cursor->Next(&bytes));
      if (!found) break;
      if (!DecodeWalRecord(bytes, &record).ok()) continue;  // the next start sees to damage
      if (record.kind == WalRecordKind::kDelete) {
        state.next_id = std::max(state.next_id, record.deleted + 1);
        if (deletions) mark(record.deleted);
      } else if (record.kind == WalRecordKind::kSchema && !deletions) {
        SHOAL_RETURN_IF_ERROR(leveldb_.Put(record.schema));
      } else if (record.kind == WalRecordKind::kSeries && !deletions) {
        for (const SeriesDefinition& series : record.series) {
          state.next_id = std::max(state.next_id, series.id + 1);
          if (!mark(series.id)) continue;
          // Memory knows whether the schema has changed since.
          SchemaId schema = series.schema;
          SchemaOf(series.id, &schema);
          SHOAL_RETURN_IF_ERROR(leveldb_.Put(series.name, series.id, schema));
          ++state.size;
        }
      }
    }
    state.applied = cursor->position();
  }
  state_ = state;
  SHOAL_RETURN_IF_ERROR(leveldb_.Commit(state_));
  LogInfo("index", "LevelDB is in use again, with ", state_.size, " series");
  if (leveldb_gauge_ != nullptr) leveldb_gauge_->Set(1);
  if (rebuilds_counter_ != nullptr) rebuilds_counter_->Add();
  return absl::OkStatus();
}

bool MetricIndex::SeriesLogIsLong() const {
  std::shared_lock lock(mu_);
  return series_log_->bytes() >
         std::max(kSeriesLogBytesMin, 2 * (name_bytes_ + size() * kDefinitionBytes));
}

absl::Status MetricIndex::RewriteSeriesLog() {
  Changes all;
  {
    std::shared_lock lock(mu_);
    for (size_t i = 0; i < schemas_.size(); ++i) {
      all.schemas.push_back({static_cast<SchemaId>(i), schemas_[i]});
    }
    for (SeriesId id = 0; id < next_id_; ++id) {
      if (SchemaOf(id) != nullptr) all.created.push_back(id);
    }
    // Dead ids have no record any more: the last one that was given out stands for them all.
    if (next_id_ > 0 && SchemaOf(next_id_ - 1) == nullptr)
      all.removed.push_back({next_id_ - 1, ""});
  }
  LogInfo("index", options_.log_dir, ": writing anew, ", series_log_->bytes(), " bytes for ",
          all.created.size(), " series");
  SHOAL_RETURN_IF_ERROR(series_log_->Roll());
  const LogPosition start = series_log_->end();
  SHOAL_RETURN_IF_ERROR(AppendToSeriesLog(all));
  SHOAL_RETURN_IF_ERROR(series_log_->TruncateBefore(start));
  if (!leveldb_.is_open()) return absl::OkStatus();
  state_.applied = series_log_->end();
  if (absl::Status status = leveldb_.Commit(state_); !status.ok()) LevelDbFailed(status);
  return absl::OkStatus();
}

absl::Status MetricIndex::AppendToSeriesLog(const Changes& changes) {
  std::string bytes;
  for (const SchemaDefinition& schema : changes.schemas) {
    EncodeSchemaRecord(schema, &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  // Before the definitions: a name may have gone and come back under another id.
  for (const Changes::Removal& removal : changes.removed) {
    EncodeDeleteRecord(removal.id, &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  SHOAL_RETURN_IF_ERROR(
      ForDefinitions(changes.created, [&](absl::Span<const SeriesDefinition> definitions) {
        EncodeSeriesRecord(definitions, &bytes);
        return series_log_->Append(bytes).status();
      }));
  for (const SeriesId series : changes.changed) {
    SchemaChange change{series, 0};
    if (SchemaOf(series, &change.schema) == nullptr) continue;
    EncodeSchemaChangeRecord(change, &bytes);
    SHOAL_RETURN_IF_ERROR(series_log_->Append(bytes).status());
  }
  return series_log_->Sync();
}

absl::Status MetricIndex::WriteToLevelDb(const Changes& changes) {
  for (const SchemaDefinition& schema : changes.schemas) {
    SHOAL_RETURN_IF_ERROR(leveldb_.Put(schema));
  }
  // A series that came and went since the last time is counted here too: state_.size is the least
  // that must be there, not more.
  for (const Changes::Removal& removal : changes.removed) {
    SHOAL_RETURN_IF_ERROR(leveldb_.Remove(removal.name));
    state_.size -= std::min<uint64_t>(state_.size, 1);
  }
  for (const SeriesId id : changes.created) state_.next_id = std::max(state_.next_id, id + 1);
  const auto put = [this](absl::Span<const SeriesDefinition> definitions) -> absl::Status {
    for (const SeriesDefinition& series : definitions) {
      SHOAL_RETURN_IF_ERROR(leveldb_.Put(series.name, series.id, series.schema));
    }
    state_.size += definitions.size();
    return absl::OkStatus();
  };
  SHOAL_RETURN_IF_ERROR(ForDefinitions(changes.created, put));
  const uint64_t size = state_.size;  // these are there already
  SHOAL_RETURN_IF_ERROR(ForDefinitions(changes.changed, put));
  state_.size = size;
  return leveldb_.Commit(state_);
}

void MetricIndex::LevelDbFailed(const absl::Status& why) {
  // Nothing is lost: the series log has it all.
  LogError("index", "LevelDB failed and will be made anew: ", why.message());
  leveldb_.Close();
  if (leveldb_gauge_ != nullptr) leveldb_gauge_->Set(0);
  next_rebuild_ = std::chrono::steady_clock::now() + kRebuildInterval;
}

absl::Status MetricIndex::Persist() {
  Changes taken;
  {
    std::unique_lock lock(mu_);
    std::swap(taken, changes_);
  }
  if (!taken.empty()) {
    if (absl::Status status = AppendToSeriesLog(taken); !status.ok()) {
      std::unique_lock lock(mu_);
      const auto put_back = [](auto* all, auto* first) {
        all->insert(all->begin(), std::make_move_iterator(first->begin()),
                    std::make_move_iterator(first->end()));
      };
      put_back(&changes_.schemas, &taken.schemas);
      put_back(&changes_.created, &taken.created);
      put_back(&changes_.removed, &taken.removed);
      put_back(&changes_.changed, &taken.changed);
      return status;
    }
  }
  absl::Status status;
  if (!leveldb_.is_open()) {
    if (std::chrono::steady_clock::now() >= next_rebuild_) status = RebuildLevelDb();
  } else if (!taken.empty()) {
    state_.applied = series_log_->end();
    status = WriteToLevelDb(taken);
  }
  if (!status.ok()) LevelDbFailed(status);
  if (!SeriesLogIsLong()) return absl::OkStatus();
  if (status = RewriteSeriesLog(); !status.ok()) {
    LogWarning("index", options_.log_dir, ": ", status.message());  // the old one stands
  }
  return absl::OkStatus();
}

}  // namespace shoal
