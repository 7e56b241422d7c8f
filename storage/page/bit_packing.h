// Fixed-width bit packing: `count` values of `width` bits each, least significant bit first,
// without gaps. The packed run ends on a byte boundary; the bits that pad its last byte are zero.
//
// Eight values of w bits are w bytes, so each width has its own straight-line code for eight.
#pragma once

#include <cstddef>
#include <cstdint>

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
void PackBits(const uint64_t* values, size_t count, int width, char* to);

// Reads what PackBits wrote, PackedBytes(count, width) bytes and not one more, and adds `base` to
// each value.
void UnpackBits(const char* from, size_t count, int width, uint64_t base, uint64_t* values);

// Signed numbers with small magnitudes as small unsigned ones: 0, -1, 1, -2, ... -> 0, 1, 2, 3, ...
inline constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline constexpr int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1)));
}

}  // namespace shoal
