#include "storage/committer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "storage/late_points.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

// Queued batches hold at most this much before Write blocks, and a group takes at most this much.
constexpr uint64_t kQueuedBytesMax = 64 << 20;
constexpr uint64_t kGroupBytesMax = 16 << 20;
// A batch is one record of the log, which holds 64 MiB.
constexpr size_t kBatchPointsMax = 2 << 20;
constexpr size_t kSeriesPerRecord = 4096;
constexpr size_t kSeriesAhead = 16;  // whose index entries are fetched from memory
constexpr auto kRetryInterval = std::chrono::seconds(1);
constexpr auto kStallLogInterval = std::chrono::seconds(30);

uint64_t BatchBytes(const WriteBatch& batch) {
  return batch.series.size() * (sizeof(SeriesId) + sizeof(int64_t) + sizeof(double)) + 256;
}

}  // namespace

Committer::Committer(Options options, SegmentedLog* wal, MetricIndex* index, WriteBuffer* buffer)
    : options_(std::move(options)), wal_(wal), index_(index), buffer_(buffer) {
  last_sync_ = steady_clock::now();
  flush_at_bytes_ = static_cast<uint64_t>(options_.write_buffer_bytes_max) * 2 / 5;
  MetricRegistry* const metrics = options_.metrics;
  if (metrics == nullptr) return;
  points_counter_ =
      metrics->AddCounter("shoal_node_points_written_total", "Points made durable and applied");
  for (const RefusalReason reason : {RefusalReason::kTooOld, RefusalReason::kTooFarAhead,
                                     RefusalReason::kSeriesLimit, RefusalReason::kBadName}) {
    refused_counters_[static_cast<size_t>(reason)] =
        metrics->AddCounter("shoal_node_points_refused_total", "Points not taken, by reason",
                            {{"reason", RefusalReasonText(reason)}});
  }
  wal_bytes_gauge_ = metrics->AddGauge("shoal_node_wal_bytes", "Size of the write-ahead log");
  buffer_points_gauge_ =
      metrics->AddGauge("shoal_node_write_buffer_points", "Points that no ring file holds yet");
  buffer_bytes_gauge_ =
      metrics->AddGauge("shoal_node_write_buffer_bytes", "Memory of these points");
  read_only_gauge_ = metrics->AddGauge("shoal_node_read_only", "1 while writes are refused");
  stalls_counter_ = metrics->AddCounter("shoal_node_write_stalls_total",
                                        "Batches that waited for room in buffer or log");
  stall_ms_counter_ =
      metrics->AddCounter("shoal_node_write_stall_milliseconds_total", "How long they waited");
  series_gauge_ = metrics->AddGauge("shoal_node_series", "Series in the index");
  sync_seconds_ =
      metrics->AddHistogram("shoal_node_wal_sync_seconds", "Duration of the WAL's fdatasync",
                            MetricRegistry::LatencyBounds());
}

Committer::~Committer() { Stop(); }

void Committer::Start() {
  {
    MutexLock lock(&mu_);
    SHOAL_CHECK(stopped_ && !stopping_);
    stopped_ = false;
  }
  thread_ = std::thread([this] {
    SetThreadName("commit");
    Run();
  });
}

void Committer::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    work_.SignalAll();
    room_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Committer::Write(WriteBatch batch, std::function<void(WriteResult)> done) {
  const uint64_t bytes = BatchBytes(batch);
  SHOAL_CHECK(batch.timestamps_sec.size() == batch.series.size() &&
              batch.values.size() == batch.series.size());
  WriteResult refused;
  if (batch.series.size() > kBatchPointsMax) {
    refused.status = absl::InvalidArgumentError(
        absl::StrCat("a batch of ", batch.series.size(), " points, at most ", kBatchPointsMax));
    done(std::move(refused));
    return;
  }
  {
    MutexLock lock(&mu_);
    // Others that waited may have filled the queue meanwhile.
    for (;;) {
      WaitForFlush();
      if (stopping_ || !read_only_reason_.empty() || queued_bytes_ == 0 ||
          queued_bytes_ + bytes <= kQueuedBytesMax) {
        break;
      }
      room_.Wait(&mu_);
    }
    if (stopping_) {
      refused.status = absl::UnavailableError("the storage engine is shutting down");
    } else if (!read_only_reason_.empty()) {
      refused.status = absl::UnavailableError(absl::StrCat("read only: ", read_only_reason_));
    } else {
      if (items_.empty()) work_.Signal();
      items_.push_back({std::move(batch), WriteResult(), std::move(done)});
      queued_bytes_ += bytes;
      return;
    }
  }
  done(std::move(refused));
}

