// Group commit: one thread takes all queued batches, appends their WAL records, syncs once, applies
// the points to the write buffer and only then calls back.
//
// A group whose log write fails is written once more to a new segment. When that fails too, or the
// disk is down to its reserve, the committer is read-only: batches get Unavailable at once, and it
// tries again every second.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/engine.h"
#include "storage/index/metric_index.h"
#include "storage/log/segmented_log.h"
#include "storage/wal_record.h"
#include "storage/write_buffer.h"

namespace shoal {

class Committer {
 public:
  struct Options {
    FileSystem* fs = nullptr;
    const Clock* clock = nullptr;
    MetricRegistry* metrics = nullptr;  // may be null
    std::string dir;                    // whose free space counts
    WalSync wal_sync = WalSync::kAlways;
    int64_t wal_sync_interval_ms = 1000;
    // Past either one batches wait for the flush.
    int64_t write_buffer_bytes_max = 0;
    int64_t wal_bytes_max = 0;
    int64_t future_sec_max = 0;
    int64_t disk_reserve_bytes = 0;
  };
  // A series whose deletion is in the WAL.
  struct Deleted {
    SchemaId schema = 0;
    SeriesId series = kNoSeries;
  };

  // A series that goes on with another schema. `from`: what it has now, else it is left alone.
  struct SchemaMove {
    SeriesId series = kNoSeries;
    SchemaId from = 0;
    SchemaId to = 0;
    bool moved = false;
  };

  // Borrows wal, index and buffer.
  Committer(Options options, SegmentedLog* wal, MetricIndex* index, WriteBuffer* buffer);
  ~Committer();

  void Start();
  bool started() const { return thread_.joinable(); }
  // Deletions that recovery has met; before Start.
  void AddDeleted(const std::vector<Deleted>& deleted) {
    deleted_.insert(deleted_.end(), deleted.begin(), deleted.end());
  }
  // Refuses new work, finishes what is queued, joins. Idempotent.
  void Stop();

  // See Engine::Write.
  void Write(WriteBatch batch, std::function<void(WriteResult)> done);
  // New definitions go to the WAL before the batches that are queued later.
  void Define(SchemaDefinition schema);
  void Define(SeriesDefinition series);
  // Waits until the deletions are durable and applied.
  absl::Status Delete(absl::Span<const SeriesId> series);
  // The same for series of which neither buffer nor rings had a point, where the look at them began
  // when the buffer's generation() was `generation`. Those that may have got one since stay. How
  // many did not stay. See KeepBusySeries.
  absl::StatusOr<size_t> DeleteIdle(absl::Span<const SeriesId> series, uint64_t generation);
  // That the commit thread has not taken yet.
  size_t deletions_waiting() const;

  // Waits until the changes are durable and applied, pending points with them; `moved` says of each
  // whether it was done. Not during a flush round: no point of theirs may be in the flushing
  // generation.
  absl::Status ChangeSchemas(absl::Span<SchemaMove> moves);

  // Between two groups: closes the WAL's segment and makes the write buffer's active generation the
  // flushing one. Every point of a record before *position is in that generation. `deleted`: added
  // to.
  absl::Status BeginFlush(LogPosition* position, std::vector<Deleted>* deleted);
  // A flush round has ended: buffer and log have got smaller.
  void NotifyRoom();
  // Called when buffer or log ask for a flush round, on the commit thread or a writer's, under a
  // lock; set before Start.
  void OnMemory(std::function<void()> wake) { on_memory_ = std::move(wake); }

  uint64_t points_written() const { return points_written_.load(std::memory_order_relaxed); }
  // The newest timestamp that has been taken since Start; 0: none.
  int64_t newest_point_sec() const { return newest_point_sec_.load(std::memory_order_relaxed); }
  // Empty: not read-only.
  std::string read_only_reason() const;

