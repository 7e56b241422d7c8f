// Size classes: pages have a fixed size though compressibility differs a hundredfold, so there are
// pages of several sizes, and a series has the smallest that should do.
//
// A class is the bytes that a page grants to a point of one column, in 1/16 byte. The number
// carries its own meaning: files of classes that are no longer made can be read without a table of
// them. An even class 2 w holds pages of w-bit integers exactly.
//
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "storage/page/page_codec.h"

namespace shoal {

// Frozen: it is in file headers and names.
inline constexpr uint8_t kFullSizeClass = 128;  // 8 bytes: any page fits

// The classes that new files are made with, ascending. The first one holds constants, the last one
// anything; docs/decisions/0008 has the measurements.
inline constexpr uint8_t kSizeClasses[] = {0,  1,  2,  3,  4,  6,   8,   10,  12,  14,  16,  18, 20,
                                           22, 24, 26, 28, 30, 32,  36,  40,  44,  48,  52,  56, 60,
                                           64, 72, 80, 88, 96, 100, 104, 108, 112, 116, 120, 128};
inline constexpr size_t kSizeClassCount = sizeof(kSizeClasses) / sizeof(kSizeClasses[0]);
static_assert(kSizeClasses[kSizeClassCount - 1] == kFullSizeClass);

// The page size of a class, a multiple of 8: the page header, and for each column 16 bytes and its
// points. Frozen. The 16 bytes hold presence, the column's parameters and its first value; a page
// with gaps has fewer values and takes the room for its gaps from them.
constexpr uint32_t PageBytesFor(uint8_t size_class, uint32_t steps, uint8_t columns) {
  const size_t points = (size_t{steps} * size_class + 15) / 16;
  const size_t bytes = kPageHeaderBytes + columns * (16 + points);
  return static_cast<uint32_t>((bytes + 7) / 8 * 8);
}

// The smallest class of kSizeClasses whose pages have at least `bytes` bytes; the full class when
// none has.
uint8_t SizeClassFor(size_t bytes, uint32_t steps, uint8_t columns);

// The class for a series whose page has this size now: holds the page as it is and, if the points
// to come are like these, when it is full.
uint8_t PickSizeClass(const PageShape& shape, const PageSize& size);
// The same, from the points.
uint8_t PickSizeClass(const PageShape& shape, absl::Span<const double> dense);

}  // namespace shoal
