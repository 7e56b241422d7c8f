#include "storage/write_buffer.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace shoal {
namespace {

bool Earlier(const Point& a, const Point& b) { return a.timestamp_sec < b.timestamp_sec; }

}  // namespace

WriteBuffer::WriteBuffer() : shards_(std::make_unique<Shard[]>(kShards)) {}
WriteBuffer::~WriteBuffer() = default;

void WriteBuffer::Sort(Pending* pending) {
  std::vector<Point>& points = pending->points;
  if (!pending->sorted) {
    std::stable_sort(points.begin(), points.end(), Earlier);
    // Of equal timestamps the last one stays.
    size_t kept = 0;
    for (size_t i = 0; i < points.size(); ++i) {
      if (i + 1 < points.size() && points[i + 1].timestamp_sec == points[i].timestamp_sec) continue;
      points[kept++] = points[i];
    }
    points.resize(kept);
    pending->sorted = true;
  }
  pending->sorted_size = static_cast<uint32_t>(points.size());
}

void WriteBuffer::Add(Pending* pending, Point point, int64_t* bytes, int64_t* points) {
  std::vector<Point>& stored = pending->points;
  if (!stored.empty() && stored.back().timestamp_sec >= point.timestamp_sec) {
    if (stored.back().timestamp_sec == point.timestamp_sec) {
      stored.back().value = point.value;
      return;
    }
    pending->sorted = false;
  }
  const size_t capacity = stored.capacity();
  const size_t size = stored.size();
  if (size == capacity && !pending->sorted && size >= 64 && size >= 2 * pending->sorted_size) {
    // Before growing for disorder: rewrites of the same steps over and over must not take more and
    // more memory.
    Sort(pending);
    if (!stored.empty() && stored.back().timestamp_sec >= point.timestamp_sec)
      pending->sorted = false;
  }
  if (stored.capacity() == 0) stored.reserve(8);
  stored.push_back(point);
  *bytes += static_cast<int64_t>((stored.capacity() - capacity) * sizeof(Point));
  *points += static_cast<int64_t>(stored.size()) - static_cast<int64_t>(size);
}

void WriteBuffer::Apply(absl::Span<const SeriesId> series, absl::Span<const int64_t> timestamps_sec,
                        absl::Span<const double> values) {
  const size_t count = series.size();
  SHOAL_CHECK(timestamps_sec.size() == count && values.size() == count);
  // Order by shard (a counting sort, stable), so that each lock is taken once.
  std::array<uint32_t, kShards + 1> starts{};
  for (const SeriesId id : series) ++starts[ShardOf(id) + 1];
  for (size_t i = 0; i < kShards; ++i) starts[i + 1] += starts[i];
  std::vector<uint32_t> order(count);
  std::array<uint32_t, kShards + 1> next = starts;
  for (size_t i = 0; i < count; ++i) order[next[ShardOf(series[i])]++] = static_cast<uint32_t>(i);

  int64_t bytes = 0;
  int64_t points = 0;
  for (size_t s = 0; s < kShards; ++s) {
    if (starts[s] == starts[s + 1]) continue;
    Shard& shard = shards_[s];
    MutexLock lock(&shard.mu);
    SeriesId last = kNoSeries;
    Pending* pending = nullptr;
    for (uint32_t k = starts[s]; k < starts[s + 1]; ++k) {
      const uint32_t i = order[k];
      if (series[i] != last) {
        last = series[i];
        const auto [it, is_new] = shard.active.try_emplace(last);
        pending = &it->second;
        if (is_new) bytes += kSeriesBytes;
      }
      Add(pending, {timestamps_sec[i], values[i]}, &bytes, &points);
    }
  }
  bytes_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
  active_bytes_.fetch_add(static_cast<uint64_t>(bytes), std::memory_order_relaxed);
  points_.fetch_add(static_cast<uint64_t>(points), std::memory_order_relaxed);
}

void WriteBuffer::Collect(const Pending& pending, int64_t from_sec, int64_t until_sec,
                          std::vector<Point>* points) {
  if (pending.sorted) {
    const auto first =
        std::lower_bound(pending.points.begin(), pending.points.end(), Point{from_sec, 0}, Earlier);
    const auto last = std::lower_bound(first, pending.points.end(), Point{until_sec, 0}, Earlier);
    points->insert(points->end(), first, last);
    return;
  }
  for (const Point& point : pending.points) {
    if (point.timestamp_sec >= from_sec && point.timestamp_sec < until_sec)
      points->push_back(point);
  }
}

void WriteBuffer::Read(SeriesId series, int64_t from_sec, int64_t until_sec,
                       std::vector<Point>* points) const {
  Pending merged;
  merged.points.swap(*points);
  merged.points.clear();
  {
    const Shard& shard = shards_[ShardOf(series)];
    MutexLock lock(&shard.mu);
    // The older generation first: what came last wins.
    for (const Generation* generation : {&shard.flushing, &shard.active}) {
      const auto it = generation->find(series);
      if (it != generation->end()) Collect(it->second, from_sec, until_sec, &merged.points);
    }
  }
  merged.sorted = std::adjacent_find(merged.points.begin(), merged.points.end(),
                                     [](const Point& a, const Point& b) {
                                       return a.timestamp_sec >= b.timestamp_sec;
                                     }) == merged.points.end();
  Sort(&merged);
  points->swap(merged.points);
}

bool WriteBuffer::Has(SeriesId series) const {
  const Shard& shard = shards_[ShardOf(series)];
  MutexLock lock(&shard.mu);
  return shard.active.contains(series) || shard.flushing.contains(series);
}

void WriteBuffer::BeginFlush() {
  SHOAL_CHECK(!flushing());
  for (size_t s = 0; s < kShards; ++s) {
    MutexLock lock(&shards_[s].mu);
    SHOAL_CHECK(shards_[s].flushing.empty());
    shards_[s].flushing.swap(shards_[s].active);
  }
  // No Apply runs meanwhile: both are called by the commit thread.
  flushing_bytes_ = active_bytes_.exchange(0, std::memory_order_relaxed);
  flushing_points_ = points_.load(std::memory_order_relaxed);
  flushing_.store(true, std::memory_order_release);
}

void WriteBuffer::SortFlushing() {
  for (size_t s = 0; s < kShards; ++s) {
    MutexLock lock(&shards_[s].mu);
    for (auto& [series, pending] : shards_[s].flushing) Sort(&pending);
  }
}

void WriteBuffer::VisitFlushing(
    absl::FunctionRef<void(SeriesId, absl::Span<const Point>)> visit) const {
  for (size_t s = 0; s < kShards; ++s) {
    // The lock is for the map's sake; the generation does not change until EndFlush.
    MutexLock lock(&shards_[s].mu);
    for (const auto& [series, pending] : shards_[s].flushing) visit(series, pending.points);
  }
}

void WriteBuffer::EndFlush() {
  for (size_t s = 0; s < kShards; ++s) {
    Generation done;  // freed outside of the lock
    MutexLock lock(&shards_[s].mu);
    done.swap(shards_[s].flushing);
  }
  bytes_.fetch_sub(flushing_bytes_, std::memory_order_relaxed);
  points_.fetch_sub(flushing_points_, std::memory_order_relaxed);
  flushing_bytes_ = flushing_points_ = 0;
  flushing_.store(false, std::memory_order_release);
}

}  // namespace shoal
