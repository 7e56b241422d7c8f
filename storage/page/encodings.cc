#include "storage/page/encodings.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "storage/page/bit_packing.h"
#include "storage/page/column_layout.h"
#include "storage/page/decimals.h"
#include "storage/page/integer_blocks.h"

namespace shoal {
namespace {

constexpr size_t kConstantBytes = 9;
// With fewer values than this the spread of those to come is guessed from that of these.
constexpr size_t kFewValues = 64;
constexpr size_t kVeryFewValues = 16;

// Values whose differences tell whether all should be tried.
constexpr size_t kTrialValues = 32;

inline uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// A sequence of integers, or its first or second differences, whichever is smallest.
struct IntegerPlan {
  int order = 0;
  BlockPlan blocks;
  size_t bytes = 0;  // first integers and blocks
  double bits_per_value = 0;
};

// Working memory of a call, kept for the next one of the thread.
struct Scratch {
  std::vector<int64_t> integers[kOrderMax + 1];  // by order; those of a higher one follow the first
  std::vector<double> changed;
  std::vector<uint16_t> odd;
};
Scratch& ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

bool IsConstant(absl::Span<const double> values) {
  uint64_t differing = 0;
  for (const double value : values) {
    differing |= Bits(value) ^ Bits(values[0]);
    if (differing != 0) return false;
  }
  return true;
}

// Differences of successive integers, modulo 2^64.
void Difference(absl::Span<const int64_t> from, int64_t* to) {
  for (size_t i = 0; i + 1 < from.size(); ++i) {
    to[i] =
        static_cast<int64_t>(static_cast<uint64_t>(from[i + 1]) - static_cast<uint64_t>(from[i]));
  }
}

// How wide one block of such values will be once it has many. The range of a few is smaller than
// that of all: when n evenly spread values are seen within r, all lie within r x 2^(1 / (n - 1)) as
// likely as not, and within r x 10^(1 / (n - 1)) nine times of ten. A guess on the large side
// wastes a part of each page; one on the small side ends in a promotion, which leaves a whole
// page's room until another series takes the slot. So very few values are given the wider margin.
double ExpectedBits(const BlockPlan& plan, size_t count) {
  if (plan.layout != BlockLayout::kOne)
    return 8 * static_cast<double>(plan.bytes) / static_cast<double>(count);
  if (count >= kFewValues) return plan.width;
  const double spread = std::pow(count < kVeryFewValues ? 10 : 2,
                                 1 / static_cast<double>(std::max<size_t>(count, 2) - 1));
  const double range = std::ldexp(static_cast<double>(plan.range) * spread, -plan.shift);
  return range < 1 ? 0 : std::ilogb(range) + 1;
}

// `scratch->integers[0]` is the sequence, of two or more.
IntegerPlan PlanIntegers(Scratch* scratch, int order_max) {
  const size_t count = scratch->integers[0].size();
  IntegerPlan best;
  best.blocks = PlanBlocks(scratch->integers[0]);
  best.bytes = best.blocks.bytes;
  best.bits_per_value = ExpectedBits(best.blocks, count);
  size_t first_bytes = 0;
  uint64_t last_range = best.blocks.range;
  for (int order = 1; order <= order_max && count > static_cast<size_t>(order) + 1; ++order) {
    // Differences of noise are only noisier: where those of the first values are, no more is tried.
    const std::vector<int64_t>& from = scratch->integers[order - 1];
    if (count > 2 * kTrialValues) {
      int64_t trial[kTrialValues];
      Difference(absl::MakeSpan(from).subspan(0, kTrialValues + 1), trial);
      if (RangeSize(trial) / 2 > best.blocks.range) break;
    } else if (order > best.order + 1) {
      break;
    }
    std::vector<int64_t>& to = scratch->integers[order];
    to.resize(from.size() - 1);
    Difference(from, to.data());
    first_bytes += VarintBytes(ZigZag(from[0]));
    const BlockPlan blocks = PlanBlocks(to);
    const size_t bytes = first_bytes + blocks.bytes;
    const double bits = ExpectedBits(blocks, to.size());
    if (bytes < best.bytes) {
      best = {order, blocks, bytes, bits};
    } else if (count < kFewValues && bits < best.bits_per_value &&
               static_cast<double>(blocks.range) < static_cast<double>(last_range) * 1.1) {
      // The few values of a walk lie close together, those to come will not: their differences say
      // more. (Independent values differ by more than they spread.)
      best.bits_per_value = bits;
    }
    last_range = blocks.range;
  }
  const size_t without_patches = best.blocks.bytes;
  TryPatches(scratch->integers[best.order], &best.blocks);
  if (best.blocks.bytes < without_patches) {
    best.bytes -= without_patches - best.blocks.bytes;
    best.bits_per_value = ExpectedBits(best.blocks, scratch->integers[best.order].size());
  }
  return best;
}

char* PutIntegers(const Scratch& scratch, const IntegerPlan& plan, char* to) {
  for (int order = 0; order < plan.order; ++order)
    to = PutVarint(ZigZag(scratch.integers[order][0]), to);
  PutBlocks(scratch.integers[plan.order], plan.blocks, to);
  return to + plan.blocks.bytes;
}

size_t OddListBytes(absl::Span<const uint16_t> odd) {
  if (odd.empty()) return 0;
  size_t bytes = VarintBytes(odd.size()) + 8 * odd.size();
  size_t last = 0;
  for (const uint16_t at : odd) {
    bytes += VarintBytes(at - last);
    last = at;
  }
  return bytes;
}

char* PutOddList(absl::Span<const double> values, absl::Span<const uint16_t> odd, char* to) {
  if (odd.empty()) return to;
  to = PutVarint(odd.size(), to);
  size_t last = 0;
  for (const uint16_t at : odd) {
    to = PutVarint(at - last, to);
    last = at;
  }
  for (const uint16_t at : odd) {
    StoreLE<double>(to, values[at]);
    to += 8;
  }
  return to;
}

// Whether bit patterns may take fewer bits than this each: the first values say whether not.
bool BitsMayBeat(absl::Span<const double> values, double bits_per_value) {
  constexpr size_t kTrial = 64;
  if (values.size() < kTrial) return true;
  int64_t patterns[kTrial];
  uint64_t differing = 0;
  for (size_t i = 0; i < kTrial; ++i) {
    patterns[i] = static_cast<int64_t>(Bits(values[i]));
    differing |= Bits(values[i]) ^ Bits(values[0]);
  }
  if (differing == 0) return true;
  int64_t differences[kTrial - 1];
  Difference(patterns, differences);
  const uint64_t range = std::min(RangeSize(patterns), RangeSize(differences));
  return BitWidth(range >> __builtin_ctzll(differing)) < bits_per_value;
}

// The two encodings by integers. Writes the smaller one when it takes at most `limit` bytes. Sets
// size->bits_per_value even when neither does: of a few values the smallest encoding is not always
// that of many.
bool EncodeIntegers(absl::Span<const double> values, char* to, size_t limit, ColumnSize* size) {
  // Decimals of this many bytes a value have so many digits that bit patterns may be no worse.
  constexpr double kManyBytes = 3.5;
  Scratch& scratch = ThreadScratch();
  const double count = static_cast<double>(values.size());
  scratch.integers[0].resize(values.size());
  int scale = 0;
  bool done = false;
  size_t bytes_max = limit;
  size->bits_per_value = 64;
  if (ToDecimals(values, &scale, scratch.integers[0].data(), &scratch.odd)) {
    const IntegerPlan plan = PlanIntegers(&scratch, kOrderMax);
    const size_t bytes = 2 + OddListBytes(scratch.odd) + plan.bytes;
    size->bits_per_value =
        std::min(64.0, plan.bits_per_value + 80 * static_cast<double>(scratch.odd.size()) / count);
    if (bytes <= bytes_max) {
      char* at = to;
      *at++ = static_cast<char>(ColumnEncoding::kDecimal);
      *at++ = static_cast<char>(scale | plan.order << kOrderShift |
                                (scratch.odd.empty() ? 0 : kOddFlag));
      at = PutOddList(values, scratch.odd, at);
      at = PutIntegers(scratch, plan, at);
      SHOAL_CHECK(static_cast<size_t>(at - to) == bytes);
      size->bytes = bytes;
      done = true;
      bytes_max = bytes - 1;
      if (scratch.odd.empty() && (static_cast<double>(bytes) < kManyBytes * count ||
                                  !BitsMayBeat(values, plan.bits_per_value)))
        return true;
    }
  }
  for (size_t i = 0; i < values.size(); ++i)
    scratch.integers[0][i] = static_cast<int64_t>(Bits(values[i]));
  const IntegerPlan plan = PlanIntegers(&scratch, 1);
  const size_t bytes = 2 + plan.bytes;
  if (values.size() < kFewValues)
    size->bits_per_value = std::min(size->bits_per_value, plan.bits_per_value);
  if (bytes > bytes_max) return done;
  to[0] = static_cast<char>(ColumnEncoding::kBits);
  to[1] = static_cast<char>(plan.order << kOrderShift);
  PutIntegers(scratch, plan, to + 2);
  size->bytes = bytes;
  if (values.size() >= kFewValues) size->bits_per_value = plan.bits_per_value;
  return true;
}

bool EncodeRaw(absl::Span<const double> values, char* to, size_t limit, ColumnSize* size) {
  if (values.size() >= kFewValues) size->bits_per_value = 64;
  if (ColumnBytesMax(values.size()) > limit) return false;
  size->bytes = ColumnBytesMax(values.size());
  *to = static_cast<char>(ColumnEncoding::kRaw);
  std::memcpy(to + 1, values.data(), 8 * values.size());
  return true;
}

bool EncodeConstant(double value, char* to, size_t limit, ColumnSize* size) {
  *size = {kConstantBytes, 0};
  if (size->bytes > limit) return false;
  *to = static_cast<char>(ColumnEncoding::kConstant);
  StoreLE<double>(to + 1, value);
  return true;
}

bool EncodeVarying(absl::Span<const double> values, char* to, size_t limit, ColumnSize* size) {
  if (IsConstant(values)) return EncodeConstant(values[0], to, limit, size);
  const size_t smaller = std::min(limit, ColumnBytesMax(values.size()) - 1);
  return EncodeIntegers(values, to, smaller, size) || EncodeRaw(values, to, limit, size);
}

bool EncodeChanges(absl::Span<const double> values, char* to, size_t limit, ColumnSize* size) {
  constexpr size_t kFixedBytes = 2 + 3;  // the count is below 2^15
  const size_t bitmap_bytes = (values.size() + 7) / 8;
  if (limit < kFixedBytes + bitmap_bytes + kConstantBytes) return false;
  std::vector<double>& changed = ThreadScratch().changed;
  changed.assign(1, values[0]);
  size_t distance_bytes = 0;
  size_t last = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    if (Bits(values[i]) == Bits(values[i - 1])) continue;
    changed.push_back(values[i]);
    distance_bytes += VarintBytes(i - last);
    last = i;
  }
  const ChangesForm form = distance_bytes < bitmap_bytes ? kChangesDistances : kChangesBitmap;
  char* at = to;
  *at++ = static_cast<char>(ColumnEncoding::kChanges);
  *at++ = static_cast<char>(form);
  at = PutVarint(changed.size(), at);
  char* const bitmap = at;
  if (form == kChangesBitmap) {
    std::memset(at, 0, bitmap_bytes);
    bitmap[0] = 1;
    at += bitmap_bytes;
  }
  last = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    const bool differs = Bits(values[i]) != Bits(values[i - 1]);
    if (form == kChangesBitmap) {
      bitmap[i / 8] =
          static_cast<char>(static_cast<uint8_t>(bitmap[i / 8]) | (differs ? 1u : 0u) << (i % 8));
    } else if (differs) {
      at = PutVarint(i - last, at);
      last = i;
    }
  }
  const size_t head = static_cast<size_t>(at - to);
  if (!EncodeVarying(changed, at, limit - head, size)) return false;
  size->bytes += head;
  size->bits_per_value = 8 * static_cast<double>(size->bytes) / static_cast<double>(values.size());
  return true;
}