void Committer::WaitForFlush() {
  const auto full = [&] {
    return buffer_->bytes() >= static_cast<uint64_t>(options_.write_buffer_bytes_max) ||
           wal_bytes_.load(std::memory_order_relaxed) >=
               static_cast<uint64_t>(options_.wal_bytes_max);
  };
  if (!full()) return;
  const auto start = steady_clock::now();
  if (start >= next_stall_log_) {
    next_stall_log_ = start + kStallLogInterval;
    LogWarning("engine", "writes wait for the flush: the buffer holds ", buffer_->bytes(), " of ",
               options_.write_buffer_bytes_max, " bytes, the log ", wal_bytes_.load(), " of ",
               options_.wal_bytes_max);
  }
  if (on_memory_) on_memory_();
  while (!stopping_ && read_only_reason_.empty() && full()) room_.Wait(&mu_);
  if (stalls_counter_ == nullptr) return;
  stalls_counter_->Add();
  stall_ms_counter_->Add(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start).count()));
}

void Committer::AskForFlush() {
  if (on_memory_ == nullptr) return;
  const uint64_t wal_bytes = wal_->bytes();
  wal_bytes_.store(wal_bytes, std::memory_order_relaxed);
  if (buffer_->active_bytes() >= flush_at_bytes_.load(std::memory_order_relaxed) ||
      wal_bytes >= static_cast<uint64_t>(options_.wal_bytes_max) / 2) {
    on_memory_();
  }
}

void Committer::Define(SchemaDefinition schema) {
  MutexLock lock(&mu_);
  schemas_.push_back(std::move(schema));
  work_.Signal();
}

void Committer::Define(SeriesDefinition series) {
  MutexLock lock(&mu_);
  // No wake-up for each: the batch that follows brings one, and a definition alone is not urgent
  // (see Run).
  series_.push_back(std::move(series));
}

absl::Status Committer::Delete(absl::Span<const SeriesId> series) {
  return Delete(series, std::nullopt).status();
}

absl::StatusOr<size_t> Committer::DeleteIdle(absl::Span<const SeriesId> series,
                                             uint64_t generation) {
  return Delete(series, generation);
}

size_t Committer::deletions_waiting() const {
  MutexLock lock(&mu_);
  return deletions_.size();
}

absl::StatusOr<size_t> Committer::Delete(absl::Span<const SeriesId> series,
                                         std::optional<uint64_t> idle_since) {
  std::vector<Deletion> deletions(series.size());
  MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the storage engine is shutting down");
  for (size_t i = 0; i < series.size(); ++i) {
    deletions[i].series = series[i];
    deletions[i].idle_since = idle_since;
    deletions_.push_back(&deletions[i]);
  }
  work_.Signal();
  // All of them: the commit thread has their addresses.
  absl::Status status;
  size_t deleted = 0;
  for (const Deletion& deletion : deletions) {
    while (!deletion.finished) finished_.Wait(&mu_);
    if (status.ok()) status = deletion.status;
    if (!deletion.kept) ++deleted;
  }
  if (!status.ok()) return status;
  return deleted;
}

absl::Status Committer::ChangeSchemas(absl::Span<SchemaMove> moves) {
  MoveRequest request;
  request.moves = moves;
  MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the storage engine is shutting down");
  SHOAL_CHECK(move_request_ == nullptr);
  move_request_ = &request;
  work_.Signal();
  while (!request.finished) finished_.Wait(&mu_);
  return request.status;
}

