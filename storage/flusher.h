// Moves points from the write buffer to the ring files, keeps the rollups up to date, and lets go
// of the WAL behind it.
//
// A round takes everything that is pending. Only when all of it is in synced ring files does the
// checkpoint advance and the flushed generation leave the buffer; after an error the same
// generation is tried again in the next round.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/archive_writer.h"
#include "storage/committer.h"
#include "storage/index/metric_index.h"
#include "storage/log/segmented_log.h"
#include "storage/ring/ring_store.h"
#include "storage/rollup_runner.h"
#include "storage/write_buffer.h"

namespace shoal {

class Flusher {
 public:
  struct Options {
    FileSystem* fs = nullptr;
    const Clock* clock = nullptr;
    MetricRegistry* metrics = nullptr;  // may be null
    std::string checkpoint_path;
    int64_t flush_interval_ms = 0;
    size_t ring_schemas = 0;  // that the ring store knows of already
  };
  // How a round begins: see Committer::BeginFlush. Recovery, which has no committer yet, brings its
  // own.
  using Begin =
      std::function<absl::Status(LogPosition* position, std::vector<Committer::Deleted>* deleted)>;

  // Borrows the rest. `room` is called when the buffer has got smaller.
  Flusher(Options options, SegmentedLog* wal, MetricIndex* index, RingStore* rings,
          WriteBuffer* buffer);
  ~Flusher();

  // From then on rounds run by themselves. `begin` and `room` must stay callable until Stop.
  void Start(Begin begin, std::function<void()> room);
  void Stop();
  // Called on the flusher's thread after each of its own rounds that went well; before Start.
  void AfterRounds(std::function<void()> after_round) { after_round_ = std::move(after_round); }
  // Small work between two rounds, on the flusher's thread: it says after how long it wants to go
  // on; nullopt: never again. Before Start.
  void WorkBetweenRounds(std::function<std::optional<std::chrono::milliseconds>()> work) {
    between_ = std::move(work);
  }
  // Slots of series that do not live in that schema any more, or do not live there yet: freed
  // before the next round or QuietWork, when the index is durable.
  void Retire(absl::Span<const Committer::Deleted> slots);
  // The same, but not before a round that begins later has moved the checkpoint: until then a start
  // may find a record in the log that makes the series live there.
  void RetireAfterRound(absl::Span<const Committer::Deleted> slots);
  // Runs `work` while no round does and no point is between buffer and ring files, with the index
  // durable and the ring store up to date with its schemas. Unavailable, without a call, while a
  // round that failed waits for its next try.
  absl::Status QuietWork(absl::FunctionRef<absl::Status()> work);
  // The buffer wants a round soon. Any thread, quick.
  void Wake();

  // One round now; waits for one that is running. kAll brings every rollup up to date.
  absl::Status Round(const Begin& begin, RollupRunner::When rollups);

 private:
  void Run();
  absl::Status PersistNames() ABSL_EXCLUSIVE_LOCKS_REQUIRED(round_mu_);
  absl::Status WritePending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(round_mu_);
  absl::Status WriteSeries(SchemaId schema, absl::Span<const SeriesId> series, int64_t now_sec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(round_mu_);
  absl::Status Checkpoint() ABSL_EXCLUSIVE_LOCKS_REQUIRED(round_mu_);

  const Options options_;
  SegmentedLog* const wal_;
  MetricIndex* const index_;
  RingStore* const rings_;
  WriteBuffer* const buffer_;
  Begin begin_;
  std::function<void()> room_;
  std::function<void()> after_round_;
  std::function<std::optional<std::chrono::milliseconds>()> between_;

  Gauge* wal_bytes_gauge_ = nullptr;
  Gauge* bad_pages_gauge_ = nullptr;
  Counter* points_counter_ = nullptr;
  Counter* failures_counter_ = nullptr;
  Histogram* seconds_ = nullptr;

  // Held during a whole round, I/O included: rounds exclude each other.
  Mutex round_mu_;
  ArchiveWriter writer_ ABSL_GUARDED_BY(round_mu_);
  RollupRunner rollups_ ABSL_GUARDED_BY(round_mu_);
  LogPosition position_ ABSL_GUARDED_BY(round_mu_);  // of the flushing generation
  std::vector<Committer::Deleted> deleted_ ABSL_GUARDED_BY(round_mu_);
  size_t ring_schemas_ ABSL_GUARDED_BY(round_mu_) = 0;

  std::thread thread_;
  Mutex retired_mu_;
  std::vector<Committer::Deleted> retired_ ABSL_GUARDED_BY(retired_mu_);
  std::vector<Committer::Deleted> retired_after_round_ ABSL_GUARDED_BY(retired_mu_);
  Mutex mu_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

// DIR/CHECKPOINT: where the replay of the WAL begins. {0, 0} when there is none, or none that
// reads.
LogPosition ReadCheckpoint(FileSystem* fs, const std::string& path);

}  // namespace shoal
