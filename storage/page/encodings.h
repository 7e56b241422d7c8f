// One column of a page: n doubles in the smallest encoding that reproduces every bit of them.
// docs/format/page.md has the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

// Frozen: the first byte of a column on disk.
enum class ColumnEncoding : uint8_t {
  kConstant = 1,   // all values have the same bits
  kScaledInt = 2,  // value = integer / 10^scale; integers or their deltas, bit-packed in miniblocks
  kRaw = 3,        // 8 bytes per value
  // 4 is reserved for XOR of successive values. Delta-of-delta is order 2 of kScaledInt.
};

// Values per miniblock of kScaledInt. Frozen.
inline constexpr size_t kMiniblockValues = 64;
// Scales are 0..kScaleMax; |integer| <= kScaledIntMax. Frozen: with these bounds the division that
// decodes is exact IEEE arithmetic on exact operands.
inline constexpr int kScaleMax = 15;
inline constexpr int64_t kScaledIntMax = int64_t{1} << 53;

// The most that a column of `count` values can take in any encoding that EncodeColumn picks.
inline constexpr size_t ColumnBytesMax(size_t count) { return 1 + 8 * count; }

// Writes the column to `to`; returns its size, or 0 when it takes more than `room` bytes. `values`
// is not empty and has at most kPageStepsMax values. The bits come back exactly, NaN payloads
// included.
size_t EncodeColumn(absl::Span<const double> values, char* to, size_t room);

// Takes a column of out.size() values off the front of `*bytes`. False when the bytes are no such
// column; `out` is undefined then. Never reads outside `*bytes`, whatever they are.
bool DecodeColumn(absl::string_view* bytes, absl::Span<double> out);

}  // namespace shoal