absl::Status Committer::BeginFlush(LogPosition* position, std::vector<Deleted>* deleted) {
  FlushRequest request;
  request.position = position;
  request.deleted = deleted;
  {
    MutexLock lock(&mu_);
    if (!stopped_) {
      SHOAL_CHECK(flush_request_ == nullptr);
      flush_request_ = &request;
      work_.Signal();
      while (!request.finished) finished_.Wait(&mu_);
      return request.status;
    }
  }
  RunFlushRequest(&request);
  return request.status;
}

void Committer::RunFlushRequest(FlushRequest* request) {
  // A new segment, so that truncation by whole segments leaves nothing behind that has been
  // flushed. When the old one fails to sync here, its points are in the buffer all the same, and
  // soon in the ring files.
  request->status = wal_->Roll();
  if (!request->status.ok()) {
    LogWarning("engine", "closing a WAL segment: ", request->status.message());
    wal_->Sync().IgnoreError();
    request->status = wal_->Roll();
    if (!request->status.ok()) return;
  }
  unsynced_ = false;
  *request->position = wal_->end();
  buffer_->BeginFlush();
  request->deleted->insert(request->deleted->end(), deleted_.begin(), deleted_.end());
  deleted_.clear();
}

void Committer::NotifyRoom() {
  // The next round begins while there is room for half as much again as came in during this one: as
  // late as the disk allows, because a round costs about the same however many points it takes.
  const uint64_t bytes_max = static_cast<uint64_t>(options_.write_buffer_bytes_max);
  const uint64_t spare = std::min(bytes_max, buffer_->active_bytes() * 3 / 2);
  flush_at_bytes_.store(std::clamp(bytes_max - spare, bytes_max * 2 / 5, bytes_max * 4 / 5),
                        std::memory_order_relaxed);
  wal_bytes_.store(wal_->bytes(), std::memory_order_relaxed);
  MutexLock lock(&mu_);
  room_.SignalAll();
  if (buffer_bytes_gauge_ != nullptr) {
    buffer_bytes_gauge_->Set(static_cast<int64_t>(buffer_->bytes()));
    buffer_points_gauge_->Set(static_cast<int64_t>(buffer_->points()));
    wal_bytes_gauge_->Set(static_cast<int64_t>(wal_->bytes()));
  }
}

std::string Committer::read_only_reason() const {
  MutexLock lock(&mu_);
  return read_only_reason_;
}

bool Committer::HasWork() const {
  // Definitions alone wait for better days while read-only: they would fail again and again.
  const bool definitions = !schemas_.empty() || series_.size() >= kSeriesPerRecord;
  return !items_.empty() || !deletions_.empty() || move_request_ != nullptr ||
         flush_request_ != nullptr || (definitions && read_only_reason_.empty());
}

