// Doubles as decimal numbers: integer / 10^scale. Nearly everything that is measured is written in
// decimals with few digits, and as integers such values lie close together.
//
// A double is m / 10^s here only when that division, done once in IEEE arithmetic, gives every bit
// of it. With |m| < 2^51 and s <= 15 both operands are exact doubles, so that the quotient is the
// double nearest to the decimal number, as every parser of text makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace shoal {

// Frozen.
inline constexpr int kScaleMax = 15;
inline constexpr int64_t kDecimalLimit = int64_t{1} << 51;  // magnitudes are less

// Finds the scale that serves the values best, and sets integers[i] (values.size() of them) and
// the places of the odd ones: values that are no decimals, or have far more digits than the
// others. An odd value's integer is the one before it. False when too many are odd.
bool ToDecimals(absl::Span<const double> values, int* scale, int64_t* integers,
                std::vector<uint16_t>* odd);

// out[i] = integers[i] / 10^scale. False, with `out` undefined, when one is beyond the limit.
bool FromDecimals(absl::Span<const uint64_t> integers, int scale, double* out);

}  // namespace shoal