// Whether at least half of the values repeat the one before. Where hardly any of the first ones do,
// the others are not looked at. -0 and 0 are equal here.
bool MostlyRepeats(absl::Span<const double> values) {
  constexpr size_t kTrial = 64;
  size_t changes = 0;
  for (size_t i = 1; i < values.size(); ++i) {
    changes += values[i] != values[i - 1] ? 1 : 0;
    if (i == kTrial && changes > kTrial * 3 / 4) return false;
  }
  return changes * 2 <= values.size();
}

}  // namespace

bool EncodeColumn(absl::Span<const double> values, char* to, size_t room, ColumnSize* size) {
  SHOAL_CHECK(!values.empty());
  if (IsConstant(values)) return EncodeConstant(values[0], to, room, size);
  // Where most values repeat the one before, saying which do not is worth trying.
  constexpr size_t kChangesMin = 8;
  bool done = false;
  size_t limit = room;
  if (values.size() >= kChangesMin && MostlyRepeats(values)) {
    done = EncodeChanges(values, to, room, size);
    if (done) limit = size->bytes - 1;
  }
  ColumnSize by_integers;
  const size_t integers_limit = std::min(limit, ColumnBytesMax(values.size()) - 1);
  if (EncodeIntegers(values, to, integers_limit, &by_integers)) {
    *size = by_integers;
    return true;
  }
  if (done) return true;
  *size = by_integers;
  return EncodeRaw(values, to, room, size);
}

}  // namespace shoal