Committer::Group Committer::TakeGroup() {
  Group group;
  group.schemas.swap(schemas_);
  group.series.swap(series_);
  group.deletions.swap(deletions_);
  group.moves = std::exchange(move_request_, nullptr);
  uint64_t bytes = 0;
  while (!items_.empty() && bytes < kGroupBytesMax) {
    bytes += BatchBytes(items_.front().batch);
    group.items.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  queued_bytes_ -= bytes;
  room_.SignalAll();
  return group;
}

void Committer::Run() {
  AskForFlush();  // what the last life has left may be much already
  for (;;) {
    Group group;
    FlushRequest* request = nullptr;
    bool probe = false;
    bool final_sync = false;
    {
      MutexLock lock(&mu_);
      if (!HasWork() && !stopping_) {
        // Wakes now and then for the interval sync, the read-only retry and definitions without
        // points.
        const auto pause = unsynced_ ? std::chrono::milliseconds(options_.wal_sync_interval_ms)
                                     : std::chrono::milliseconds(1000);
        work_.WaitFor(&mu_, pause);  // whatever it was, the rest copes with no work
      }
      if (stopping_ && !HasWork() && series_.empty() && schemas_.empty()) {
        if (!unsynced_ || options_.wal_sync == WalSync::kNever) {
          stopped_ = true;
          return;
        }
        final_sync = true;
      }
      request = std::exchange(flush_request_, nullptr);
      probe = !read_only_reason_.empty();
      group = TakeGroup();
    }
    if (probe && steady_clock::now() >= next_try_) Probe();
    Commit(&group);
    if (request != nullptr) {
      RunFlushRequest(request);
      MutexLock lock(&mu_);
      request->finished = true;
      finished_.SignalAll();
    }
    SyncOnInterval();
    if (final_sync) {
      if (unsynced_) SyncWal().IgnoreError();
      unsynced_ = false;
    }
  }
}

void Committer::Accept(Group* group) {
  if (accepted_.size() < group->items.size()) accepted_.resize(group->items.size());
  for (size_t i = 0; i < group->items.size(); ++i) {
    WriteBatch& batch = group->items[i].batch;
    WalBatch& accepted = accepted_[i];
    accepted.series = std::move(batch.series);
    accepted.timestamps_sec = std::move(batch.timestamps_sec);
    accepted.values = std::move(batch.values);
    AcceptPoints(&accepted, &group->items[i].result);
  }
}

void Committer::AcceptPoints(WalBatch* batch, WriteResult* result) {
  const int64_t now = options_.clock->NowSec();
  const int64_t newest = now + options_.future_sec_max;
  const size_t count = batch->series.size();
  const auto refuse = [&](size_t point, RefusalReason reason) {
    result->refused.push_back({static_cast<uint32_t>(point), reason});
    if (Counter* counter = refused_counters_[static_cast<size_t>(reason)]) counter->Add();
  };
  size_t kept = 0;
  SeriesId last = kNoSeries;
  const SeriesSchema* schema = nullptr;
  // Neighbours mostly have the same time and step: one division for all of them.
  int64_t last_time = 0;
  int64_t last_step = 1;
  int64_t aligned = 0;
  int64_t newest_point = newest_point_sec();
  for (size_t p = 0; p < count; ++p) {
    if (p + kSeriesAhead < count && batch->series[p + kSeriesAhead] != kNoSeries)
      index_->Prefetch(batch->series[p + kSeriesAhead]);
    const SeriesId series = batch->series[p];
    const int64_t timestamp = batch->timestamps_sec[p];
    if (series == kNoSeries) {
      refuse(p, RefusalReason::kSeriesLimit);
      continue;
    }
    if (series != last) {
      last = series;
      schema = index_->SchemaOf(series);
    }
    if (schema == nullptr) {
      refuse(p, RefusalReason::kSeriesGone);
    } else if (timestamp > newest) {
      refuse(p, RefusalReason::kTooFarAhead);
    } else if (timestamp < 0 || now - timestamp >= schema->archives.back().retention_sec()) {
      refuse(p, RefusalReason::kTooOld);
    } else if (!std::isnan(batch->values[p])) {  // NaN is "no value": nothing to store
      const int64_t step = schema->archives.front().step_sec;
      if (timestamp != last_time || step != last_step) {
        last_time = timestamp;
        last_step = step;
        aligned = AlignDown(timestamp, step);
        newest_point = std::max(newest_point, aligned);
      }
      batch->series[kept] = series;
      batch->timestamps_sec[kept] = aligned;
      batch->values[kept++] = batch->values[p];
    }
  }
  newest_point_sec_.store(newest_point, std::memory_order_relaxed);
  batch->series.resize(kept);
  batch->timestamps_sec.resize(kept);
  batch->values.resize(kept);
}

void Committer::KeepBusySeries(Group* group) {
  absl::flat_hash_set<SeriesId> idle;
  const uint64_t generation = buffer_->generation();
  for (const Deletion* deletion : group->deletions) {
    if (deletion->idle_since == generation && !buffer_->Has(deletion->series))
      idle.insert(deletion->series);
  }
  for (size_t i = 0; i < group->items.size() && !idle.empty(); ++i) {
    for (const SeriesId series : accepted_[i].series) idle.erase(series);
  }
  MutexLock lock(&mu_);
  const auto busy = std::stable_partition(
      group->deletions.begin(), group->deletions.end(), [&](const Deletion* deletion) {
        return !deletion->idle_since.has_value() || idle.contains(deletion->series);
      });
  if (busy == group->deletions.end()) return;
  for (auto it = busy; it != group->deletions.end(); ++it) {
    (*it)->kept = true;
    (*it)->finished = true;
  }
  group->deletions.erase(busy, group->deletions.end());
  finished_.SignalAll();
}

absl::Status Committer::CheckSpace() {
  if (options_.disk_reserve_bytes <= 0) return absl::OkStatus();
  const absl::StatusOr<uint64_t> free = options_.fs->FreeBytes(options_.dir);
  if (!free.ok()) return free.status();
  if (*free < static_cast<uint64_t>(options_.disk_reserve_bytes)) {
    return absl::UnavailableError(absl::StrCat("disk full: ", *free, " bytes free in ",
                                               options_.dir, ", reserve is ",
                                               options_.disk_reserve_bytes));
  }
  return absl::OkStatus();
}

absl::Status Committer::SyncWal() {
  const auto start = steady_clock::now();
  SHOAL_RETURN_IF_ERROR(wal_->Sync());
  last_sync_ = steady_clock::now();
  unsynced_ = false;
  if (sync_seconds_ != nullptr) {
    sync_seconds_->Observe(std::chrono::duration<double>(last_sync_ - start).count());
  }
  return absl::OkStatus();
}

absl::Status Committer::LogGroupOnce(const Group& group) {
  for (const SchemaDefinition& schema : group.schemas) {
    EncodeSchemaRecord(schema, &bytes_);
    SHOAL_RETURN_IF_ERROR(wal_->Append(bytes_).status());
  }
  const absl::Span<const SeriesDefinition> series(group.series);
  for (size_t i = 0; i < series.size(); i += kSeriesPerRecord) {
    EncodeSeriesRecord(series.subspan(i, kSeriesPerRecord), &bytes_);
    SHOAL_RETURN_IF_ERROR(wal_->Append(bytes_).status());
  }
  for (size_t i = 0; i < group.items.size(); ++i) {
    if (accepted_[i].series.empty()) continue;
    EncodeBatchRecord(accepted_[i], &bytes_);
    SHOAL_RETURN_IF_ERROR(wal_->Append(bytes_).status());
  }
  for (const Deletion* deletion : group.deletions) {
    EncodeDeleteRecord(deletion->series, &bytes_);
    SHOAL_RETURN_IF_ERROR(wal_->Append(bytes_).status());
  }
  if (group.moves != nullptr) {
    // Last, as they are applied: the group's points are still of the old schema.
    for (const SchemaMove& move : group.moves->moves) {
      EncodeSchemaChangeRecord({move.series, move.to}, &bytes_);
      SHOAL_RETURN_IF_ERROR(wal_->Append(bytes_).status());
    }
  }
  if (options_.wal_sync == WalSync::kAlways) return SyncWal();
  unsynced_ = true;
  return absl::OkStatus();
}

absl::Status Committer::LogGroup(const Group& group) {
  SHOAL_RETURN_IF_ERROR(CheckSpace());
  absl::Status status = LogGroupOnce(group);
  if (status.ok()) return status;
  LogWarning("engine", "WAL: ", status.message(), "; trying a new segment");
  // The failed segment is sealed; everything of the group goes to the next one. The log tells of a
  // loss once.
  wal_->Sync().IgnoreError();
  return LogGroupOnce(group);
}

void Committer::SyncOnInterval() {
  if (!unsynced_ || options_.wal_sync != WalSync::kInterval) return;
  if (steady_clock::now() - last_sync_ < std::chrono::milliseconds(options_.wal_sync_interval_ms))
    return;
  // On failure the points stay in the buffer; the next flush makes them durable.
  if (absl::Status status = SyncWal(); !status.ok()) {
    LogError("engine", "WAL: ", status.message());
    unsynced_ = false;
    if (on_memory_) on_memory_();
  }
}

void Committer::SetReadOnly(const absl::Status& why) {
  next_try_ = steady_clock::now() + kRetryInterval;
  MutexLock lock(&mu_);
  if (read_only_reason_.empty()) LogError("engine", "read only: ", why.message());
  read_only_reason_ = std::string(why.message());
  if (read_only_reason_.empty()) read_only_reason_ = why.ToString();
  if (read_only_gauge_ != nullptr) read_only_gauge_->Set(1);
  room_.SignalAll();
}

void Committer::Probe() {
  absl::Status status = CheckSpace();
  if (status.ok()) {
    // A record that says nothing, but has to be written and synced like any other.
    EncodeSeriesRecord({}, &bytes_);
    status = wal_->Append(bytes_).status();
    if (status.ok()) status = wal_->Sync();
  }
  if (!status.ok()) {
    wal_->Sync().IgnoreError();
    SetReadOnly(status);
    return;
  }
  LogInfo("engine", "taking writes again");
  MutexLock lock(&mu_);
  read_only_reason_.clear();
  if (read_only_gauge_ != nullptr) read_only_gauge_->Set(0);
}

void Committer::DefineAgain(const Group& group) {
  for (const Deletion* deletion : group.deletions) {
    SeriesDefinition definition;
    definition.id = deletion->series;
    definition.name = index_->NameOf(deletion->series);
    if (index_->SchemaOf(deletion->series, &definition.schema) != nullptr)
      Define(std::move(definition));
  }
}

void Committer::FailGroup(Group* group, const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    // Definitions are still needed: by the batches that come next.
    schemas_.insert(schemas_.begin(), group->schemas.begin(), group->schemas.end());
    series_.insert(series_.begin(), group->series.begin(), group->series.end());
    for (Deletion* deletion : group->deletions) {
      deletion->status = status;
      deletion->finished = true;
    }
    if (group->moves != nullptr) {
      group->moves->status = status;
      group->moves->finished = true;
    }
    finished_.SignalAll();
  }
  for (Item& item : group->items) {
    WriteResult result;
    result.status = absl::UnavailableError(status.message());
    item.done(std::move(result));
  }
}

