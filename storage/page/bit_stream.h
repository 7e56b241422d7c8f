// Fixed-width bit packing: `count` values of `width` bits each, least significant bit first,
// without gaps. The packed run ends on a byte boundary; the bits that pad its last byte are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/coding.h"

namespace shoal {

// Bytes that PackBits writes.
inline constexpr size_t PackedBytes(size_t count, int width) {
  return (count * static_cast<size_t>(width) + 7) / 8;
}

// Bits needed for `value`; 0 for 0.
inline constexpr int BitWidth(uint64_t value) {
  return value == 0 ? 0 : 64 - __builtin_clzll(value);
}

// `to` has PackedBytes(count, width) bytes; every value fits `width` bits, 0 <= width <= 64.
inline void PackBits(const uint64_t* values, size_t count, int width, char* to) {
  uint64_t pending = 0;
  int pending_bits = 0;
  for (size_t i = 0; i < count && width > 0; ++i) {
    pending |= values[i] << pending_bits;
    const int total = pending_bits + width;
    if (total >= 64) {
      StoreLE<uint64_t>(to, pending);
      to += 8;
      const int taken = 64 - pending_bits;  // 1..64 bits of this value are out
      pending = taken == 64 ? 0 : values[i] >> taken;
      pending_bits = total - 64;
    } else {
      pending_bits = total;
    }
  }
  for (; pending_bits > 0; pending_bits -= 8) {
    *to++ = static_cast<char>(pending);
    pending >>= 8;
  }
}

// Reads what PackBits wrote. `from` has `available` readable bytes, at least PackedBytes(count,
// width): more than that lets all values take the fast path.
inline void UnpackBits(const char* from, size_t available, size_t count, int width,
                       uint64_t* values) {
  if (width == 0) {
    std::memset(values, 0, count * sizeof(uint64_t));
    return;
  }
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  size_t i = 0;
  if (width <= 56 && available >= 8) {  // one unaligned load holds the value at any bit offset
    const size_t last_load_bit = (available - 8) * 8 + 7;
    const size_t fast = last_load_bit / static_cast<size_t>(width) + 1;
    const size_t end = count < fast ? count : fast;
    for (size_t bit = 0; i < end; ++i, bit += static_cast<size_t>(width)) {
      values[i] = (LoadLE<uint64_t>(from + bit / 8) >> (bit % 8)) & mask;
    }
  }
  for (; i < count; ++i) {
    uint64_t value = 0;
    const size_t first_bit = i * static_cast<size_t>(width);
    for (int done = 0; done < width;) {
      const size_t bit = first_bit + static_cast<size_t>(done);
      const int offset = static_cast<int>(bit % 8);
      const uint64_t byte = static_cast<uint8_t>(from[bit / 8]);
      value |= (byte >> offset) << done;
      done += 8 - offset;
    }
    values[i] = value & mask;
  }
}

// Signed numbers with small magnitudes as small unsigned ones: 0, -1, 1, -2, ... -> 0, 1, 2, 3, ...
inline constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1)));
}

}  // namespace shoal
