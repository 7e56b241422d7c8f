#include "storage/pending_points.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "base/check.h"
#include "storage/late_points.h"

namespace shoal {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

bool Earlier(const Point& a, const Point& b) { return a.timestamp_sec < b.timestamp_sec; }

// Of equal timestamps the last point stays.
void SortAndMerge(std::vector<Point>* points) {
  std::stable_sort(points->begin(), points->end(), Earlier);
  size_t kept = 0;
  for (size_t i = 0; i < points->size(); ++i) {
    if (i + 1 < points->size() && (*points)[i + 1].timestamp_sec == (*points)[i].timestamp_sec)
      continue;
    (*points)[kept++] = (*points)[i];
  }
  points->resize(kept);
}

size_t SideClass(size_t capacity) {
  return static_cast<size_t>(std::countr_zero(capacity)) - 1;  // 2 is class 0
}

}  // namespace

PendingPoints::Slot* PendingPoints::MakeTable(Local series) {
  const size_t table = series / kTableSlots;
  if (table >= tables_.size()) tables_.resize(table + 1);
  tables_[table] = static_cast<Slot*>(arena_.At(arena_.Allocate(kTableSlots * sizeof(Slot))));
  return tables_[table] + series % kTableSlots;
}

void PendingPoints::BeginChunk(Slot* slot, uint32_t base_sec) {
  bool reuse = false;
  if (slot->chunk != 0) {
    Chunk* const closing = ChunkAt(slot->chunk);
    const auto present = std::count_if(closing->values, closing->values + kChunkValues,
                                       [](double value) { return !std::isnan(value); });
    reuse = static_cast<size_t>(present) < kChunkPointsMin;
    for (size_t i = 0; reuse && i < kChunkValues; ++i) {
      if (std::isnan(closing->values[i])) continue;
      --points_;  // counted again at the side
      AddToSide(slot, {int64_t{closing->base_sec} + static_cast<int64_t>(i) * slot->step_sec,
                       closing->values[i]});
    }
  }
  if (!reuse) {
    const MemoryArena::Ref ref = arena_.Allocate(sizeof(Chunk));
    ChunkAt(ref)->older = slot->chunk;
    slot->chunk = ref;
  }
  Chunk* const chunk = ChunkAt(slot->chunk);
  chunk->base_sec = slot->base_sec = base_sec;
  std::fill(chunk->values, chunk->values + kChunkValues, kNone);
  slot->next = 0;
}

void PendingPoints::AddSlow(Slot* slot, Local series, int64_t timestamp_sec, double value,
                            StepOf step_of) {
  if (slot->used == 0) {
    slot->used = 1;
    const int64_t step = step_of(series);
    slot->step_sec = step > 0 && step <= std::numeric_limits<uint16_t>::max()
                         ? static_cast<uint16_t>(step)
                         : uint16_t{0};
  }
  const int64_t step = slot->step_sec;
  if (step == 0 || timestamp_sec < 0 || timestamp_sec > std::numeric_limits<uint32_t>::max()) {
    AddToSide(slot, {timestamp_sec, value});
    return;
  }
  const int64_t span = step * static_cast<int64_t>(kChunkValues);
  if (slot->chunk == 0 || timestamp_sec - int64_t{slot->base_sec} >= span) {
    BeginChunk(slot, static_cast<uint32_t>(timestamp_sec));
  }
  const int64_t offset = timestamp_sec - int64_t{slot->base_sec};
  if (offset >= 0 && offset % step == 0) {
    const size_t place = static_cast<size_t>(offset / step);
    double& stored = ChunkAt(slot->chunk)->values[place];
    if (std::isnan(stored)) ++points_;
    stored = value;
    slot->next = static_cast<uint8_t>(std::max<size_t>(slot->next, place + 1));
    return;
  }
  if (offset < 0 && AddToOlderChunk(*slot, timestamp_sec, value)) return;
  AddToSide(slot, {timestamp_sec, value});
}

bool PendingPoints::AddToOlderChunk(const Slot& slot, int64_t timestamp_sec, double value) {
  MemoryArena::Ref ref = ChunkAt(slot.chunk)->older;
  for (int back = 0; ref != 0 && back < kChunksBack; ++back) {
    Chunk* const chunk = ChunkAt(ref);
    const int64_t offset = timestamp_sec - int64_t{chunk->base_sec};
    if (offset >= 0) {
      const int64_t place = offset / slot.step_sec;
      if (place >= static_cast<int64_t>(kChunkValues) || offset % slot.step_sec != 0) return false;
      double& stored = chunk->values[place];
      if (std::isnan(stored)) ++points_;
      stored = value;
      return true;
    }
    ref = chunk->older;
  }
  return false;
}

MemoryArena::Ref PendingPoints::NewSide(size_t capacity) {
  MemoryArena::Ref& free = free_sides_[SideClass(capacity)];
  MemoryArena::Ref ref = free;
  if (ref != 0) {
    free = SideAt(ref)->older;
  } else {
    ref = arena_.Allocate(sizeof(Side) + capacity * sizeof(Point));
  }
  Side* const side = SideAt(ref);
  *side = Side();
  side->capacity = static_cast<uint16_t>(capacity);
  return ref;
}

