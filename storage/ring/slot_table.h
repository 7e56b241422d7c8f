// The slots of one ring file in memory: who has which, and which are free.
//
// A slot takes 5 bytes and a bit: nearly all leases cover all stripes, so that the bounds of the
// others are kept beside.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/ring/ring_format.h"

namespace shoal {

// Externally synchronised.
class SlotTable {
 public:
  explicit SlotTable(uint32_t slots);

  uint32_t size() const { return static_cast<uint32_t>(series_.size()); }
  // Slots that have a lease.
  uint32_t used() const { return used_; }
  SeriesId series(uint32_t slot) const { return series_[slot]; }
  uint8_t generation(uint32_t slot) const { return generation_[slot]; }
  SlotEntry Get(uint32_t slot) const;
  // Does not touch whether the slot may be taken: Take and Return do.
  void Set(uint32_t slot, const SlotEntry& entry);

  // Slots that may be taken; none before the first Return.
  uint32_t free_slots() const { return free_count_; }
  // The first free slot, free no more. There is one.
  uint32_t Take();
  void Return(uint32_t slot);

  // What the table takes, without this object itself.
  size_t MemoryBytes() const;

 private:
  std::vector<SeriesId> series_;
  std::vector<uint8_t> generation_;
  // from and until of the leases that have bounds.
  absl::flat_hash_map<uint32_t, std::pair<uint32_t, uint32_t>> bounds_;
  std::vector<uint64_t> free_;  // a bit for each slot
  size_t first_free_word_ = 0;  // no free slot lies before it
  uint32_t free_count_ = 0;
  uint32_t used_ = 0;
};

}  // namespace shoal
