#include "storage/ring/slot_table.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace shoal {

SlotTable::SlotTable(uint32_t slots)
    : series_(slots, kNoSeries), generation_(slots, 0), free_((slots + 63) / 64, 0) {}

SlotEntry SlotTable::Get(uint32_t slot) const {
  SlotEntry entry;
  entry.series = series_[slot];
  entry.generation = generation_[slot];
  if (!bounds_.empty()) {
    if (const auto it = bounds_.find(slot); it != bounds_.end()) {
      entry.from_stripe = it->second.first;
      entry.until_stripe = it->second.second;
    }
  }
  return entry;
}

void SlotTable::Set(uint32_t slot, const SlotEntry& entry) {
  used_ += (entry.used() ? 1 : 0) - (series_[slot] != kNoSeries ? 1 : 0);
  series_[slot] = entry.series;
  generation_[slot] = entry.generation;
  if (entry.from_stripe == 0 && entry.until_stripe == kNoStripe) {
    if (!bounds_.empty()) bounds_.erase(slot);
  } else {
    bounds_[slot] = {entry.from_stripe, entry.until_stripe};
  }
}

uint32_t SlotTable::Take() {
  SHOAL_CHECK(free_count_ > 0);
  while (free_[first_free_word_] == 0) ++first_free_word_;
  uint64_t& word = free_[first_free_word_];
  const uint32_t slot =
      static_cast<uint32_t>(first_free_word_ * 64 + static_cast<size_t>(std::countr_zero(word)));
  word &= word - 1;
  --free_count_;
  return slot;
}

void SlotTable::Return(uint32_t slot) {
  const uint64_t bit = uint64_t{1} << (slot % 64);
  SHOAL_CHECK((free_[slot / 64] & bit) == 0);
  free_[slot / 64] |= bit;
  first_free_word_ = std::min<size_t>(first_free_word_, slot / 64);
  ++free_count_;
}

size_t SlotTable::MemoryBytes() const {
  return series_.capacity() * sizeof(series_[0]) + generation_.capacity() +
         free_.capacity() * sizeof(free_[0]) + bounds_.capacity() * (sizeof(*bounds_.begin()) + 1);
}

}  // namespace shoal
