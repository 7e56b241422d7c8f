#include "storage/replay_workers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/thread_pool.h"
#include "storage/late_points.h"

namespace shoal {
namespace {

constexpr size_t kQueuedBatchesMax = 16;
constexpr size_t kQueuedPointsMax = 512 << 10;
// A batch's memory is kept for the next one up to so many points.
constexpr size_t kSparePointsMax = 64 << 10;
constexpr size_t kSeriesAhead = 16;  // whose index entries are fetched from memory

size_t WorkerCount() {
  // Parts of the write buffer's shards.
  return std::bit_floor(
      std::clamp<size_t>(std::thread::hardware_concurrency(), 2, WriteBuffer::kShards));
}

}  // namespace

ReplayWorkers::ReplayWorkers(MetricIndex* index, WriteBuffer* buffer)
    : index_(index), buffer_(buffer), workers_(WorkerCount()) {
  for (size_t part = 0; part < workers_.size(); ++part) {
    workers_[part].thread = std::thread([this, part] {
      SetThreadName("replay");
      Run(part);
    });
  }
}

ReplayWorkers::~ReplayWorkers() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    work_.SignalAll();
  }
  for (Worker& worker : workers_) worker.thread.join();
}

void ReplayWorkers::Submit(WalBatch* batch) {
  if (batch->series.empty()) return;
  std::unique_ptr<Work> work;
  MutexLock lock(&mu_);
  while (queue_.size() >= kQueuedBatchesMax ||
         (!queue_.empty() && queued_points_ + batch->series.size() > kQueuedPointsMax)) {
    less_.Wait(&mu_);
  }
  if (!spare_.empty()) {
    work = std::move(spare_.back());
    spare_.pop_back();
  } else {
    work = std::make_unique<Work>();
  }
  work->finished = 0;
  work->batch.Clear();
  std::swap(work->batch, *batch);
  queued_points_ += work->batch.series.size();
  queue_.push_back(std::move(work));
  work_.SignalAll();
}

void ReplayWorkers::Drain() {
  MutexLock lock(&mu_);
  while (!queue_.empty()) less_.Wait(&mu_);
}

size_t ReplayWorkers::queued_points() const {
  MutexLock lock(&mu_);
  return queued_points_;
}

uint64_t ReplayWorkers::points() const {
  MutexLock lock(&mu_);
  uint64_t points = 0;
  for (const Worker& worker : workers_) points += worker.points;
  return points;
}

uint64_t ReplayWorkers::unknown_points() const {
  MutexLock lock(&mu_);
  uint64_t points = 0;
  for (const Worker& worker : workers_) points += worker.unknown_points;
  return points;
}

void ReplayWorkers::Run(size_t part) {
  Worker& self = workers_[part];
  for (;;) {
    Work* work = nullptr;
    {
      MutexLock lock(&mu_);
      while (!stopping_ && self.next >= first_ + queue_.size()) work_.Wait(&mu_);
      if (self.next >= first_ + queue_.size()) return;
      work = queue_[self.next - first_].get();
    }
    uint64_t unknown = 0;
    Apply(part, work->batch, &unknown);
    MutexLock lock(&mu_);
    self.points += self.known.series.size();
    self.unknown_points += unknown;
    ++self.next;
    ++work->finished;
    while (!queue_.empty() && queue_.front()->finished == workers_.size()) {
      std::unique_ptr<Work> done = std::move(queue_.front());
      queue_.pop_front();
      ++first_;
      queued_points_ -= done->batch.series.size();
      if (done->batch.series.capacity() <= kSparePointsMax) spare_.push_back(std::move(done));
      less_.SignalAll();
    }
  }
}

void ReplayWorkers::Apply(size_t part, const WalBatch& batch, uint64_t* unknown) {
  Worker& self = workers_[part];
  const size_t parts = workers_.size();
  // Without a branch: whether a point is ours cannot be predicted.
  self.mine.resize(batch.series.size());
  size_t count = 0;
  for (size_t i = 0; i < batch.series.size(); ++i) {
    self.mine[count] = static_cast<uint32_t>(i);
    count += WriteBuffer::PartOf(batch.series[i], parts) == part ? 1 : 0;
  }
  WalBatch& known = self.known;
  known.series.resize(count);
  known.timestamps_sec.resize(count);
  known.values.resize(count);
  size_t kept = 0;
  int64_t last_time = 0;
  int64_t last_step = 1;
  int64_t aligned = 0;
  for (size_t k = 0; k < count; ++k) {
    if (k + kSeriesAhead < count) index_->Prefetch(batch.series[self.mine[k + kSeriesAhead]]);
    const size_t i = self.mine[k];
    const SeriesId series = batch.series[i];
    const SeriesSchema* const schema = index_->SchemaOf(series);
    if (schema == nullptr) {
      // Deleted later on, or its definition was in a damaged record; either way the id is used up.
      index_->ReserveId(series);
      ++*unknown;
      continue;
    }
    const int64_t time = batch.timestamps_sec[i];
    if (std::isnan(batch.values[i]) || time < 0) continue;
    // Neighbours mostly have the same time and step: one division for all of them.
    const int64_t step = schema->archives.front().step_sec;
    if (time != last_time || step != last_step) {
      last_time = time;
      last_step = step;
      aligned = AlignDown(time, step);
    }
    known.series[kept] = series;
    known.timestamps_sec[kept] = aligned;
    known.values[kept++] = batch.values[i];
  }
  known.series.resize(kept);
  known.timestamps_sec.resize(kept);
  known.values.resize(kept);
  buffer_->ApplyPart(part, parts, known.series, known.timestamps_sec, known.values);
}

}  // namespace shoal
