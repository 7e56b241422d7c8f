// DecodeColumn: the bytes are not trusted.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/coding.h"
#include "storage/page/bit_packing.h"
#include "storage/page/column_layout.h"
#include "storage/page/decimals.h"
#include "storage/page/encodings.h"
#include "storage/page/integer_blocks.h"

namespace shoal {
namespace {

// Working memory of a call, kept for the next one of the thread.
struct Scratch {
  std::vector<uint64_t> integers;
  std::vector<double> changed;
};
Scratch& ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

// Makes the integers of `order` from the bytes and adds differences up.
bool DecodeIntegers(ByteReader* in, int order, absl::Span<uint64_t> integers) {
  const auto skipped = static_cast<size_t>(order);
  if (order > kOrderMax || integers.size() <= skipped) return false;
  uint64_t first[kOrderMax] = {};
  for (size_t i = 0; i < skipped; ++i) {
    if (!in->GetVarint(&first[i])) return false;
    first[i] = static_cast<uint64_t>(UnZigZag(first[i]));
  }
  if (!TakeBlocks(in, integers.size() - skipped, integers.data() + skipped)) return false;
  uint64_t value = first[0];
  if (order == 1) {
    integers[0] = value;
    for (size_t i = 1; i < integers.size(); ++i) integers[i] = value += integers[i];
  } else if (order == 2) {
    uint64_t difference = first[1];
    integers[0] = value;
    integers[1] = value += difference;
    for (size_t i = 2; i < integers.size(); ++i) integers[i] = value += difference += integers[i];
  }
  return true;
}

// Where the odd values are, and their bytes.
struct OddList {
  size_t count = 0;
  absl::string_view distances;
  absl::string_view values;
};

bool TakeOddList(ByteReader* in, size_t count, OddList* list) {
  uint64_t size = 0;
  if (!in->GetVarint(&size) || size == 0 || size > count) return false;
  list->count = static_cast<size_t>(size);
  const absl::string_view begin = in->rest();
  uint64_t at = 0;
  for (size_t i = 0; i < list->count; ++i) {
    uint64_t distance = 0;
    if (!in->GetVarint(&distance) || distance >= count - at) return false;
    at += distance;
  }
  list->distances = begin.substr(0, begin.size() - in->rest().size());
  return in->GetBytes(8 * list->count, &list->values);
}

void PutOddValues(const OddList& list, double* out) {
  ByteReader distances(list.distances);
  size_t at = 0;
  for (size_t i = 0; i < list.count; ++i) {
    uint64_t distance = 0;
    distances.GetVarint(&distance);
    at += static_cast<size_t>(distance);
    out[at] = LoadLE<double>(list.values.data() + 8 * i);
  }
}

bool DecodeByIntegers(ByteReader* in, ColumnEncoding encoding, absl::Span<double> out) {
  uint8_t parameters = 0;
  if (!in->Get(&parameters)) return false;
  const int scale = parameters & kScaleMask;
  const int order = parameters >> kOrderShift & kOrderMask;
  const bool decimal = encoding == ColumnEncoding::kDecimal;
  if ((parameters & kReservedFlag) != 0) return false;
  if (!decimal && (scale != 0 || (parameters & kOddFlag) != 0)) return false;
  OddList odd;
  if ((parameters & kOddFlag) != 0 && !TakeOddList(in, out.size(), &odd)) return false;
  std::vector<uint64_t>& integers = ThreadScratch().integers;
  integers.resize(out.size());
  if (!DecodeIntegers(in, order, absl::MakeSpan(integers))) return false;
  if (!decimal) {
    std::memcpy(out.data(), integers.data(), 8 * out.size());
    return true;
  }
  if (!FromDecimals(integers, scale, out.data())) return false;
  PutOddValues(odd, out.data());
  return true;
}

bool DecodeChanges(ByteReader* in, absl::Span<double> out);

// `nested`: in a kChanges column, which has no other inside.
bool Decode(ByteReader* in, bool nested, absl::Span<double> out) {
  uint8_t encoding = 0;
  if (out.empty() || !in->Get(&encoding)) return false;
  switch (static_cast<ColumnEncoding>(encoding)) {
    case ColumnEncoding::kConstant: {
      double value = 0;
      if (!in->Get(&value)) return false;
      std::fill(out.begin(), out.end(), value);
      return true;
    }
    case ColumnEncoding::kDecimal:
    case ColumnEncoding::kBits:
      return DecodeByIntegers(in, static_cast<ColumnEncoding>(encoding), out);
    case ColumnEncoding::kRaw: {
      absl::string_view raw;
      if (!in->GetBytes(8 * out.size(), &raw)) return false;
      std::memcpy(out.data(), raw.data(), raw.size());
      return true;
    }
    case ColumnEncoding::kChanges:
      return !nested && DecodeChanges(in, out);
  }
  return false;
}

bool DecodeChanges(ByteReader* in, absl::Span<double> out) {
  uint8_t form = 0;
  uint64_t count = 0;
  if (!in->Get(&form) || form > kChangesDistances || !in->GetVarint(&count) || count == 0 ||
      count > out.size())
    return false;
  absl::string_view places;
  if (form == kChangesBitmap) {
    if (!in->GetBytes((out.size() + 7) / 8, &places)) return false;
    uint64_t set = 0;
    for (const char byte : places)
      set += static_cast<uint64_t>(__builtin_popcount(static_cast<uint8_t>(byte)));
    const bool beyond =
        out.size() % 8 != 0 && static_cast<uint8_t>(places.back()) >> (out.size() % 8) != 0;
    if (set != count || (places[0] & 1) == 0 || beyond) return false;
  } else {
    places = in->rest();
    uint64_t at = 0;
    for (uint64_t i = 1; i < count; ++i) {
      uint64_t distance = 0;
      if (!in->GetVarint(&distance) || distance == 0 || distance >= out.size() - at) return false;
      at += distance;
    }
    places = places.substr(0, places.size() - in->rest().size());
  }
  std::vector<double>& changed = ThreadScratch().changed;
  changed.resize(static_cast<size_t>(count));
  if (!Decode(in, true, absl::MakeSpan(changed))) return false;
  if (form == kChangesBitmap) {
    const double* next = changed.data() - 1;  // the first bit is set
    for (size_t i = 0; i < out.size(); ++i) {
      next += static_cast<uint8_t>(places[i / 8]) >> (i % 8) & 1;
      out[i] = *next;
    }
    return true;
  }
  ByteReader distances(places);
  size_t at = 0;
  for (const double value : changed) {
    uint64_t distance = out.size() - at;
    distances.GetVarint(&distance);  // of the next change; none after the last
    std::fill_n(out.begin() + static_cast<ptrdiff_t>(at), distance, value);
    at += static_cast<size_t>(distance);
  }
  return true;
}

}  // namespace

bool DecodeColumn(absl::string_view* bytes, absl::Span<double> out) {
  ByteReader in(*bytes);
  if (!Decode(&in, false, out)) return false;
  *bytes = in.rest();
  return true;
}

}  // namespace shoal
