#include "storage/page/encodings.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "storage/page/bit_stream.h"

namespace shoal {
namespace {

constexpr double kPowersOf10[kScaleMax + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr size_t kVarintBytesMax = 10;

inline uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// The integer m with m / 10^scale == value, bit for bit; false when there is none within the
// bounds.
inline bool ScaleExactly(double value, int scale, int64_t* integer) {
  const double scaled = value * kPowersOf10[scale];
  if (!(std::fabs(scaled) < static_cast<double>(kScaledIntMax)))
    return false;  // also infinities and NaN
  const int64_t rounded = static_cast<int64_t>(scaled + std::copysign(0.5, scaled));
  if (Bits(static_cast<double>(rounded) / kPowersOf10[scale]) != Bits(value))
    return false;  // also -0
  *integer = rounded;
  return true;
}

// All values at one scale, the smallest that does. False when some value has no such form.
bool ScaleAll(absl::Span<const double> values, std::vector<int64_t>* integers) {
  int scale = 0;
  int64_t ignored = 0;
  for (const double value : values) {
    while (!ScaleExactly(value, scale, &ignored)) {
      if (++scale > kScaleMax) return false;
    }
  }
  integers->resize(values.size() + 1);
  for (size_t i = 0; i < values.size(); ++i) {
    // A value that needed fewer digits may leave the bound at the common scale.
    if (!ScaleExactly(values[i], scale, &(*integers)[i])) return false;
  }
  integers->back() = scale;
  return true;
}

struct VarintBuffer {
  char bytes[kVarintBytesMax];
  size_t size = 0;
};

VarintBuffer Varint(uint64_t value) {
  VarintBuffer out;
  while (value >= 0x80) {
    out.bytes[out.size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out.bytes[out.size++] = static_cast<char>(value);
  return out;
}

struct Miniblock {
  int64_t min = 0;
  int width = 0;
};

Miniblock Measure(absl::Span<const int64_t> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, BitWidth(static_cast<uint64_t>(*high) - static_cast<uint64_t>(*low))};
}

// Bytes of all miniblocks of `values`.
size_t MiniblockBytes(absl::Span<const int64_t> values) {
  size_t bytes = 0;
  for (size_t i = 0; i < values.size(); i += kMiniblockValues) {
    const absl::Span<const int64_t> block = values.subspan(i, kMiniblockValues);
    const Miniblock measured = Measure(block);
    bytes += 1 + Varint(ZigZag(measured.min)).size + PackedBytes(block.size(), measured.width);
  }
  return bytes;
}

char* PutMiniblocks(absl::Span<const int64_t> values, char* to) {
  uint64_t offsets[kMiniblockValues];
  for (size_t i = 0; i < values.size(); i += kMiniblockValues) {
    const absl::Span<const int64_t> block = values.subspan(i, kMiniblockValues);
    const Miniblock measured = Measure(block);
    *to++ = static_cast<char>(measured.width);
    const VarintBuffer min = Varint(ZigZag(measured.min));
    std::memcpy(to, min.bytes, min.size);
    to += min.size;
    for (size_t k = 0; k < block.size(); ++k) {
      offsets[k] = static_cast<uint64_t>(block[k]) - static_cast<uint64_t>(measured.min);
    }
    PackBits(offsets, block.size(), measured.width, to);
    to += PackedBytes(block.size(), measured.width);
  }
  return to;
}

// Layout: scale u8, order u8, [order 1: first integer as zigzag varint], miniblocks.
size_t EncodeScaledInt(absl::Span<const double> values, char* to, size_t room) {
  static thread_local std::vector<int64_t> integers;
  static thread_local std::vector<int64_t> deltas;
  if (!ScaleAll(values, &integers)) return 0;
  const int scale = static_cast<int>(integers.back());
  integers.pop_back();
  deltas.resize(integers.size() - 1);
  for (size_t i = 1; i < integers.size(); ++i) deltas[i - 1] = integers[i] - integers[i - 1];
  const VarintBuffer first = Varint(ZigZag(integers[0]));

  const size_t plain_bytes = 3 + MiniblockBytes(integers);
  const size_t delta_bytes = 3 + first.size + MiniblockBytes(deltas);
  const size_t bytes = std::min(plain_bytes, delta_bytes);
  if (bytes > room) return 0;
  char* at = to;
  *at++ = static_cast<char>(ColumnEncoding::kScaledInt);
  *at++ = static_cast<char>(scale);
  if (delta_bytes < plain_bytes) {
    *at++ = 1;
    std::memcpy(at, first.bytes, first.size);
    at = PutMiniblocks(deltas, at + first.size);
  } else {
    *at++ = 0;
    at = PutMiniblocks(integers, at);
  }
  SHOAL_CHECK(static_cast<size_t>(at - to) == bytes);
  return bytes;
}

// Takes miniblocks of `count` integers off `*in`, wrapping around rather than overflowing: the
// bytes are not trusted.
bool TakeMiniblocks(ByteReader* in, size_t count, uint64_t* integers) {
  for (size_t i = 0; i < count; i += kMiniblockValues) {
    const size_t size = std::min(kMiniblockValues, count - i);
    uint8_t width = 0;
    uint64_t min = 0;
    if (!in->Get(&width) || width > 64 || !in->GetVarint(&min)) return false;
    const absl::string_view rest = in->rest();
    absl::string_view packed;
    if (!in->GetBytes(PackedBytes(size, width), &packed)) return false;
    UnpackBits(packed.data(), rest.size(), size, width, integers + i);
    const uint64_t base = static_cast<uint64_t>(UnZigZag(min));
    for (size_t k = i; k < i + size; ++k) integers[k] += base;
  }
  return true;
}

bool DecodeScaledInt(ByteReader* in, absl::Span<double> out) {
  uint8_t scale = 0;
  uint8_t order = 0;
  if (!in->Get(&scale) || scale > kScaleMax || !in->Get(&order) || order > 1) return false;
  // The integers are made in the memory of the doubles that they become.
  static thread_local std::vector<uint64_t> integers;
  integers.resize(out.size());
  if (order == 1) {
    uint64_t first = 0;
    if (!in->GetVarint(&first)) return false;
    integers[0] = static_cast<uint64_t>(UnZigZag(first));
    if (!TakeMiniblocks(in, out.size() - 1, integers.data() + 1)) return false;
    for (size_t i = 1; i < out.size(); ++i) integers[i] += integers[i - 1];
  } else if (!TakeMiniblocks(in, out.size(), integers.data())) {
    return false;
  }
  uint64_t beyond = 0;
  constexpr uint64_t kBound = static_cast<uint64_t>(kScaledIntMax);
  for (const uint64_t integer : integers) beyond |= (integer + kBound) > 2 * kBound ? 1 : 0;
  if (beyond != 0) return false;
  const double divisor = kPowersOf10[scale];
  if (scale == 0) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<double>(static_cast<int64_t>(integers[i]));
  } else {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<double>(static_cast<int64_t>(integers[i])) / divisor;
    }
  }
  return true;
}

bool IsConstant(absl::Span<const double> values) {
  const uint64_t first = Bits(values[0]);
  return std::all_of(values.begin(), values.end(),
                     [first](double value) { return Bits(value) == first; });
}

}  // namespace

size_t EncodeColumn(absl::Span<const double> values, char* to, size_t room) {
  SHOAL_CHECK(!values.empty());
  if (IsConstant(values)) {
    if (room < 9) return 0;
    *to = static_cast<char>(ColumnEncoding::kConstant);
    StoreLE<double>(to + 1, values[0]);
    return 9;
  }
  const size_t raw_bytes = ColumnBytesMax(values.size());
  const size_t scaled_bytes = EncodeScaledInt(values, to, std::min(room, raw_bytes - 1));
  if (scaled_bytes != 0) return scaled_bytes;
  if (raw_bytes > room) return 0;
  *to = static_cast<char>(ColumnEncoding::kRaw);
  std::memcpy(to + 1, values.data(), 8 * values.size());
  return raw_bytes;
}

bool DecodeColumn(absl::string_view* bytes, absl::Span<double> out) {
  if (out.empty()) return false;
  ByteReader in(*bytes);
  uint8_t encoding = 0;
  if (!in.Get(&encoding)) return false;
  switch (static_cast<ColumnEncoding>(encoding)) {
    case ColumnEncoding::kConstant: {
      double value = 0;
      if (!in.Get(&value)) return false;
      std::fill(out.begin(), out.end(), value);
      break;
    }
    case ColumnEncoding::kScaledInt:
      if (!DecodeScaledInt(&in, out)) return false;
      break;
    case ColumnEncoding::kRaw: {
      absl::string_view raw;
      if (!in.GetBytes(8 * out.size(), &raw)) return false;
      std::memcpy(out.data(), raw.data(), raw.size());
      break;
    }
    default:
      return false;
  }
  *bytes = in.rest();
  return true;
}

}  // namespace shoal