void PendingPoints::AddToSide(Slot* slot, Point point) {
  if (slot->side == 0) slot->side = NewSide(kSideCapacityMin);
  Side* side = SideAt(slot->side);
  if (side->count > 0 && side->points()[side->count - 1].timestamp_sec == point.timestamp_sec) {
    side->points()[side->count - 1].value = point.value;
    return;
  }
  if (side->count == side->capacity) {
    // Before growing: rewrites of the same steps over and over must not take more and more memory.
    if (side->total >= 64 && side->total >= 2 * side->sorted) {
      SortSide(slot);
      side = SideAt(slot->side);
    }
    if (side->count == side->capacity) {
      const MemoryArena::Ref ref =
          NewSide(std::min<size_t>(size_t{side->capacity} * 2, kSideCapacityMax));
      Side* const newest = SideAt(ref);
      newest->older = slot->side;
      newest->total = side->total;
      newest->sorted = side->sorted;
      slot->side = ref;
      side = newest;
    }
  }
  side->points()[side->count++] = point;
  ++side->total;
  ++points_;
}

void PendingPoints::SortSide(Slot* slot) {
  std::vector<Point> points;
  const uint32_t before = SideAt(slot->side)->total;
  ReadSide(*slot, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
           &points);
  SortAndMerge(&points);
  std::vector<MemoryArena::Ref> parts;
  for (MemoryArena::Ref ref = slot->side; ref != 0; ref = SideAt(ref)->older) parts.push_back(ref);
  std::reverse(parts.begin(), parts.end());
  size_t used = 0;
  for (const MemoryArena::Ref ref : parts) {
    Side* const side = SideAt(ref);
    if (used == points.size()) {
      // Not needed any more; another series may take it.
      MemoryArena::Ref& free = free_sides_[SideClass(side->capacity)];
      side->older = free;
      free = ref;
      continue;
    }
    const size_t count = std::min<size_t>(side->capacity, points.size() - used);
    std::copy_n(points.begin() + static_cast<std::ptrdiff_t>(used), count, side->points());
    side->count = static_cast<uint16_t>(count);
    used += count;
    slot->side = ref;
  }
  Side* const newest = SideAt(slot->side);
  newest->total = newest->sorted = static_cast<uint32_t>(points.size());
  points_ -= before - points.size();
}

void PendingPoints::ReadSide(const Slot& slot, int64_t from_sec, int64_t until_sec,
                             std::vector<Point>* points) const {
  absl::InlinedVector<Side*, 16> parts;
  for (MemoryArena::Ref ref = slot.side; ref != 0; ref = SideAt(ref)->older)
    parts.push_back(SideAt(ref));
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    for (size_t i = 0; i < (*part)->count; ++i) {
      const Point& point = (*part)->points()[i];
      if (point.timestamp_sec >= from_sec && point.timestamp_sec < until_sec)
        points->push_back(point);
    }
  }
}

void PendingPoints::Read(Local series, int64_t from_sec, int64_t until_sec,
                         std::vector<Point>* points) const {
  const Slot* const slot = FindSlot(series);
  if (slot == nullptr || slot->used == 0) return;
  const size_t start = points->size();
  const int64_t step = slot->step_sec;
  absl::InlinedVector<const Chunk*, 16> chunks;
  for (MemoryArena::Ref ref = slot->chunk; ref != 0;) {
    const Chunk* const chunk = ChunkAt(ref);
    if (int64_t{chunk->base_sec} + step * static_cast<int64_t>(kChunkValues) <= from_sec) break;
    if (int64_t{chunk->base_sec} < until_sec) chunks.push_back(chunk);
    ref = chunk->older;
  }
  for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
    int64_t time = (*chunk)->base_sec;
    for (const double value : (*chunk)->values) {
      if (!std::isnan(value) && time >= from_sec && time < until_sec)
        points->push_back({time, value});
      time += step;
    }
  }
  if (slot->side == 0) return;
  std::vector<Point> side;
  ReadSide(*slot, from_sec, until_sec, &side);
  if (side.empty()) return;
  // Behind what the chunks gave: of equal timestamps the side's stays.
  points->insert(points->end(), side.begin(), side.end());
  side.assign(points->begin() + static_cast<std::ptrdiff_t>(start), points->end());
  SortAndMerge(&side);
  points->resize(start);
  points->insert(points->end(), side.begin(), side.end());
}

void PendingPoints::Realign(Local series, int64_t step_sec) {
  const Slot* const slot = FindSlot(series);
  if (slot == nullptr || slot->used == 0) return;
  std::vector<Point> points;
  Read(series, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), &points);
  for (MemoryArena::Ref ref = slot->chunk; ref != 0; ref = ChunkAt(ref)->older) {
    const Chunk* const chunk = ChunkAt(ref);
    points_ -=
        static_cast<uint64_t>(std::count_if(chunk->values, chunk->values + kChunkValues,
                                            [](double value) { return !std::isnan(value); }));
  }
  if (slot->side != 0) points_ -= SideAt(slot->side)->total;
  *MakeSlot(series) = Slot();
  for (const Point& point : points) {
    Add(series, AlignDown(point.timestamp_sec, step_sec), point.value,
        [step_sec](Local) { return step_sec; });
  }
}

void PendingPoints::Clear() {
  PendingPoints none;
  Swap(none);
}

void PendingPoints::Swap(PendingPoints& other) noexcept {
  arena_.Swap(other.arena_);
  tables_.swap(other.tables_);
  std::swap(free_sides_, other.free_sides_);
  std::swap(points_, other.points_);
}

}  // namespace shoal
