#include "storage/flusher.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

// What the ring store gets at once: more makes better use of the journal's sync, and takes more
// memory there.
constexpr size_t kPointsPerWrite = 1 << 20;
constexpr size_t kSeriesPerWrite = 32 << 10;
constexpr size_t kSeriesAhead = 8;  // whose points are fetched from memory
constexpr auto kRetryInterval = std::chrono::seconds(1);
constexpr uint64_t kCheckpointBytesMax = 64;
// Work between rounds leaves the start alone.
constexpr auto kFirstWorkAfter = std::chrono::seconds(1);

// A round's working memory goes back to the system: the next one is minutes away.
void ReleaseMemory() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

}  // namespace

Flusher::Flusher(Options options, SegmentedLog* wal, MetricIndex* index, RingStore* rings,
                 WriteBuffer* buffer)
    : options_(std::move(options)),
      wal_(wal),
      index_(index),
      rings_(rings),
      buffer_(buffer),
      writer_(rings),
      rollups_(index, rings),
      ring_schemas_(options_.ring_schemas) {
  MetricRegistry* const metrics = options_.metrics;
  if (metrics == nullptr) return;
  wal_bytes_gauge_ = metrics->AddGauge("shoal_node_wal_bytes", "Size of the write-ahead log");
  bad_pages_gauge_ = metrics->AddGauge("shoal_node_bad_pages", "Pages that failed their check");
  points_counter_ =
      metrics->AddCounter("shoal_node_flush_points_total", "Points written to ring files");
  failures_counter_ =
      metrics->AddCounter("shoal_node_flush_failures_total", "Flush rounds that failed");
  seconds_ = metrics->AddHistogram("shoal_node_flush_seconds", "Duration of a flush round",
                                   MetricRegistry::LatencyBounds());
}

Flusher::~Flusher() { Stop(); }

void Flusher::Start(Begin begin, std::function<void()> room) {
  begin_ = std::move(begin);
  room_ = std::move(room);
  thread_ = std::thread([this] {
    SetThreadName("flush");
    Run();
  });
}

void Flusher::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    wake_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Flusher::Wake() {
  MutexLock lock(&mu_);
  if (woken_) return;
  woken_ = true;
  wake_.Signal();
}

void Flusher::Run() {
  auto next = steady_clock::now() + std::chrono::milliseconds(options_.flush_interval_ms);
  auto next_work = steady_clock::now() + kFirstWorkAfter;
  bool works = between_ != nullptr;
  for (;;) {
    bool round = true;
    {
      MutexLock lock(&mu_);
      while (!stopping_ && !woken_) {
        round = !works || next <= next_work;
        const auto left = (round ? next : next_work) - steady_clock::now();
        if (left <= left.zero()) break;
        wake_.WaitFor(&mu_, left);
      }
      if (stopping_) return;
      round = round || woken_;
      if (round) woken_ = false;
    }
    if (!round) {
      const std::optional<std::chrono::milliseconds> pause = between_();
      works = pause.has_value();
      if (works) next_work = steady_clock::now() + *pause;
      continue;
    }
    const absl::Status status = Round(begin_, RollupRunner::When::kWorthwhile);
    const auto now = steady_clock::now();
    next = now + std::chrono::milliseconds(options_.flush_interval_ms);
    if (status.ok()) {
      if (after_round_) after_round_();
      continue;
    }
    LogError("flusher",
             "a round failed, its points stay in memory and in the log: ", status.message());
    next = std::min(next, now + std::chrono::duration_cast<steady_clock::duration>(kRetryInterval));
    // Not even for a full buffer sooner than that: what fails now fails in a moment, too.
    MutexLock lock(&mu_);
    while (!stopping_ && steady_clock::now() < next)
      wake_.WaitFor(&mu_, next - steady_clock::now());
  }
}

absl::Status Flusher::Round(const Begin& begin, RollupRunner::When rollups) {
  MutexLock round(&round_mu_);
  const auto start = steady_clock::now();
  if (!buffer_->flushing()) {
    SHOAL_RETURN_IF_ERROR(begin(&position_, &deleted_));
  }
  absl::Status status = WritePending();
  if (status.ok()) {
    // Behind the pending points: a rollup counts everything before it, later arrivals are late.
    status = rollups_.Run(rollups, options_.clock->NowSec());
    // A rollup that fails is made up for by the next round; until then reads compute what is
    // missing.
    if (!status.ok()) LogWarning("flusher", "rollup: ", status.message());
    // After the rollups: they may be behind, and read what has expired.
    if (const absl::Status punched = rings_->PunchExpired(options_.clock->NowSec()); !punched.ok())
      LogWarning("flusher", "giving back expired stripes: ", punched.message());
    const absl::Status checkpoint = Checkpoint();
    if (status.ok()) status = checkpoint;
    ReleaseMemory();
  }
  if (failures_counter_ != nullptr) {
    if (!status.ok()) failures_counter_->Add();
    seconds_->Observe(std::chrono::duration<double>(steady_clock::now() - start).count());
    wal_bytes_gauge_->Set(static_cast<int64_t>(wal_->bytes()));
    bad_pages_gauge_->Set(static_cast<int64_t>(rings_->BadPages()));
  }
  return status;
}

void Flusher::Retire(absl::Span<const Committer::Deleted> slots) {
  MutexLock lock(&retired_mu_);
  retired_.insert(retired_.end(), slots.begin(), slots.end());
}

void Flusher::RetireAfterRound(absl::Span<const Committer::Deleted> slots) {
  MutexLock lock(&retired_mu_);
  retired_after_round_.insert(retired_after_round_.end(), slots.begin(), slots.end());
}

