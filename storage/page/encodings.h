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
  kConstant = 1,  // all values have the same bits
  kDecimal = 2,   // integer / 10^scale; the integers, or their first or second differences
  kRaw = 3,       // 8 bytes per value
  kBits = 4,      // bit patterns as integers, or their differences
  kChanges = 5,   // which values differ from the one before, and a column of those
};

// The most that a column of `count` values takes.
inline constexpr size_t ColumnBytesMax(size_t count) { return 1 + 8 * count; }

struct ColumnSize {
  size_t bytes = 0;
  double bits_per_value = 0;  // what more values like these should take each
};

// Writes the column to `to`. False when it takes more than `room` bytes. `values` is not empty and
// has at most kPageStepsMax values. The bits come back exactly, NaN payloads included.
bool EncodeColumn(absl::Span<const double> values, char* to, size_t room, ColumnSize* size);

// Takes a column of out.size() values off the front of `*bytes`. False when the bytes are no such
// column; `out` is undefined then. Never reads outside `*bytes`, whatever they are.
bool DecodeColumn(absl::string_view* bytes, absl::Span<double> out);

}  // namespace shoal
