#include "storage/write_buffer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "base/check.h"

namespace shoal {
namespace {

// Points that are sorted by shard at once: the order fits the stack, and a shard's lock is held for
// some tens of microseconds.
constexpr size_t kSlicePoints = 4096;
// How many points ahead memory is fetched: first the series' slot, then the chunk that the slot
// names.
constexpr size_t kSlotsAhead = 24;
constexpr size_t kChunksAhead = 12;

}  // namespace

WriteBuffer::WriteBuffer(StepOf step_of)
    : step_of_(std::move(step_of)), shards_(std::make_unique<Shard[]>(kShards)) {}
WriteBuffer::~WriteBuffer() = default;

void WriteBuffer::Apply(absl::Span<const SeriesId> series, absl::Span<const int64_t> timestamps_sec,
                        absl::Span<const double> values) {
  ApplyPart(0, 1, series, timestamps_sec, values);
}

void WriteBuffer::ApplyPart(size_t part, size_t parts, absl::Span<const SeriesId> series,
                            absl::Span<const int64_t> timestamps_sec,
                            absl::Span<const double> values) {
  SHOAL_CHECK(timestamps_sec.size() == series.size() && values.size() == series.size());
  SHOAL_CHECK(parts > 0 && kShards % parts == 0 && part < parts);
  for (size_t begin = 0; begin < series.size(); begin += kSlicePoints) {
    const size_t count = std::min(kSlicePoints, series.size() - begin);
    const SeriesId* const ids = series.data() + begin;
    // Order by shard (a counting sort, stable), so that each lock is taken once.
    std::array<uint16_t, kShards + 1> starts{};
    for (size_t i = 0; i < count; ++i) ++starts[ShardOf(ids[i]) + 1];
    for (size_t i = 0; i < kShards; ++i)
      starts[i + 1] = static_cast<uint16_t>(starts[i + 1] + starts[i]);
    std::array<uint16_t, kSlicePoints> order;
    std::array<uint16_t, kShards + 1> next = starts;
    for (size_t i = 0; i < count; ++i) order[next[ShardOf(ids[i])]++] = static_cast<uint16_t>(i);
    for (size_t shard = part; shard < kShards; shard += parts) {
      const size_t size = size_t{starts[shard + 1]} - starts[shard];
      if (size == 0) continue;
      ApplyToShard(shard, {order.data() + starts[shard], size}, ids, timestamps_sec.data() + begin,
                   values.data() + begin);
    }
  }
}

void WriteBuffer::ApplyToShard(size_t index, absl::Span<const uint16_t> order,
                               const SeriesId* series, const int64_t* timestamps_sec,
                               const double* values) {
  const auto step_of = [&](PendingPoints::Local local) { return step_of_(SeriesOf(index, local)); };
  Shard& shard = shards_[index];
  MutexLock lock(&shard.mu);
  PendingPoints& active = shard.active;
  const uint64_t bytes = active.bytes();
  const uint64_t points = active.points();
  const size_t count = order.size();
  for (size_t k = 0; k < std::min(kSlotsAhead, count); ++k) {
    active.PrefetchSlot(LocalOf(series[order[k]]));
  }
  for (size_t k = 0; k < count; ++k) {
    if (k + kSlotsAhead < count) active.PrefetchSlot(LocalOf(series[order[k + kSlotsAhead]]));
    if (k + kChunksAhead < count) active.PrefetchChunk(LocalOf(series[order[k + kChunksAhead]]));
    const size_t i = order[k];
    if (std::isnan(values[i])) continue;
    active.Add(LocalOf(series[i]), timestamps_sec[i], values[i], step_of);
  }
  // Unsigned differences: sorting a side list takes points away.
  bytes_.fetch_add(active.bytes() - bytes, std::memory_order_relaxed);
  active_bytes_.fetch_add(active.bytes() - bytes, std::memory_order_relaxed);
  points_.fetch_add(active.points() - points, std::memory_order_relaxed);
  active_points_.fetch_add(active.points() - points, std::memory_order_relaxed);
}

void WriteBuffer::Realign(SeriesId series, int64_t step_sec) {
  Shard& shard = shards_[ShardOf(series)];
  MutexLock lock(&shard.mu);
  PendingPoints& active = shard.active;
  const uint64_t bytes = active.bytes();
  const uint64_t points = active.points();
  active.Realign(LocalOf(series), step_sec);
  bytes_.fetch_add(active.bytes() - bytes, std::memory_order_relaxed);
  active_bytes_.fetch_add(active.bytes() - bytes, std::memory_order_relaxed);
  points_.fetch_add(active.points() - points, std::memory_order_relaxed);
  active_points_.fetch_add(active.points() - points, std::memory_order_relaxed);
}

void WriteBuffer::Read(SeriesId series, int64_t from_sec, int64_t until_sec,
                       std::vector<Point>* points) const {
  points->clear();
  std::vector<Point> active;
  {
    const Shard& shard = shards_[ShardOf(series)];
    MutexLock lock(&shard.mu);
    shard.flushing.Read(LocalOf(series), from_sec, until_sec, points);
    shard.active.Read(LocalOf(series), from_sec, until_sec, points->empty() ? points : &active);
  }
  if (active.empty()) return;
  if (points->back().timestamp_sec < active.front().timestamp_sec) {
    points->insert(points->end(), active.begin(), active.end());
    return;
  }
  // The active generation is newer: it wins.
  std::vector<Point> merged;
  merged.reserve(points->size() + active.size());
  size_t older = 0;
  for (const Point& point : active) {
    while (older < points->size() && (*points)[older].timestamp_sec < point.timestamp_sec)
      merged.push_back((*points)[older++]);
    if (older < points->size() && (*points)[older].timestamp_sec == point.timestamp_sec) ++older;
    merged.push_back(point);
  }
  merged.insert(merged.end(), points->begin() + static_cast<std::ptrdiff_t>(older), points->end());
  points->swap(merged);
}

bool WriteBuffer::Has(SeriesId series) const {
  const Shard& shard = shards_[ShardOf(series)];
  MutexLock lock(&shard.mu);
  return shard.active.Has(LocalOf(series)) || shard.flushing.Has(LocalOf(series));
}

void WriteBuffer::BeginFlush() {
  SHOAL_CHECK(!flushing());
  generation_.fetch_add(1, std::memory_order_acq_rel);
  for (size_t s = 0; s < kShards; ++s) {
    MutexLock lock(&shards_[s].mu);
    SHOAL_CHECK(shards_[s].flushing.empty());
    shards_[s].flushing.Swap(shards_[s].active);
  }
  // No Apply runs meanwhile: both are called by the commit thread.
  flushing_bytes_ = active_bytes_.exchange(0, std::memory_order_relaxed);
  flushing_points_ = active_points_.exchange(0, std::memory_order_relaxed);
  flushing_.store(true, std::memory_order_release);
}

void WriteBuffer::VisitFlushing(absl::FunctionRef<void(SeriesId)> visit) const {
  PendingPoints::Local end = 0;
  for (size_t s = 0; s < kShards; ++s) end = std::max(end, shards_[s].flushing.series_end());
  for (PendingPoints::Local local = 0; local < end; ++local) {
    for (size_t s = 0; s < kShards; ++s) {
      if (shards_[s].flushing.Has(local)) visit(SeriesOf(s, local));
    }
  }
}

void WriteBuffer::ReadFlushing(SeriesId series, std::vector<Point>* points) const {
  shards_[ShardOf(series)].flushing.Read(LocalOf(series), std::numeric_limits<int64_t>::min(),
                                         std::numeric_limits<int64_t>::max(), points);
}

void WriteBuffer::PrefetchFlushing(SeriesId series) const {
  shards_[ShardOf(series)].flushing.PrefetchChunk(LocalOf(series));
}

void WriteBuffer::EndFlush() {
  for (size_t s = 0; s < kShards; ++s) {
    PendingPoints done;  // freed outside of the lock
    {
      MutexLock lock(&shards_[s].mu);
      done.Swap(shards_[s].flushing);
    }
  }
  bytes_.fetch_sub(flushing_bytes_, std::memory_order_relaxed);
  points_.fetch_sub(flushing_points_, std::memory_order_relaxed);
  flushing_bytes_ = flushing_points_ = 0;
  flushing_.store(false, std::memory_order_release);
}

}  // namespace shoal
