// Sequences of 64-bit integers that lie close together: offsets from a base, bit-packed. Both
// encodings of varying values end here, the one as decimals, the other as bit patterns.
// docs/format/page.md has the bytes.
//
// All arithmetic is modulo 2^64: nothing can overflow, whatever the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "base/coding.h"

namespace shoal {

// Values per miniblock. Frozen.
inline constexpr size_t kMiniblockValues = 64;

// Frozen: the low two bits of the first byte.
enum class BlockLayout : uint8_t {
  kOne = 0,      // one width and base for all values
  kMini = 1,     // a width and base for every 64: the values' spread changes
  kPatched = 2,  // one block, and a list of the values that it has no room for
};

// How a sequence is going to be written.
struct BlockPlan {
  BlockLayout layout = BlockLayout::kOne;
  int shift = 0;  // every offset is a multiple of 2^shift
  int width = 0;  // of kOne and kPatched
  int64_t base = 0;
  size_t patches = 0;
  size_t bytes = 0;    // of the whole sequence
  uint64_t range = 0;  // highest - lowest value
  // For TryPatches.
  bool uneven = false;  // the spread differs between the values' parts
  int64_t low = 0;      // the lowest value
  int64_t center = 0;   // where most values may be
};
// The smallest plan without patches. `values` is not empty.
BlockPlan PlanBlocks(absl::Span<const int64_t> values);
// Changes PlanBlocks' plan for the values to one with patches when that is smaller.
void TryPatches(absl::Span<const int64_t> values, BlockPlan* plan);

// highest - lowest value. `values` is not empty.
uint64_t RangeSize(absl::Span<const int64_t> values);

// Writes plan.bytes bytes.
void PutBlocks(absl::Span<const int64_t> values, const BlockPlan& plan, char* to);

// Takes `count` >= 1 integers off the front. False when the bytes are no such sequence. Safe on any
// bytes.
bool TakeBlocks(ByteReader* in, size_t count, uint64_t* integers);

inline constexpr size_t kVarintBytesMax = 10;
inline size_t VarintBytes(uint64_t value) {
  return value == 0 ? 1 : (static_cast<size_t>(64 - __builtin_clzll(value)) + 6) / 7;
}
// Returns the end of what was written.
inline char* PutVarint(uint64_t value, char* to) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

}  // namespace shoal