absl::Status Flusher::QuietWork(absl::FunctionRef<absl::Status()> work) {
  MutexLock round(&round_mu_);
  if (buffer_->flushing()) return absl::UnavailableError("a flush round has failed");
  SHOAL_RETURN_IF_ERROR(PersistNames());
  return work();
}

absl::Status Flusher::PersistNames() {
  std::vector<Committer::Deleted> retired;
  {
    // Taken before the index is written: it then knows what has become of them.
    MutexLock lock(&retired_mu_);
    retired.swap(retired_);
  }
  absl::Status status = index_->Persist();
  if (status.ok()) {
    for (; ring_schemas_ < index_->schema_count(); ++ring_schemas_) {
      const SchemaId id = static_cast<SchemaId>(ring_schemas_);
      rings_->AddSchema(id, *index_->Schema(id));
    }
    std::map<SchemaId, std::vector<SeriesId>> retired_of;
    for (const Committer::Deleted& slot : retired) {
      // Whoever lives there by now keeps its slots.
      SchemaId home = 0;
      if (index_->SchemaOf(slot.series, &home) != nullptr && home == slot.schema) continue;
      retired_of[slot.schema].push_back(slot.series);
    }
    for (const auto& [schema, series] : retired_of) {
      if (status.ok()) status = rings_->Free(schema, series);
    }
  }
  if (!status.ok()) Retire(retired);
  return status;
}

absl::Status Flusher::WritePending() {
  const int64_t now_sec = options_.clock->NowSec();
  // The slots of deleted series go before the index forgets the deletion's reason.
  std::map<SchemaId, std::vector<SeriesId>> deleted_of;
  for (const Committer::Deleted& deleted : deleted_) {
    if (deleted.schema < ring_schemas_) deleted_of[deleted.schema].push_back(deleted.series);
  }
  for (const auto& [schema, series] : deleted_of) {
    const absl::Status status = rings_->Free(schema, series);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  deleted_.clear();
  // Names before points: a slot must never hold a series that nobody can name.
  SHOAL_RETURN_IF_ERROR(PersistNames());
  // New points may overwrite stripes that were never rolled up when the node has been away for
  // long.
  SHOAL_RETURN_IF_ERROR(rollups_.Run(RollupRunner::When::kLagging, now_sec));

  // Schema by schema, in the order of ids, which is about that of slots.
  std::vector<std::vector<SeriesId>> by_schema(index_->schema_count());
  buffer_->VisitFlushing([&](SeriesId series) {
    SchemaId schema = 0;
    if (index_->SchemaOf(series, &schema) != nullptr && schema < by_schema.size())
      by_schema[schema].push_back(series);
  });
  for (size_t id = 0; id < by_schema.size(); ++id) {
    SHOAL_RETURN_IF_ERROR(WriteSeries(static_cast<SchemaId>(id), by_schema[id], now_sec));
    by_schema[id] = {};
  }
  return absl::OkStatus();
}

absl::Status Flusher::WriteSeries(SchemaId schema, absl::Span<const SeriesId> series,
                                  int64_t now_sec) {
  std::vector<Point> points;
  std::vector<size_t> ends;
  std::vector<SeriesPoints> batch;
  for (size_t i = 0; i < series.size();) {
    const size_t first = i;
    points.clear();
    ends.clear();
    for (; i < series.size() && ends.size() < kSeriesPerWrite && points.size() < kPointsPerWrite;
         ++i) {
      if (i + kSeriesAhead < series.size()) buffer_->PrefetchFlushing(series[i + kSeriesAhead]);
      buffer_->ReadFlushing(series[i], &points);
      ends.push_back(points.size());
    }
    batch.clear();
    size_t begin = 0;
    for (size_t k = 0; k < ends.size(); begin = ends[k++]) {
      batch.push_back(
          {series[first + k], absl::MakeConstSpan(points).subspan(begin, ends[k] - begin)});
    }
    SHOAL_RETURN_IF_ERROR(writer_.Write(schema, *index_->Schema(schema), batch, now_sec));
    if (points_counter_ != nullptr) points_counter_->Add(points.size());
  }
  return absl::OkStatus();
}

absl::Status Flusher::Checkpoint() {
  std::string bytes;
  EncodeCheckpointRecord(position_, &bytes);
  AppendLE<uint32_t>(&bytes, Checksum32(bytes));
  // Before the points leave the buffer, so that a failure finds them there in the next round.
  SHOAL_RETURN_IF_ERROR(WriteFileAtomically(options_.fs, options_.checkpoint_path, bytes));
  buffer_->EndFlush();
  {
    MutexLock lock(&retired_mu_);
    retired_.insert(retired_.end(), retired_after_round_.begin(), retired_after_round_.end());
    retired_after_round_.clear();
  }
  const absl::Status truncated = wal_->TruncateBefore(position_);
  if (room_) room_();
  return truncated;
}

LogPosition ReadCheckpoint(FileSystem* fs, const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(fs, path, kCheckpointBytesMax);
  WalRecord record;
  if (bytes.ok() && bytes->size() > sizeof(uint32_t)) {
    const absl::string_view payload(bytes->data(), bytes->size() - sizeof(uint32_t));
    if (Checksum32(payload) == LoadLE<uint32_t>(payload.data() + payload.size()) &&
        DecodeWalRecord(payload, &record).ok() && record.kind == WalRecordKind::kCheckpoint) {
      return record.checkpoint;
    }
  }
  if (!absl::IsNotFound(bytes.status())) {
    LogWarning("engine", path, ": not a checkpoint, the whole log is replayed");
  }
  return LogPosition();
}

}  // namespace shoal
