#include "storage/page/bit_packing.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/coding.h"

namespace shoal {
namespace {

constexpr size_t kGroup = 8;  // values that always end on a byte boundary

template <int kWidth>
constexpr uint64_t kMask = kWidth == 64 ? ~uint64_t{0} : (uint64_t{1} << (kWidth % 64)) - 1;

// Value `kIndex` of a group: completes a word of output, or waits in `pending` for the next value.
template <int kWidth, size_t kIndex>
inline void PackOne(const uint64_t* values, uint64_t* pending, char* to) {
  constexpr size_t kBit = kIndex * kWidth;
  constexpr int kOffset = kBit % 64;
  *pending |= values[kIndex] << kOffset;
  if constexpr (kOffset + kWidth >= 64) {
    StoreLE<uint64_t>(to + kBit / 64 * 8, *pending);
    if constexpr (kOffset + kWidth > 64) {
      *pending = values[kIndex] >> (64 - kOffset);
    } else {
      *pending = 0;
    }
  }
}

template <int kWidth, size_t... kIndex>
inline void PackGroup(const uint64_t* values, char* to, std::index_sequence<kIndex...>) {
  uint64_t pending = 0;
  (PackOne<kWidth, kIndex>(values, &pending, to), ...);
  if constexpr (kWidth % 8 != 0) std::memcpy(to + kWidth / 8 * 8, &pending, kWidth % 8);
}

template <int kWidth>
void PackGroups(const uint64_t* values, size_t groups, char* to) {
  if constexpr (kWidth > 0) {
    for (size_t i = 0; i < groups; ++i, values += kGroup, to += kWidth)
      PackGroup<kWidth>(values, to, std::make_index_sequence<kGroup>());
  }
}

// The loads of a group stay within its kWidth bytes: near its end they begin earlier and shift
// further.
template <int kWidth, size_t kIndex>
inline uint64_t UnpackOne(const char* from) {
  constexpr size_t kBit = kIndex * kWidth;
  constexpr size_t kLast = kWidth - 8;
  constexpr size_t kByte = kBit / 8 < kLast ? kBit / 8 : kLast;
  constexpr int kOffset = static_cast<int>(kBit - 8 * kByte);
  uint64_t value = LoadLE<uint64_t>(from + kByte) >> kOffset;
  if constexpr (kOffset + kWidth > 64) {
    value |= uint64_t{static_cast<uint8_t>(from[kByte + 8])} << (64 - kOffset);
  }
  return value & kMask<kWidth>;
}

template <int kWidth, size_t... kIndex>
inline void UnpackGroup(const char* from, uint64_t base, uint64_t* values,
                        std::index_sequence<kIndex...>) {
  if constexpr (kWidth < 8) {
    uint64_t word = 0;
    std::memcpy(&word, from, kWidth);
    ((values[kIndex] = base + ((word >> (kIndex * kWidth)) & kMask<kWidth>)), ...);
  } else {
    ((values[kIndex] = base + UnpackOne<kWidth, kIndex>(from)), ...);
  }
}

template <int kWidth>
void UnpackGroups(const char* from, size_t groups, uint64_t base, uint64_t* values) {
  for (size_t i = 0; i < groups; ++i, values += kGroup, from += kWidth) {
    if constexpr (kWidth == 0) {
      for (size_t k = 0; k < kGroup; ++k) values[k] = base;
    } else {
      UnpackGroup<kWidth>(from, base, values, std::make_index_sequence<kGroup>());
    }
  }
}

using PackFunction = void (*)(const uint64_t*, size_t, char*);
using UnpackFunction = void (*)(const char*, size_t, uint64_t, uint64_t*);

template <size_t... kWidth>
constexpr std::array<PackFunction, 65> PackTable(std::index_sequence<kWidth...>) {
  return {&PackGroups<static_cast<int>(kWidth)>...};
}
template <size_t... kWidth>
constexpr std::array<UnpackFunction, 65> UnpackTable(std::index_sequence<kWidth...>) {
  return {&UnpackGroups<static_cast<int>(kWidth)>...};
}
constexpr std::array<PackFunction, 65> kPack = PackTable(std::make_index_sequence<65>());
constexpr std::array<UnpackFunction, 65> kUnpack = UnpackTable(std::make_index_sequence<65>());

}  // namespace

void PackBits(const uint64_t* values, size_t count, int width, char* to) {
  const size_t groups = count / kGroup;
  const size_t rest = count % kGroup;
  const auto w = static_cast<size_t>(width);
  kPack[w](values, groups, to);
  if (rest == 0) return;
  uint64_t last[kGroup] = {};
  std::memcpy(last, values + groups * kGroup, rest * sizeof(uint64_t));
  char bytes[64];
  kPack[w](last, 1, bytes);
  std::memcpy(to + groups * w, bytes, PackedBytes(rest, width));
}

void UnpackBits(const char* from, size_t count, int width, uint64_t base, uint64_t* values) {
  const size_t groups = count / kGroup;
  const size_t rest = count % kGroup;
  const auto w = static_cast<size_t>(width);
  kUnpack[w](from, groups, base, values);
  if (rest == 0) return;
  char bytes[64] = {};
  std::memcpy(bytes, from + groups * w, PackedBytes(rest, width));
  uint64_t last[kGroup];
  kUnpack[w](bytes, 1, base, last);
  std::memcpy(values + groups * kGroup, last, rest * sizeof(uint64_t));
}

}  // namespace shoal
