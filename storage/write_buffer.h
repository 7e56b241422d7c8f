// The points that no ring file holds yet, by series: the write-buffered cache.
//
// Two generations, both readable: the active one takes new points, the flushing one is being
// written to the ring files and does not change any more. A point stays readable until its page is
// in place: the flusher drops the flushing generation after that.
//
// Threads: sharded by series id, safe from any thread; BeginFlush, EndFlush and VisitFlushing only
// from one (the flusher, or the commit thread on its behalf).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "storage/series_schema.h"

namespace shoal {

class WriteBuffer {
 public:
  WriteBuffer();
  ~WriteBuffer();

  // Columns of equal length, timestamps aligned to the series' finest step. Of points with the same
  // series and timestamp the last one wins.
  void Apply(absl::Span<const SeriesId> series, absl::Span<const int64_t> timestamps_sec,
             absl::Span<const double> values);

  // The series' points in [from, until), sorted, one per timestamp, both generations merged.
  // Replaces *points.
  void Read(SeriesId series, int64_t from_sec, int64_t until_sec, std::vector<Point>* points) const;
  bool Has(SeriesId series) const;

  // Makes the active generation the flushing one, which must be empty.
  void BeginFlush();
  bool flushing() const { return flushing_.load(std::memory_order_acquire); }
  // Sorts the flushing generation: once, before the visit.
  void SortFlushing();
  // The series of the flushing generation in no order; the points stay valid until EndFlush.
  void VisitFlushing(
      absl::FunctionRef<void(SeriesId series, absl::Span<const Point> points)> visit) const;
  void EndFlush();

  // Both generations. Points that were overwritten in place of being merged yet count as well.
  uint64_t points() const { return points_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t active_bytes() const { return active_bytes_.load(std::memory_order_relaxed); }

 private:
  // Points in order of arrival until they must be sorted; fresh data arrives sorted.
  struct Pending {
    std::vector<Point> points;
    uint32_t sorted_size = 0;  // the size after the last merge
    bool sorted = true;        // strictly ascending
  };
  using Generation = absl::flat_hash_map<SeriesId, Pending>;
  struct alignas(64) Shard {
    mutable Mutex mu;
    Generation active ABSL_GUARDED_BY(mu);
    Generation flushing ABSL_GUARDED_BY(mu);
  };

  static constexpr size_t kShards = 16;
  static constexpr uint64_t kSeriesBytes = sizeof(std::pair<SeriesId, Pending>) + 8;

  static size_t ShardOf(SeriesId series) { return series % kShards; }
  // Returns by how many bytes and points the buffer has grown.
  static void Add(Pending* pending, Point point, int64_t* bytes, int64_t* points);
  static void Sort(Pending* pending);
  static void Collect(const Pending& pending, int64_t from_sec, int64_t until_sec,
                      std::vector<Point>* points);

  std::unique_ptr<Shard[]> shards_;
  std::atomic<bool> flushing_{false};
  std::atomic<uint64_t> points_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> active_bytes_{0};
  uint64_t flushing_points_ = 0;  // of the flusher's thread
  uint64_t flushing_bytes_ = 0;
};

}  // namespace shoal
