#include "storage/engine.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/metric/metric_name.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "storage/committer.h"
#include "storage/flusher.h"
#include "storage/identity.h"
#include "storage/index/metric_index.h"
#include "storage/log/segmented_log.h"
#include "storage/recovery.h"
#include "storage/schema_migration.h"
#include "storage/series_expirer.h"
#include "storage/series_reader.h"
#include "storage/write_buffer.h"

namespace shoal {

const char* RefusalReasonText(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kTooOld:
      return "too_old";
    case RefusalReason::kTooFarAhead:
      return "too_far_ahead";
    case RefusalReason::kSeriesLimit:
      return "series_limit";
    case RefusalReason::kBadName:
      return "bad_name";
    case RefusalReason::kSeriesGone:
      return "series_gone";
  }
  return "unknown";
}

WriteResult Engine::WriteAndWait(WriteBatch batch) {
  struct Waiter {
    Mutex mu;
    CondVar done;
    bool finished ABSL_GUARDED_BY(mu) = false;
    WriteResult result ABSL_GUARDED_BY(mu);
  };
  // Shared: the callback may still hold the lock when this call has returned.
  const auto waiter = std::make_shared<Waiter>();
  Write(std::move(batch), [waiter](WriteResult result) {
    MutexLock lock(&waiter->mu);
    waiter->result = std::move(result);
    waiter->finished = true;
    waiter->done.Signal();
  });
  MutexLock lock(&waiter->mu);
  while (!waiter->finished) waiter->done.Wait(&waiter->mu);
  return std::move(waiter->result);
}

namespace {

// What one wait for the commit thread deletes.
constexpr size_t kDeletionsAtOnce = 4096;
// Of one look for expired series, once per flush round: a thousandth of the time.
constexpr auto kExpiryBudget = std::chrono::milliseconds(300);
// Of one part of a migration.
constexpr auto kMigrationBudget = std::chrono::milliseconds(200);

class EngineImpl : public Engine {
 public:
  explicit EngineImpl(EngineOptions options) : options_(std::move(options)) {
    if (options_.fs == nullptr) options_.fs = FileSystem::Posix();
    if (options_.clock == nullptr) options_.clock = Clock::System();
  }
  ~EngineImpl() override {
    if (absl::Status status = Close(); !status.ok()) {
      LogWarning("engine", "closing: ", status.message(), "; the log has what was not flushed");
    }
  }

  absl::Status Init();

