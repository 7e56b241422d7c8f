// Applies the batches of a WAL that is being replayed to the write buffer, side by side.
//
// Every worker takes each batch in turn and applies the points of its own part of the series: the
// order of each series' points is that of the log. One thread submits, bounded: a few batches wait
// at most, so that a reader that is ahead costs no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "storage/index/metric_index.h"
#include "storage/wal_record.h"
#include "storage/write_buffer.h"

namespace shoal {

class ReplayWorkers {
 public:
  // Borrows both. The index may only change while nothing is submitted: see Drain.
  ReplayWorkers(MetricIndex* index, WriteBuffer* buffer);
  ~ReplayWorkers();

  // Takes the columns and leaves empty ones, with memory to be used again. Waits while too much is
  // queued.
  void Submit(WalBatch* batch);
  // Until everything submitted has been applied.
  void Drain();

  size_t queued_points() const;
  // Of what has been applied; after Drain. Unknown: of series that are deleted or never defined.
  uint64_t points() const;
  uint64_t unknown_points() const;

 private:
  struct Work {
    WalBatch batch;
    size_t finished = 0;  // by how many workers
  };
  struct Worker {
    std::thread thread;
    uint64_t next = 0;  // the number of the batch that it takes next
    uint64_t points = 0;
    uint64_t unknown_points = 0;
    // Of the worker's thread:
    std::vector<uint32_t> mine;  // places of its points in a batch
    WalBatch known;
  };

  void Run(size_t part);
  void Apply(size_t part, const WalBatch& batch, uint64_t* unknown);

  MetricIndex* const index_;
  WriteBuffer* const buffer_;

  mutable Mutex mu_;
  CondVar work_;
  CondVar less_;
  std::deque<std::unique_ptr<Work>> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Work>> spare_ ABSL_GUARDED_BY(mu_);
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;  // the number of queue_'s front
  size_t queued_points_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // The counts under mu_; constant in number after construction.
  std::vector<Worker> workers_;
};

}  // namespace shoal
