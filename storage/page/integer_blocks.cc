#include "storage/page/integer_blocks.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "storage/page/bit_packing.h"
#include "storage/page/page_codec.h"
#include "storage/page/wide.h"

namespace shoal {
namespace {

struct Range {
  int64_t low;
  int64_t high;
  uint64_t size() const { return static_cast<uint64_t>(high) - static_cast<uint64_t>(low); }
};

Range RangeOf(absl::Span<const int64_t> values) {
  Range range{values[0], values[0]};
  for (const int64_t value : values) {
    range.low = value < range.low ? value : range.low;
    range.high = value > range.high ? value : range.high;
  }
  return range;
}

// What PlanBlocks needs of a sequence.
struct Measured {
  Range all;
  uint64_t differing = 0;  // bits in which distances from the first value are not zero
  size_t mini_bits = 0;    // of the offsets in miniblocks
  size_t blocks = 0;
};

// Sets blocks[i] for each kMiniblockValues values.
SHOAL_ALWAYS_INLINE Measured MeasureBody(const int64_t* values, size_t count, Range* blocks) {
  Measured measured;
  measured.all = {values[0], values[0]};
  uint64_t differing = 0;
  for (size_t i = 0; i < count; i += kMiniblockValues) {
    const size_t size = std::min(kMiniblockValues, count - i);
    int64_t low = values[i];
    int64_t high = values[i];
    for (size_t k = i; k < i + size; ++k) {
      const int64_t value = values[k];
      low = value < low ? value : low;
      high = value > high ? value : high;
      differing |= static_cast<uint64_t>(value) - static_cast<uint64_t>(values[0]);
    }
    const Range range{low, high};
    blocks[measured.blocks++] = range;
    measured.all.low = std::min(measured.all.low, low);
    measured.all.high = std::max(measured.all.high, high);
    measured.mini_bits += size * static_cast<size_t>(BitWidth(range.size()));
  }
  measured.differing = differing;
  return measured;
}
SHOAL_WIDE_FUNCTION(Measure, Measured, (const int64_t* values, size_t count, Range* blocks),
                    (values, count, blocks))

// A patch is where and what: the distance from the last one, and the value less the base.
uint64_t PatchOf(int64_t value, int64_t base) {
  return ZigZag(static_cast<int64_t>(static_cast<uint64_t>(value) - static_cast<uint64_t>(base)));
}
size_t PatchBytes(size_t distance, uint64_t patch) {
  return VarintBytes(distance) + VarintBytes(patch);
}

bool Fits(int64_t value, const BlockPlan& plan) {
  const uint64_t offset = static_cast<uint64_t>(value) - static_cast<uint64_t>(plan.base);
  return plan.width == 64 || (offset >> plan.shift) >> plan.width == 0;
}

// The exact size of a patched plan, with its count of patches.
void MeasurePatched(absl::Span<const int64_t> values, BlockPlan* plan) {
  plan->patches = 0;
  size_t patch_bytes = 0;
  size_t last = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (Fits(values[i], *plan)) continue;
    patch_bytes += PatchBytes(i - last, PatchOf(values[i], plan->base));
    last = i;
    ++plan->patches;
  }
  plan->bytes = 2 + VarintBytes(ZigZag(plan->base)) + VarintBytes(plan->patches) + patch_bytes +
                PackedBytes(values.size(), plan->width);
}

// Tries blocks of the values near `center`, on both sides or from it up, and lists the others.
// `center` is on the grid of the values.
void TryPatched(absl::Span<const int64_t> values, int64_t center, bool both_sides,
                BlockPlan* best) {
  const auto offset_of = [center](int64_t value) {
    return static_cast<uint64_t>(value) - static_cast<uint64_t>(center);
  };
  // The width for distances of `bits` bits; on both sides [-2^bits, 2^bits).
  const auto width_of = [&](int bits) {
    if (bits < best->shift) return 0;  // of those only the center is on the grid
    return bits - best->shift + (both_sides ? 1 : 0);
  };
  std::array<size_t, 65> counts = {};
  for (const int64_t value : values) {
    const uint64_t offset = offset_of(value);
    ++counts[static_cast<size_t>(
        BitWidth(both_sides ? ZigZag(static_cast<int64_t>(offset)) >> 1 : offset))];
  }
  size_t outside = 0;
  size_t patch_bits = 0;
  size_t bits_min = std::numeric_limits<size_t>::max();
  int reach = 0;
  for (int bits = 63; bits >= 0; --bits) {
    const size_t above = counts[static_cast<size_t>(bits) + 1];
    outside += above;
    if (outside > values.size() / 4) break;
    patch_bits += above * 8 * (1 + (static_cast<size_t>(bits) + 8) / 7);  // about
    const size_t cost = values.size() * static_cast<size_t>(width_of(bits)) + patch_bits;
    if (cost < bits_min) {
      bits_min = cost;
      reach = bits;
    }
  }
  BlockPlan plan = *best;
  plan.layout = BlockLayout::kPatched;
  plan.width = width_of(reach);
  plan.base = center;
  if (both_sides && reach >= best->shift)
    plan.base = static_cast<int64_t>(static_cast<uint64_t>(center) - (uint64_t{1} << reach));
  MeasurePatched(values, &plan);
  if (plan.bytes < best->bytes) *best = plan;
}

}  // namespace

uint64_t RangeSize(absl::Span<const int64_t> values) { return RangeOf(values).size(); }

