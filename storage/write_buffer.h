// The points that no ring file holds yet, by series: the write-buffered cache.
//
// Two generations, both readable: the active one takes new points, the flushing one is being
// written to the ring files and does not change any more. A point stays readable until its page is
// in place: the flusher drops the flushing generation after that, and its memory goes back to the
// system at once.
//
// Threads: sharded by series id, safe from any thread; BeginFlush, EndFlush and the reading of the
// flushing generation only from one (the flusher, or the commit thread on its behalf).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "storage/pending_points.h"
#include "storage/series_schema.h"

namespace shoal {

class WriteBuffer {
 public:
  // A series' finest step in seconds; 0: unknown. Called under a lock of the buffer, about once per
  // series and generation; any thread that calls Apply.
  using StepOf = std::function<int64_t(SeriesId series)>;

  explicit WriteBuffer(StepOf step_of);
  ~WriteBuffer();

  // Columns of equal length, timestamps aligned to the series' finest step. Of points with the same
  // series and timestamp the last one wins. NaN is no value: such a point is left out.
  void Apply(absl::Span<const SeriesId> series, absl::Span<const int64_t> timestamps_sec,
             absl::Span<const double> values);
  // The same for the series of one part of `parts` (a power of two, at most kShards): threads that
  // take a part each may work side by side, and the order of each series' points is kept.
  static constexpr size_t kShards = 4;
  static size_t PartOf(SeriesId series, size_t parts) { return series % parts; }
  void ApplyPart(size_t part, size_t parts, absl::Span<const SeriesId> series,
                 absl::Span<const int64_t> timestamps_sec, absl::Span<const double> values);

  // The series has got another finest step: its pending points, none of them in a flushing
  // generation, are aligned to it. Of points that fall together the newest stays.
  void Realign(SeriesId series, int64_t step_sec);

  // The series' points in [from, until), sorted, one per timestamp, both generations merged.
  // Replaces *points.
  void Read(SeriesId series, int64_t from_sec, int64_t until_sec, std::vector<Point>* points) const;
  bool Has(SeriesId series) const;

  // Makes the active generation the flushing one, which must be empty.
  void BeginFlush();
  // Counts BeginFlush: while it stands still, no point leaves the active generation.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  bool flushing() const { return flushing_.load(std::memory_order_acquire); }
  // The series of the flushing generation, ascending.
  void VisitFlushing(absl::FunctionRef<void(SeriesId series)> visit) const;
  // Appends a series' points of the flushing generation, sorted, one per timestamp.
  void ReadFlushing(SeriesId series, std::vector<Point>* points) const;
  // Its memory, some series ahead of ReadFlushing.
  void PrefetchFlushing(SeriesId series) const;
  void EndFlush();

  // Both generations. Points that were overwritten in place of being merged yet count as well.
  uint64_t points() const { return points_.load(std::memory_order_relaxed); }
  // Memory in use: what the points take, with all that finds them.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t active_bytes() const { return active_bytes_.load(std::memory_order_relaxed); }
  uint64_t active_points() const { return active_points_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Shard {
    mutable Mutex mu;
    PendingPoints active ABSL_GUARDED_BY(mu);
    // Changed under the lock only; the flusher's thread, which alone changes it, reads without.
    PendingPoints flushing;
  };

  static size_t ShardOf(SeriesId series) { return series % kShards; }
  static PendingPoints::Local LocalOf(SeriesId series) {
    return static_cast<PendingPoints::Local>(series / kShards);
  }
  static SeriesId SeriesOf(size_t shard, PendingPoints::Local local) {
    return static_cast<SeriesId>(local * kShards + shard);
  }
  // `order`: the places of the shard's points in the columns.
  void ApplyToShard(size_t shard, absl::Span<const uint16_t> order, const SeriesId* series,
                    const int64_t* timestamps_sec, const double* values);

  const StepOf step_of_;
  std::unique_ptr<Shard[]> shards_;
  std::atomic<bool> flushing_{false};
  std::atomic<uint64_t> generation_{0};
  std::atomic<uint64_t> points_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> active_points_{0};
  std::atomic<uint64_t> active_bytes_{0};
  uint64_t flushing_points_ = 0;  // of the flusher's thread
  uint64_t flushing_bytes_ = 0;
};

}  // namespace shoal
