#include "storage/page/decimals.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "storage/page/wide.h"

namespace shoal {
namespace {

constexpr double kPowersOf10[kScaleMax + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
// Added to a number below 2^51 in magnitude it leaves the nearest integer in the low bits of the
// mantissa, and the exponent as it is: conversion both ways by an addition, which is vectorised.
constexpr double kMagic = 6755399441055744.0;  // 2^52 + 2^51
constexpr uint64_t kMagicBits = std::bit_cast<uint64_t>(kMagic);
constexpr int kMantissaBits = 52;

constexpr int kNotDecimal = kScaleMax + 1;
constexpr size_t kSampleSize = 8;
// An odd value takes 8 bytes and its place.
constexpr double kOddBytes = 10;
constexpr double kDigitBytes = 0.4152;  // log2(10) / 8: what a digit more costs each value

inline uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// All values at one scale; false when one of them is not exactly that.
SHOAL_ALWAYS_INLINE bool ScaleAllBody(const double* values, size_t count, int scale,
                                      int64_t* integers) {
  const double power = kPowersOf10[scale];
  uint64_t differing = 0;
  uint64_t leaving = 0;
  if (scale == 0) {
    for (size_t i = 0; i < count; ++i) {
      const double sum = values[i] + kMagic;
      differing |= Bits(sum - kMagic) ^ Bits(values[i]);
      leaving |= Bits(sum) ^ kMagicBits;
      integers[i] = static_cast<int64_t>(Bits(sum) - kMagicBits);
    }
  } else {
    for (size_t i = 0; i < count; ++i) {
      const double sum = values[i] * power + kMagic;
      differing |= Bits((sum - kMagic) / power) ^ Bits(values[i]);
      leaving |= Bits(sum) ^ kMagicBits;
      integers[i] = static_cast<int64_t>(Bits(sum) - kMagicBits);
    }
  }
  return differing == 0 && leaving >> kMantissaBits == 0;
}
SHOAL_WIDE_FUNCTION(ScaleAll, bool,
                    (const double* values, size_t count, int scale, int64_t* integers),
                    (values, count, scale, integers))

// False when one is beyond the limit.
SHOAL_ALWAYS_INLINE bool DivideAllBody(const uint64_t* integers, size_t count, int scale,
                                       double* out) {
  constexpr uint64_t kLimit = static_cast<uint64_t>(kDecimalLimit);
  uint64_t shifted = 0;
  if (scale == 0) {
    for (size_t i = 0; i < count; ++i) {
      shifted |= integers[i] + kLimit;
      out[i] = std::bit_cast<double>(integers[i] + kMagicBits) - kMagic;
    }
  } else {
    const double power = kPowersOf10[scale];
    for (size_t i = 0; i < count; ++i) {
      shifted |= integers[i] + kLimit;
      out[i] = (std::bit_cast<double>(integers[i] + kMagicBits) - kMagic) / power;
    }
  }
  return shifted >> kMantissaBits == 0;
}
SHOAL_WIDE_FUNCTION(DivideAll, bool,
                    (const uint64_t* integers, size_t count, int scale, double* out),
                    (integers, count, scale, out))

bool IsDecimal(double value, int scale) {
  int64_t ignored = 0;
  return ScaleAllBody(&value, 1, scale, &ignored);
}

// The smallest scale at which the value is an integer; kNotDecimal when there is none.
int ScaleOf(double value) {
  // A decimal is also one with more digits, as long as it stays below the limit: the largest scale
  // decides whether it is one at all.
  const int exponent = static_cast<int>(Bits(value) >> kMantissaBits & 0x7ff) - 1023;
  const int room = 50 - exponent;  // binary digits up to the limit
  if (room < 0) return kNotDecimal;
  int largest = std::min(kScaleMax, room * 30103 / 100000);
  if (largest < kScaleMax && std::fabs(value) * kPowersOf10[largest + 1] < double{kDecimalLimit})
    ++largest;
  if (!IsDecimal(value, largest)) return kNotDecimal;
  int scale = 0;
  while (scale < largest && !IsDecimal(value, scale)) ++scale;
  return scale;
}

// How many values need which scale.
using ScaleCounts = std::array<size_t, kNotDecimal + 1>;

// The scale, `least` or more, at which digits and odd values together cost least.
int CheapestScale(const ScaleCounts& counts, size_t total, int least) {
  size_t odd = counts[kNotDecimal];
  double cheapest = std::numeric_limits<double>::max();
  int best = least;
  for (int scale = kScaleMax; scale >= least; --scale) {
    const double cost =
        kDigitBytes * static_cast<double>(total) * scale + kOddBytes * static_cast<double>(odd);
    if (cost < cheapest) {
      cheapest = cost;
      best = scale;
    }
    odd += counts[static_cast<size_t>(scale)];
  }
  return best;
}

int FirstGuess(absl::Span<const double> values) {
  const size_t stride = (values.size() + kSampleSize - 1) / kSampleSize;
  ScaleCounts counts = {};
  size_t total = 0;
  for (size_t i = 0; i < values.size(); i += stride, ++total)
    ++counts[static_cast<size_t>(ScaleOf(values[i]))];
  if (counts[kNotDecimal] * 2 > total) return kNotDecimal;
  return CheapestScale(counts, total, 0);
}

}  // namespace

bool ToDecimals(absl::Span<const double> values, int* scale, int64_t* integers,
                std::vector<uint16_t>* odd) {
  odd->clear();
  int guess = FirstGuess(values);
  if (guess == kNotDecimal) return false;
  const size_t odd_max = values.size() / 8;
  while (!ScaleAll(values.data(), values.size(), guess, integers)) {
    odd->clear();
    ScaleCounts counts = {};
    for (size_t i = 0; i < values.size(); ++i) {
      if (IsDecimal(values[i], guess)) continue;
      odd->push_back(static_cast<uint16_t>(i));
      const int needed = ScaleOf(values[i]);
      // One that is a decimal of fewer digits is too large to be written with this many.
      ++counts[static_cast<size_t>(needed <= guess ? kNotDecimal : needed)];
      if (counts[kNotDecimal] > odd_max) return false;
    }
    const int better = CheapestScale(counts, values.size(), guess);
    if (better == guess) break;
    odd->clear();
    guess = better;
  }
  if (odd->size() > odd_max) return false;
  *scale = guess;
  if (odd->empty()) return true;
  size_t regular = 0;  // the first value that is not odd: at most an eighth is
  while (regular < odd->size() && (*odd)[regular] == regular) ++regular;
  for (const uint16_t i : *odd) integers[i] = i == 0 ? integers[regular] : integers[i - 1];
  return true;
}

bool FromDecimals(absl::Span<const uint64_t> integers, int scale, double* out) {
  return DivideAll(integers.data(), integers.size(), scale, out);
}

}  // namespace shoal