void Committer::Commit(Group* group) {
  if (group->empty()) return;
  std::string read_only;
  {
    MutexLock lock(&mu_);
    read_only = read_only_reason_;
    if (!read_only.empty() && stopping_) {
      // Nobody will use them any more.
      group->schemas.clear();
      group->series.clear();
    }
  }
  if (!read_only.empty()) {
    FailGroup(group, absl::UnavailableError(absl::StrCat("read only: ", read_only)));
    return;
  }
  Accept(group);
  KeepBusySeries(group);
  if (absl::Status status = LogGroup(*group); !status.ok()) {
    SetReadOnly(status);
    DefineAgain(*group);
    FailGroup(group, status);
    return;
  }
  Finish(group);
}

void Committer::FinishMoves(MoveRequest* request) {
  for (SchemaMove& move : request->moves) {
    SchemaId schema = 0;
    if (index_->SchemaOf(move.series, &schema) == nullptr || schema != move.from) continue;
    move.moved = index_->ChangeSchema(move.series, move.to);
    buffer_->Realign(move.series, index_->Schema(move.to)->archives.front().step_sec);
  }
  MutexLock lock(&mu_);
  request->finished = true;
  finished_.SignalAll();
}

void Committer::Finish(Group* group) {
  uint64_t points = 0;
  for (size_t i = 0; i < group->items.size(); ++i) {
    const WalBatch& accepted = accepted_[i];
    if (!accepted.series.empty()) {
      buffer_->Apply(accepted.series, accepted.timestamps_sec, accepted.values);
    }
    points += accepted.series.size();
  }
  points_written_.fetch_add(points, std::memory_order_relaxed);
  if (points_counter_ != nullptr) {
    points_counter_->Add(points);
    wal_bytes_gauge_->Set(static_cast<int64_t>(wal_->bytes()));
    buffer_points_gauge_->Set(static_cast<int64_t>(buffer_->points()));
    buffer_bytes_gauge_->Set(static_cast<int64_t>(buffer_->bytes()));
    series_gauge_->Set(static_cast<int64_t>(index_->size()));
  }
  for (Deletion* deletion : group->deletions) {
    SchemaId schema = 0;
    if (index_->SchemaOf(deletion->series, &schema) != nullptr) {
      index_->Remove(deletion->series);
      deleted_.push_back({schema, deletion->series});
    }
    MutexLock lock(&mu_);
    deletion->finished = true;
    finished_.SignalAll();
  }
  if (group->moves != nullptr) FinishMoves(group->moves);
  for (Item& item : group->items) item.done(std::move(item.result));
  AskForFlush();
}

}  // namespace shoal
