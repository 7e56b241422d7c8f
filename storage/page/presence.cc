#include "storage/page/presence.h"

#include <algorithm>
#include <cstring>

#include "base/coding.h"

namespace shoal {
namespace {

constexpr size_t kFirstBytes = 2;

size_t BitmapBytes(size_t steps) { return (steps + 7) / 8; }

// NaN is what differs from itself; this form is vectorised, std::isnan is not.
inline bool IsKnown(double value) { return value == value; }

// Lengths fit 16 bits. Returns the end of what was written.
char* PutLength(size_t length, char* to) {
  for (; length >= 0x80; length >>= 7) *to++ = static_cast<char>(length | 0x80);
  *to++ = static_cast<char>(length);
  return to;
}

// Writes runs as long as they are shorter than `limit` bytes; returns their size, or 0.
size_t PutRuns(absl::Span<const double> steps, const KnownSteps& known, char* to, size_t limit) {
  constexpr size_t kPairBytesMax = 6;  // a gap and a run, 15 bits each
  char* at = to;
  size_t i = known.first;
  while (true) {
    if (static_cast<size_t>(at - to) + kPairBytesMax > limit) return 0;
    const size_t run = i;
    while (i < known.end && IsKnown(steps[i])) ++i;
    at = PutLength(i - run, at);
    if (i == known.end) return static_cast<size_t>(at - to);
    const size_t gap = i;
    while (!IsKnown(steps[i])) ++i;
    at = PutLength(i - gap, at);
  }
}

}  // namespace

KnownSteps FindKnown(absl::Span<const double> steps) {
  KnownSteps known;
  for (const double value : steps) known.count += IsKnown(value) ? 1 : 0;
  if (known.count == 0) return known;
  known.end = steps.size();
  while (!IsKnown(steps[known.first])) ++known.first;
  while (!IsKnown(steps[known.end - 1])) --known.end;
  return known;
}

size_t EncodePresence(absl::Span<const double> steps, const KnownSteps& known, char* to,
                      size_t room, PresenceKind* kind) {
  const size_t bitmap_bytes = BitmapBytes(steps.size());
  if (room >= kFirstBytes) {
    StoreLE<uint16_t>(to, static_cast<uint16_t>(known.first));
    *kind = PresenceKind::kRun;
    if (known.gapless()) return kFirstBytes;
    // The bitmap may be out of the question when there is no room for it.
    const size_t limit = std::max(bitmap_bytes, kFirstBytes) + 4;
    const size_t runs =
        PutRuns(steps, known, to + kFirstBytes, std::min(limit, room) - kFirstBytes);
    *kind = PresenceKind::kRuns;
    if (runs != 0 && (kFirstBytes + runs <= bitmap_bytes || bitmap_bytes > room))
      return kFirstBytes + runs;
  }
  if (bitmap_bytes > room) return 0;
  *kind = PresenceKind::kBitmap;
  std::memset(to, 0, bitmap_bytes);
  for (size_t i = known.first; i < known.end; ++i) {
    const unsigned bit = IsKnown(steps[i]) ? 1u : 0u;
    to[i / 8] = static_cast<char>(static_cast<unsigned char>(to[i / 8]) | bit << (i % 8));
  }
  return bitmap_bytes;
}

void TakeKnown(absl::Span<const double> steps, const double* from, double* to) {
  for (size_t i = 0; i < steps.size(); ++i) {
    *to = from[i];  // without a branch; what is not known is overwritten by the next
    to += IsKnown(steps[i]) ? 1 : 0;
  }
}

bool DecodePresence(int kind, size_t count, uint32_t steps, absl::string_view* bytes,
                    Presence* presence) {
  ByteReader in(*bytes);
  if (kind == static_cast<int>(PresenceKind::kBitmap)) {
    if (!in.GetBytes(BitmapBytes(steps), &presence->bitmap)) return false;
    size_t known = 0;
    for (const char byte : presence->bitmap)
      known += static_cast<size_t>(__builtin_popcount(static_cast<uint8_t>(byte)));
    const uint32_t spare = steps % 8;
    if (known != count ||
        (spare != 0 && (static_cast<uint8_t>(presence->bitmap.back()) >> spare) != 0))
      return false;
    *bytes = in.rest();
    return true;
  }
  uint16_t first = 0;
  if (!in.Get(&first)) return false;
  presence->first = first;
  const absl::string_view runs = in.rest();
  if (kind == static_cast<int>(PresenceKind::kRun)) {
    if (first + count > steps) return false;
  } else if (kind == static_cast<int>(PresenceKind::kRuns)) {
    uint64_t at = first;
    uint64_t known = 0;
    while (true) {
      uint64_t run = 0;
      if (!in.GetVarint(&run) || run == 0 || run > count - known || at + run > steps) return false;
      at += run;
      known += run;
      if (known == count) break;
      uint64_t gap = 0;
      if (!in.GetVarint(&gap) || gap == 0 || gap > steps) return false;
      at += gap;
    }
    presence->runs = runs.substr(0, runs.size() - in.rest().size());
  } else {
    return false;
  }
  *bytes = in.rest();
  return true;
}

void SpreadKnown(const Presence& presence, const double* from, double* to) {
  if (!presence.bitmap.empty()) {
    for (size_t byte = 0; byte < presence.bitmap.size(); ++byte) {
      for (unsigned bits = static_cast<uint8_t>(presence.bitmap[byte]); bits != 0; bits &= bits - 1)
        to[byte * 8 + static_cast<size_t>(__builtin_ctz(bits))] = *from++;
    }
    return;
  }
  ByteReader in(presence.runs);
  size_t at = presence.first;
  uint64_t run = 0;
  uint64_t gap = 0;
  while (in.GetVarint(&run)) {
    std::memcpy(to + at, from, run * sizeof(double));
    from += run;
    if (!in.GetVarint(&gap)) return;
    at += run + gap;
  }
}

}  // namespace shoal