 private:
  struct Item {
    WriteBatch batch;
    WriteResult result;
    std::function<void(WriteResult)> done;
  };
  struct Deletion {
    SeriesId series = kNoSeries;
    // Not when a point may have come since this generation of the write buffer.
    std::optional<uint64_t> idle_since;
    bool kept = false;
    bool finished = false;
    absl::Status status;
  };
  struct MoveRequest {
    absl::Span<SchemaMove> moves;
    bool finished = false;
    absl::Status status;
  };
  struct FlushRequest {
    LogPosition* position = nullptr;
    std::vector<Deleted>* deleted = nullptr;
    bool finished = false;
    absl::Status status;
  };
  // What one group commits.
  struct Group {
    std::vector<SchemaDefinition> schemas;
    std::vector<SeriesDefinition> series;
    std::vector<Item> items;
    std::vector<Deletion*> deletions;
    MoveRequest* moves = nullptr;
    bool empty() const {
      return schemas.empty() && series.empty() && items.empty() && deletions.empty() &&
             moves == nullptr;
    }
  };

  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Group TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Commit(Group* group);
  // The accepted points of all items as WAL batches (accepted_[i] is items[i]'s), the others as
  // refusals.
  void Accept(Group* group);
  absl::StatusOr<size_t> Delete(absl::Span<const SeriesId> series,
                                std::optional<uint64_t> idle_since);
  // Takes deletions back that are for idle series only and meet one that may have points.
  //
  // Invariant: no record of an idle series' deletion follows, in the log, an acknowledged point
  // that its check has not seen. The check notes the generation, then finds nothing in the buffer,
  // then nothing in the rings. A point that was in the buffer's flushing generation by then is seen
  // there, or, once it has left, in the rings. One that comes to the active generation later stays
  // in it until the next BeginFlush, which is a new generation. Points are applied and generations
  // begun on this thread alone (EndFlush, on the flusher's, drops what the check has seen), so that
  // nothing comes between the look here and the removal from the index in Finish; what is queued
  // behind is refused with kSeriesGone.
  void KeepBusySeries(Group* group);
  // The log has failed, and may hold deletions that nobody carried out: replay would take them for
  // real, and leave out the points that come later. So the series are defined again before those.
  void DefineAgain(const Group& group);
  // Takes what is refused out of the batch, in place.
  void AcceptPoints(WalBatch* batch, WriteResult* result);
  // Blocks while buffer or log are full: back-pressure.
  void WaitForFlush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskForFlush();
  absl::Status CheckSpace();
  absl::Status LogGroup(const Group& group);
  absl::Status LogGroupOnce(const Group& group);
  absl::Status SyncWal();
  void SyncOnInterval();
  void FailGroup(Group* group, const absl::Status& status);
  void Finish(Group* group);
  void FinishMoves(MoveRequest* request);
  void RunFlushRequest(FlushRequest* request);
  void SetReadOnly(const absl::Status& why);
  void Probe();

  const Options options_;
  SegmentedLog* const wal_;
  MetricIndex* const index_;
  WriteBuffer* const buffer_;
  std::function<void()> on_memory_;

  std::atomic<uint64_t> points_written_{0};
  std::atomic<int64_t> newest_point_sec_{0};  // written by the commit thread only
  Counter* points_counter_ = nullptr;         // the metrics are null without a registry
  Counter* refused_counters_[6] = {};         // by RefusalReason
  std::atomic<uint64_t> flush_at_bytes_{0};   // of the active generation
  std::atomic<uint64_t> wal_bytes_{0};        // after the last group or round
  Counter* stalls_counter_ = nullptr;
  Counter* stall_ms_counter_ = nullptr;
  Gauge* wal_bytes_gauge_ = nullptr;
  Gauge* buffer_points_gauge_ = nullptr;
  Gauge* buffer_bytes_gauge_ = nullptr;
  Gauge* read_only_gauge_ = nullptr;
  Gauge* series_gauge_ = nullptr;
  Histogram* sync_seconds_ = nullptr;

  // Of the commit thread (and of BeginFlush once that is gone).
  std::vector<WalBatch> accepted_;
  std::string bytes_;
  bool unsynced_ = false;
  std::chrono::steady_clock::time_point last_sync_;
  std::chrono::steady_clock::time_point next_try_;
  std::vector<Deleted> deleted_;
  std::thread thread_;

  mutable Mutex mu_;
  CondVar work_;
  CondVar room_;
  CondVar finished_;  // deletions, changes of schemas and flush requests
  std::deque<Item> items_ ABSL_GUARDED_BY(mu_);
  uint64_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::chrono::steady_clock::time_point next_stall_log_ ABSL_GUARDED_BY(mu_);
  std::vector<SchemaDefinition> schemas_ ABSL_GUARDED_BY(mu_);
  std::vector<SeriesDefinition> series_ ABSL_GUARDED_BY(mu_);
  std::vector<Deletion*> deletions_ ABSL_GUARDED_BY(mu_);
  MoveRequest* move_request_ ABSL_GUARDED_BY(mu_) = nullptr;
  FlushRequest* flush_request_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::string read_only_reason_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = true;  // no thread runs
};

}  // namespace shoal
