// The pending points of some series, compactly: what one shard of one generation of the write
// buffer holds.
//
// Points that come step by step lie in chunks of eight values, one per step, without a timestamp:
// nine bytes a point. Whatever does not fit there (late points that no chunk covers, points far
// apart, timestamps that are not aligned) goes to the series' side list of (timestamp, value).
//
// Invariant: the chunks of a series ascend and do not overlap. Of one timestamp the side list is
// always newer than a chunk: once a timestamp has gone to the side, no chunk takes it any more.
//
// Not synchronised: the owner's lock. Everything lies in one arena and goes with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/memory_arena.h"
#include "storage/series_schema.h"

namespace shoal {

class PendingPoints {
 public:
  // Series are named by dense numbers from 0 here.
  using Local = uint32_t;
  // Seconds between two points of a series, 0 when that is not known. Asked for once per series.
  using StepOf = absl::FunctionRef<int64_t(Local series)>;

  // Of points with the same timestamp the last one wins. `value` is not NaN.
  void Add(Local series, int64_t timestamp_sec, double value, StepOf step_of) {
    Slot* const slot = MakeSlot(series);
    // The common case: the step behind the newest one, in a chunk that is there.
    if (static_cast<uint8_t>(slot->next - 1) < kChunkValues - 1 &&
        timestamp_sec == int64_t{slot->base_sec} + int64_t{slot->next} * slot->step_sec) {
      ChunkAt(slot->chunk)->values[slot->next++] = value;
      ++points_;
      return;
    }
    AddSlow(slot, series, timestamp_sec, value, step_of);
  }
  // Memory that Add will want, in two stages some series ahead: of its slot, then of its chunk.
  void PrefetchSlot(Local series) const {
    if (const Slot* const slot = FindSlot(series)) __builtin_prefetch(slot, 1);
  }
  void PrefetchChunk(Local series) const {
    const Slot* const slot = FindSlot(series);
    if (slot == nullptr || slot->chunk == 0) return;
    __builtin_prefetch(&ChunkAt(slot->chunk)->values[slot->next % kChunkValues], 1);
  }

  bool Has(Local series) const {
    const Slot* const slot = FindSlot(series);
    return slot != nullptr && slot->used != 0;
  }
  // The series' points, aligned down to another step; of those that fall together the newest stays.
  // What they took in the arena is not used again.
  void Realign(Local series, int64_t step_sec);
  // Appends the points in [from, until), sorted, one per timestamp.
  void Read(Local series, int64_t from_sec, int64_t until_sec, std::vector<Point>* points) const;

  // One past the largest series that may have points.
  Local series_end() const { return static_cast<Local>(tables_.size() * kTableSlots); }
  uint64_t points() const { return points_; }  // overwritten ones of side lists may count as well
  uint64_t bytes() const { return arena_.bytes() + tables_.capacity() * sizeof(tables_[0]); }
  bool empty() const { return tables_.empty(); }
  void Clear();
  void Swap(PendingPoints& other) noexcept;

 private:
  static constexpr size_t kChunkValues = 8;
  static constexpr size_t kTableSlots = 256;
  // A chunk left with fewer points than this gives them to the side list, where they take less.
  static constexpr size_t kChunkPointsMin = 4;
  // Late points look back so many chunks for their place; beyond they go to the side.
  static constexpr int kChunksBack = 8;
  static constexpr size_t kSideCapacityMin = 2;
  static constexpr size_t kSideCapacityMax = 256;
  static constexpr size_t kSideClasses = 8;  // capacities 2, 4, ... 256

  struct Slot {
    MemoryArena::Ref chunk = 0;  // the newest
    uint32_t base_sec = 0;       // of that chunk
    MemoryArena::Ref side = 0;   // the newest part of the side list
    uint16_t step_sec = 0;       // 0: everything goes to the side
    uint8_t next = 0;            // the place behind the newest value of the chunk
    uint8_t used = 0;
  };
  static_assert(sizeof(Slot) == 16);
  // values[i] is the point at base_sec + i * step; NaN: none.
  struct Chunk {
    MemoryArena::Ref older;
    uint32_t base_sec;
    double values[kChunkValues];
  };
  static_assert(sizeof(Chunk) == 72);
  // A part of a side list, in order of arrival; followed by `capacity` points. Every part but the
  // newest is full.
  struct Side {
    MemoryArena::Ref older;
    uint16_t count;
    uint16_t capacity;
    uint32_t total;   // points of this part and the older ones, in the newest part
    uint32_t sorted;  // of these, how many were left by the last sorting
    Point* points() { return reinterpret_cast<Point*>(this + 1); }
  };
  static_assert(sizeof(Side) % alignof(Point) == 0);

  Chunk* ChunkAt(MemoryArena::Ref ref) const { return static_cast<Chunk*>(arena_.At(ref)); }
  Side* SideAt(MemoryArena::Ref ref) const { return static_cast<Side*>(arena_.At(ref)); }
  const Slot* FindSlot(Local series) const {
    const size_t table = series / kTableSlots;
    if (table >= tables_.size() || tables_[table] == nullptr) return nullptr;
    return tables_[table] + series % kTableSlots;
  }
  Slot* MakeSlot(Local series) {
    const Slot* const slot = FindSlot(series);
    return slot != nullptr ? const_cast<Slot*>(slot) : MakeTable(series);
  }
  Slot* MakeTable(Local series);

  void AddSlow(Slot* slot, Local series, int64_t timestamp_sec, double value, StepOf step_of);
  void BeginChunk(Slot* slot, uint32_t base_sec);
  // Whether an older chunk has taken the point.
  bool AddToOlderChunk(const Slot& slot, int64_t timestamp_sec, double value);
  void AddToSide(Slot* slot, Point point);
  MemoryArena::Ref NewSide(size_t capacity);
  // Sorts a side list in place, the last point of each timestamp stays.
  void SortSide(Slot* slot);
  void ReadSide(const Slot& slot, int64_t from_sec, int64_t until_sec,
                std::vector<Point>* points) const;

  MemoryArena arena_;
  std::vector<Slot*> tables_;  // in the arena
  MemoryArena::Ref free_sides_[kSideClasses] = {};
  uint64_t points_ = 0;
};

}  // namespace shoal
