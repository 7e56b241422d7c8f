#include "storage/ring/slot_table.h"

#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

TEST(SlotTable, KeepsEntriesWithAndWithoutBounds) {
  SlotTable table(300);
  std::vector<SlotEntry> want(300);
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    SlotEntry entry;
    const uint32_t slot = static_cast<uint32_t>(random() % 300);
    if (random() % 3 != 0) entry.series = static_cast<SeriesId>(random() % 1000);
    if (random() % 3 == 0) entry.from_stripe = static_cast<uint32_t>(random() % 50);
    if (random() % 3 == 0) entry.until_stripe = 50 + static_cast<uint32_t>(random() % 50);
    entry.generation = static_cast<uint8_t>(random());
    table.Set(slot, entry);
    want[slot] = entry;
  }
  uint32_t used = 0;
  for (uint32_t slot = 0; slot < 300; ++slot) {
    EXPECT_EQ(table.Get(slot), want[slot]);
    used += want[slot].used() ? 1 : 0;
  }
  EXPECT_EQ(table.used(), used);
}

TEST(SlotTable, GivesTheFirstFreeSlot) {
  SlotTable table(200);
  EXPECT_EQ(table.free_slots(), 0u);
  std::set<uint32_t> free;
  std::mt19937_64 random(2);
  for (int i = 0; i < 5000; ++i) {
    const uint32_t slot = static_cast<uint32_t>(random() % 200);
    if (random() % 2 == 0 && free.insert(slot).second) table.Return(slot);
    if (random() % 3 == 0 && !free.empty()) {
      EXPECT_EQ(table.Take(), *free.begin());
      free.erase(free.begin());
    }
    ASSERT_EQ(table.free_slots(), free.size());
  }
}

TEST(SlotTable, TakesLittleMemory) {
  SlotTable table(100'000);
  for (uint32_t slot = 0; slot < table.size(); ++slot) table.Set(slot, {slot, 0, kNoStripe, 1});
  EXPECT_LT(table.MemoryBytes(), 100'000u * 6);
}

}  // namespace
}  // namespace shoal