  absl::StatusOr<SeriesId> Resolve(absl::string_view name) override;
  void Write(WriteBatch batch, std::function<void(WriteResult)> done) override {
    committer_->Write(std::move(batch), std::move(done));
  }
  absl::Status Find(const Glob& glob,
                    absl::FunctionRef<bool(const FoundNode&)> visit) const override;
  absl::Status ListNames(
      absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const override {
    index_->VisitNames(visit);
    return absl::OkStatus();
  }
  absl::Status Read(SeriesId series, const FetchRange& range, Series* out) const override {
    return reader_->Read(series, range, out);
  }
  absl::Status Delete(absl::string_view name) override;
  absl::Status DeleteSeries(absl::Span<const SeriesId> series) override;
  absl::StatusOr<size_t> DeleteIdle(absl::Span<const SeriesId> series, uint64_t generation);
  absl::Status Flush() override;
  absl::Status FlushPoints() override;
  EngineStats Stats() const override;
  const RecoveryReport& recovery() const override { return recovery_; }
  const RingStore& rings() const override { return *rings_; }
  absl::Status Close() override;

 private:
  absl::Status OpenStores();
  absl::Status Recover();
  void ReserveRingIds();
  void ReportRecovery(double seconds);
  absl::StatusOr<SchemaId> SchemaFor(const std::vector<Archive>* archives,
                                     const AggregationRule& aggregation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mu_);
  void StartLimits();
  void ExpireSome();
  void StartMigration();
  absl::Status FlushAll(RollupRunner::When rollups);
  Flusher::Begin CommitterBegin() {
    return [this](LogPosition* position, std::vector<Committer::Deleted>* deleted) {
      return committer_->BeginFlush(position, deleted);
    };
  }

  EngineOptions options_;
  RecoveryReport recovery_;
  LogPosition checkpoint_;  // as found at Open
  // In the order of use: each borrows from those above.
  std::unique_ptr<File> lock_;
  std::unique_ptr<MetricIndex> index_;
  std::unique_ptr<RingStore> rings_;
  std::unique_ptr<SegmentedLog> wal_;
  WriteBuffer buffer_{[this](SeriesId series) {
    const SeriesSchema* const schema = index_->SchemaOf(series);
    return schema != nullptr ? schema->archives.front().step_sec : 0;
  }};
  std::unique_ptr<SeriesReader> reader_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Flusher> flusher_;

  std::vector<SeriesId> dead_;  // of the deletions that Recover met; until StartMigration
  std::unique_ptr<SchemaMigration> migration_;  // null: not wanted
  std::unique_ptr<SeriesLimits> limits_;
  Mutex expire_mu_;  // held over the expirer's reads and deletions
  std::unique_ptr<SeriesExpirer> expirer_ ABSL_PT_GUARDED_BY(expire_mu_);

  // What the rules have given, with its id: a storm of new names meets the same few.
  struct KnownSchema {
    const std::vector<Archive>* archives;
    AggregationRule aggregation;
    SchemaId id;
  };
  Mutex create_mu_;  // one creation of a series at a time: ids and definitions in the same order
  std::vector<KnownSchema> known_schemas_ ABSL_GUARDED_BY(create_mu_);
  Mutex close_mu_;  // held during the whole of Close, I/O included
  bool closed_ ABSL_GUARDED_BY(close_mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(close_mu_);
};

absl::Status EngineImpl::Init() {
  if (options_.dir.empty()) return absl::InvalidArgumentError("the storage engine needs a folder");
  FileSystem* const fs = options_.fs;
  SHOAL_RETURN_IF_ERROR(CheckIdentity(fs, options_.dir, options_.cluster_name, options_.node_name));
  SHOAL_RETURN_IF_ERROR(fs->CreateDirs(options_.dir));
  SHOAL_ASSIGN_OR_RETURN(lock_, fs->Lock(JoinPath(options_.dir, "LOCK")));
  // Again, now that nobody else can be making the folder theirs.
  SHOAL_RETURN_IF_ERROR(CheckIdentity(fs, options_.dir, options_.cluster_name, options_.node_name));
  SHOAL_RETURN_IF_ERROR(
      EnsureIdentity(fs, options_.dir, options_.cluster_name, options_.node_name));
  SHOAL_RETURN_IF_ERROR(OpenStores());

  Committer::Options commit;
  commit.fs = fs;
  commit.clock = options_.clock;
  commit.metrics = options_.metrics;
  commit.dir = options_.dir;
  commit.wal_sync = options_.wal_sync;
  commit.wal_sync_interval_ms = options_.wal_sync_interval_ms;
  commit.write_buffer_bytes_max = options_.write_buffer_bytes_max;
  commit.wal_bytes_max = options_.wal_bytes_max;
  commit.future_sec_max = options_.future_sec_max;
  commit.disk_reserve_bytes = options_.disk_reserve_bytes;
  committer_ = std::make_unique<Committer>(std::move(commit), wal_.get(), index_.get(), &buffer_);
  SHOAL_RETURN_IF_ERROR(Recover());

  StartLimits();
  expirer_ = std::make_unique<SeriesExpirer>(
      index_.get(), reader_.get(), &buffer_, options_.clock, options_.future_sec_max,
      [this] { return committer_->newest_point_sec(); },
      [this](absl::Span<const SeriesId> series, uint64_t generation) {
        return DeleteIdle(series, generation);
      },
      options_.metrics);
  flusher_->AfterRounds([this] { ExpireSome(); });
  StartMigration();
  committer_->OnMemory([this] { flusher_->Wake(); });
  committer_->Start();
  flusher_->Start(CommitterBegin(), [this] { committer_->NotifyRoom(); });
  return absl::OkStatus();
}

void EngineImpl::StartMigration() {
  // When something that is damaged may have told where a series lives, nothing is thrown away.
  if (recovery_.damaged_records == 0) flusher_->Retire(FindStraySlots(*index_, *rings_, dead_));
  dead_.clear();
  if (!options_.migrate_schemas) return;
  SchemaMigration::Hooks hooks;
  hooks.schema_for = [this](absl::string_view name) -> absl::StatusOr<SchemaId> {
    const std::vector<Archive>* const archives = options_.schemas.Find(name).archives;
    const AggregationRule aggregation = options_.aggregations.Find(name);
    MutexLock lock(&create_mu_);
    return SchemaFor(archives, aggregation);
  };
  hooks.quiet_work = [this](absl::FunctionRef<absl::Status()> work) {
    return flusher_->QuietWork(work);
  };
  hooks.retire = [this](absl::Span<const Committer::Deleted> slots) { flusher_->Retire(slots); };
  hooks.retire_after_round = [this](absl::Span<const Committer::Deleted> slots) {
    flusher_->RetireAfterRound(slots);
  };
  hooks.change_schemas = [this](absl::Span<Committer::SchemaMove> moves) {
    return committer_->ChangeSchemas(moves);
  };
  migration_ =
      std::make_unique<SchemaMigration>(std::move(hooks), index_.get(), rings_.get(), reader_.get(),
                                        options_.clock, options_.future_sec_max, options_.metrics);
  flusher_->WorkBetweenRounds([this] { return migration_->RunSome(kMigrationBudget); });
}

void EngineImpl::StartLimits() {
  limits_ = std::make_unique<SeriesLimits>(
      SeriesLimit{"", options_.series_max, options_.series_creations_per_sec},
      options_.series_limits, options_.metrics);
  limits_->Start(index_->size());
  if (limits_->has_prefixes()) {
    index_->VisitNames([this](absl::string_view name, SeriesId) { limits_->AddedToPrefix(name); });
  }
  index_->OnRemoved([this](absl::string_view name) { limits_->Removed(name); });
}

absl::Status EngineImpl::OpenStores() {
  FileSystem* const fs = options_.fs;
  MetricIndexOptions index;
  index.fs = fs;
  index.dir = JoinPath(options_.dir, "index");
  // With the ring files: they are of no use to anybody without the names of their slots.
  index.log_dir = JoinPath(JoinPath(options_.dir, "ring"), "series-log");
  index.metrics = options_.metrics;
  SHOAL_ASSIGN_OR_RETURN(index_, MetricIndex::Open(std::move(index)));
  recovery_.index_rebuilt = index_->report().rebuilt;
  recovery_.damaged_records += index_->report().damaged_records;

  std::vector<SeriesSchema> schemas;
  for (size_t id = 0; id < index_->schema_count(); ++id) {
    schemas.push_back(*index_->Schema(static_cast<SchemaId>(id)));
  }
  Flusher::Options flush;
  flush.ring_schemas = schemas.size();
  RingStoreOptions ring;
  ring.fs = fs;
  ring.dir = JoinPath(options_.dir, "ring");
  ring.metrics = options_.metrics;
  ring.future_sec = options_.future_sec_max;
  SHOAL_ASSIGN_OR_RETURN(rings_, RingStore::Open(std::move(ring), std::move(schemas)));
  ReserveRingIds();

  checkpoint_ = ReadCheckpoint(fs, JoinPath(options_.dir, "CHECKPOINT"));
  SegmentedLogOptions log;
  log.fs = fs;
  log.dir = JoinPath(options_.dir, "wal");
  log.next_segment_min = checkpoint_.segment;
  log.segment_bytes = options_.wal_segment_bytes;
  SHOAL_ASSIGN_OR_RETURN(wal_, SegmentedLog::Open(std::move(log)));
  recovery_.torn_tail_bytes += wal_->open_report().torn_bytes;

  flush.fs = fs;
  flush.clock = options_.clock;
  flush.metrics = options_.metrics;
  flush.checkpoint_path = JoinPath(options_.dir, "CHECKPOINT");
  flush.flush_interval_ms = options_.flush_interval_ms;
  flusher_ =
      std::make_unique<Flusher>(std::move(flush), wal_.get(), index_.get(), rings_.get(), &buffer_);
  reader_ = std::make_unique<SeriesReader>(index_.get(), rings_.get(), &buffer_, options_.clock);
  return absl::OkStatus();
}

void EngineImpl::ReserveRingIds() {
  // Should the index have lost a name for good, its id must not become another's: the slots would
  // be taken for its own.
  for (size_t id = 0; id < index_->schema_count(); ++id) {
    const SchemaId schema = static_cast<SchemaId>(id);
    for (size_t k = 0; k < index_->Schema(schema)->archives.size(); ++k) {
      const std::vector<SeriesId> series = rings_->SeriesIn({schema, static_cast<uint8_t>(k)});
      if (!series.empty()) index_->ReserveId(series.back());
    }
  }
}

absl::Status EngineImpl::Recover() {
  const auto start = std::chrono::steady_clock::now();
  ReplayOptions replay;
  replay.checkpoint = checkpoint_;
  replay.write_buffer_bytes_max = static_cast<uint64_t>(options_.write_buffer_bytes_max);
  std::vector<Committer::Deleted> deleted;
  const auto flush = [&](LogPosition position) {
    const Flusher::Begin begin = [&](LogPosition* at, std::vector<Committer::Deleted>* freed) {
      *at = position;
      freed->insert(freed->end(), deleted.begin(), deleted.end());
      deleted.clear();
      buffer_.BeginFlush();
      return absl::OkStatus();
    };
    return flusher_->Round(begin, RollupRunner::When::kWorthwhile);
  };
  // Segments that a crash brought back after they had been deleted.
  SHOAL_RETURN_IF_ERROR(wal_->TruncateBefore(replay.checkpoint));
  SHOAL_RETURN_IF_ERROR(
      ReplayWal(replay, *wal_, index_.get(), &buffer_, flush, &deleted, &dead_, &recovery_));
  committer_->AddDeleted(deleted);
  ReportRecovery(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return absl::OkStatus();
}

void EngineImpl::ReportRecovery(double seconds) {
  LogInfo("engine", "recovered ", index_->size(), " series and ", recovery_.points_replayed,
          " points from ", recovery_.wal_records, " log records in ", seconds, " s; torn tail ",
          recovery_.torn_tail_bytes, " bytes, damaged records ", recovery_.damaged_records);
  MetricRegistry* const metrics = options_.metrics;
  if (metrics == nullptr) return;
  const auto set = [&](absl::string_view name, absl::string_view help, uint64_t value) {
    metrics->AddGauge(name, help)->Set(static_cast<int64_t>(value));
  };
  set("shoal_node_recovery_points", "Points that the last start replayed",
      recovery_.points_replayed);
  set("shoal_node_recovery_records", "WAL records that the last start replayed",
      recovery_.wal_records);
  set("shoal_node_recovery_torn_bytes", "Bytes cut off the WAL's tail by the last start",
      recovery_.torn_tail_bytes);
  set("shoal_node_recovery_damaged_records", "Damaged log records that the last start left out",
      recovery_.damaged_records);
  set("shoal_node_recovery_milliseconds", "Duration of the last start's replay",
      static_cast<uint64_t>(seconds * 1000));
  metrics->AddGauge("shoal_node_series", "Series in the index")
      ->Set(static_cast<int64_t>(index_->size()));
}

absl::StatusOr<SeriesId> EngineImpl::Resolve(absl::string_view name) {
  if (const SeriesId known = index_->Find(name); known != kNoSeries) return known;
  if (const NameError error = ValidateName(name); error != NameError::kNone) {
    return absl::InvalidArgumentError(NameErrorText(error));
  }
  if (IsTagged(name) && CanonicalName(name) != name) {
    return absl::InvalidArgumentError(absl::StrCat("not the canonical form: ", name));
  }
  const std::vector<Archive>* const archives = options_.schemas.Find(name).archives;
  const AggregationRule aggregation = options_.aggregations.Find(name);
  MutexLock lock(&create_mu_);
  if (const SeriesId known = index_->Find(name); known != kNoSeries) return known;
  if (index_->full()) return absl::ResourceExhaustedError("the memory of names is full");
  SHOAL_RETURN_IF_ERROR(limits_->Admit(name, std::chrono::steady_clock::now()));
  const absl::StatusOr<SchemaId> schema = SchemaFor(archives, aggregation);
  if (!schema.ok()) {
    limits_->Removed(name);
    return schema.status();
  }
  const SeriesId id = index_->Create(name, *schema);
  committer_->Define(SeriesDefinition{id, *schema, std::string(name)});
  return id;
}

absl::StatusOr<SchemaId> EngineImpl::SchemaFor(const std::vector<Archive>* archives,
                                               const AggregationRule& aggregation) {
  // The rules do not change, so that the address tells their archives apart.
  for (const KnownSchema& known : known_schemas_) {
    if (known.archives == archives && known.aggregation == aggregation) return known.id;
  }
  const SeriesSchema schema{*archives, aggregation};
  bool is_new = false;
  SHOAL_ASSIGN_OR_RETURN(const SchemaId id, index_->InternSchema(schema, &is_new));
  if (is_new) committer_->Define(SchemaDefinition{id, schema});
  known_schemas_.push_back({archives, aggregation, id});
  return id;
}

absl::Status EngineImpl::Find(const Glob& glob,
                              absl::FunctionRef<bool(const FoundNode&)> visit) const {
  index_->Glob(glob, [&visit](const NameTree::Match& match) {
    return visit(FoundNode{match.path, match.is_leaf, match.series});
  });
  return absl::OkStatus();
}

absl::Status EngineImpl::Delete(absl::string_view name) {
  const SeriesId series = index_->Find(name);
  if (series == kNoSeries) return absl::NotFoundError(absl::StrCat("no series ", name));
  return committer_->Delete({&series, 1});
}

absl::Status EngineImpl::DeleteSeries(absl::Span<const SeriesId> series) {
  for (size_t i = 0; i < series.size(); i += kDeletionsAtOnce) {
    SHOAL_RETURN_IF_ERROR(committer_->Delete(series.subspan(i, kDeletionsAtOnce)));
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> EngineImpl::DeleteIdle(absl::Span<const SeriesId> series,
                                              uint64_t generation) {
  size_t deleted = 0;
  for (size_t i = 0; i < series.size(); i += kDeletionsAtOnce) {
    SHOAL_ASSIGN_OR_RETURN(const size_t n,
                           committer_->DeleteIdle(series.subspan(i, kDeletionsAtOnce), generation));
    deleted += n;
  }
  return deleted;
}

void EngineImpl::ExpireSome() {
  MutexLock lock(&expire_mu_);
  if (!options_.expire) return;
  // Deletions wait for better days while nothing can be written.
  if (absl::Status status = expirer_->RunSome(kExpiryBudget); !status.ok()) {
    LogWarning("engine", "expiry: ", status.message());
  }
}

absl::Status EngineImpl::FlushAll(RollupRunner::When rollups) {
  // A first round may only finish a generation whose round failed before; the second takes the
  // rest.
  if (buffer_.flushing()) SHOAL_RETURN_IF_ERROR(flusher_->Round(CommitterBegin(), rollups));
  return flusher_->Round(CommitterBegin(), rollups);
}

absl::Status EngineImpl::Flush() {
  SHOAL_RETURN_IF_ERROR(FlushAll(RollupRunner::When::kAll));
  ExpireSome();
  if (migration_ != nullptr) migration_->RunSome(kMigrationBudget);
  return absl::OkStatus();
}
absl::Status EngineImpl::FlushPoints() { return FlushAll(RollupRunner::When::kWorthwhile); }

EngineStats EngineImpl::Stats() const {
  EngineStats stats;
  stats.series = index_->size();
  stats.points_written = committer_->points_written();
  stats.write_buffer_points = buffer_.points();
  stats.write_buffer_bytes = buffer_.bytes();
  stats.wal_bytes = wal_->bytes();
  stats.bad_pages = rings_->BadPages();
  stats.read_only_reason = committer_->read_only_reason();
  stats.read_only = !stats.read_only_reason.empty();
  return stats;
}

absl::Status EngineImpl::Close() {
  MutexLock lock(&close_mu_);
  if (closed_) return close_status_;
  closed_ = true;
  if (committer_ == nullptr || flusher_ == nullptr) return absl::OkStatus();  // Init failed early
  const bool started = committer_->started();
  committer_->Stop();
  flusher_->Stop();
  if (!started) return absl::OkStatus();
  close_status_ = FlushAll(RollupRunner::When::kWorthwhile);
  return close_status_;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(std::move(options));
  SHOAL_RETURN_IF_ERROR(engine->Init());
  return engine;
}

}  // namespace shoal