BlockPlan PlanBlocks(absl::Span<const int64_t> values) {
  SHOAL_CHECK(values.size() <= kPageStepsMax);
  Range blocks[kPageStepsMax / kMiniblockValues];  // set as far as there are blocks
  const Measured measured = Measure(values.data(), values.size(), blocks);
  const Range& all = measured.all;
  BlockPlan best;
  best.shift = measured.differing == 0 ? 0 : __builtin_ctzll(measured.differing);
  best.width = BitWidth(all.size() >> best.shift);
  best.low = best.base = all.low;
  best.range = all.size();
  best.bytes = 2 + VarintBytes(ZigZag(best.base)) + PackedBytes(values.size(), best.width);
  // Where the spread is the same throughout, nothing is better than one block, and mostly it is.
  const size_t one_bits = values.size() * static_cast<size_t>(BitWidth(all.size()));
  if (measured.blocks < 2 || measured.mini_bits + values.size() / 2 >= one_bits) return best;

  size_t mini_bytes = 1;
  Range narrowest = blocks[0];
  for (size_t i = 0; i < measured.blocks; ++i) {
    const size_t size = std::min(kMiniblockValues, values.size() - i * kMiniblockValues);
    mini_bytes += 1 + VarintBytes(ZigZag(blocks[i].low)) +
                  PackedBytes(size, BitWidth(blocks[i].size() >> best.shift));
    if (blocks[i].size() < narrowest.size()) narrowest = blocks[i];
  }
  const uint64_t grid = (uint64_t{1} << best.shift) - 1;
  const uint64_t middle = (narrowest.size() / 2) & ~grid;
  best.center = static_cast<int64_t>(static_cast<uint64_t>(narrowest.low) + middle);
  best.uneven = true;
  if (mini_bytes < best.bytes) {
    best.layout = BlockLayout::kMini;
    best.bytes = mini_bytes;
  }
  return best;
}

void TryPatches(absl::Span<const int64_t> values, BlockPlan* plan) {
  if (!plan->uneven) return;
  TryPatched(values, plan->center, true, plan);
  TryPatched(values, plan->low, false, plan);
}

namespace {

// The offsets of at most kMiniblockValues values, packed. Of patched ones no more than the width is
// left, which is not looked at.
char* PutPacked(absl::Span<const int64_t> values, int64_t base, int shift, int width, char* to) {
  uint64_t offsets[kMiniblockValues];
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t offset = static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(base);
    offsets[i] = (offset >> shift) & mask;
  }
  PackBits(offsets, values.size(), width, to);
  return to + PackedBytes(values.size(), width);
}

}  // namespace

void PutBlocks(absl::Span<const int64_t> values, const BlockPlan& plan, char* to) {
  char* at = to;
  *at++ = static_cast<char>(static_cast<int>(plan.layout) | plan.shift << 2);
  if (plan.layout != BlockLayout::kMini) {
    *at++ = static_cast<char>(plan.width);
    at = PutVarint(ZigZag(plan.base), at);
  }
  if (plan.layout == BlockLayout::kPatched) at = PutVarint(plan.patches, at);
  for (size_t i = 0; i < values.size(); i += kMiniblockValues) {
    const absl::Span<const int64_t> block = values.subspan(i, kMiniblockValues);
    int64_t base = plan.base;
    int width = plan.width;
    if (plan.layout == BlockLayout::kMini) {
      const Range range = RangeOf(block);
      base = range.low;
      width = BitWidth(range.size() >> plan.shift);
      *at++ = static_cast<char>(width);
      at = PutVarint(ZigZag(base), at);
    }
    at = PutPacked(block, base, plan.shift, width, at);
  }
  if (plan.layout == BlockLayout::kPatched) {
    size_t last = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (Fits(values[i], plan)) continue;
      at = PutVarint(i - last, at);
      at = PutVarint(PatchOf(values[i], plan.base), at);
      last = i;
    }
  }
  SHOAL_CHECK(static_cast<size_t>(at - to) == plan.bytes);
}

bool TakeBlocks(ByteReader* in, size_t count, uint64_t* integers) {
  uint8_t first = 0;
  if (!in->Get(&first) || (first & 3) > static_cast<int>(BlockLayout::kPatched)) return false;
  const BlockLayout layout = static_cast<BlockLayout>(first & 3);
  const int shift = first >> 2;
  const size_t block = layout == BlockLayout::kMini ? kMiniblockValues : count;
  uint64_t patches = 0;
  uint64_t base = 0;
  for (size_t i = 0; i < count; i += block) {
    const size_t size = std::min(block, count - i);
    uint8_t width = 0;
    absl::string_view packed;
    if (!in->Get(&width) || width > 64 || !in->GetVarint(&base)) return false;
    base = static_cast<uint64_t>(UnZigZag(base));
    if (layout == BlockLayout::kPatched && (!in->GetVarint(&patches) || patches > count))
      return false;
    if (!in->GetBytes(PackedBytes(size, width), &packed)) return false;
    UnpackBits(packed.data(), size, width, shift == 0 ? base : 0, integers + i);
    if (shift == 0) continue;
    for (size_t k = i; k < i + size; ++k) integers[k] = base + (integers[k] << shift);
  }
  uint64_t at = 0;
  for (uint64_t i = 0; i < patches; ++i) {
    uint64_t distance = 0;
    uint64_t patch = 0;
    if (!in->GetVarint(&distance) || !in->GetVarint(&patch) || distance >= count - at) return false;
    at += distance;
    integers[at] = base + static_cast<uint64_t>(UnZigZag(patch));
  }
  return true;
}

}  // namespace shoal
