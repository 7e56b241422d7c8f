// Which steps of a page are known. docs/format/page.md has the bytes.
//
// A page without gaps says where its run begins; one with few gaps lists its runs; one with many
// has a bit for each step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

// Frozen: the high four bits of a page's layout byte.
enum class PresenceKind : uint8_t {
  kRun = 0,     // u16: the first known step; all `count` steps from it on are known
  kBitmap = 1,  // a bit per step, least significant bit first; (steps + 7) / 8 bytes
  kRuns = 2,    // u16: the first known step; then lengths of known runs and the gaps between them
};

struct KnownSteps {
  size_t first = 0;
  size_t end = 0;  // after the last one
  size_t count = 0;
  bool gapless() const { return end - first == count; }
};
// Steps that are not NaN.
KnownSteps FindKnown(absl::Span<const double> steps);

// Writes the smallest form; returns its size, or 0 when it takes more than `room` bytes. At least
// one step is known.
size_t EncodePresence(absl::Span<const double> steps, const KnownSteps& known, char* to,
                      size_t room, PresenceKind* kind);

// Copies from[i] for every known step i, side by side.
void TakeKnown(absl::Span<const double> steps, const double* from, double* to);

// As read; borrows the page's bytes.
struct Presence {
  size_t first = 0;
  absl::string_view bitmap;  // of kBitmap
  absl::string_view runs;    // of kRuns: after the first step; checked
  bool gapless() const { return bitmap.empty() && runs.empty(); }
};
// Takes the presence off the front of `*bytes`. False when it is malformed, leaves the `steps` or
// disagrees with `count`. Safe on any bytes.
bool DecodePresence(int kind, size_t count, uint32_t steps, absl::string_view* bytes,
                    Presence* presence);

// The inverse of TakeKnown; steps that are not known keep what they have.
void SpreadKnown(const Presence& presence, const double* from, double* to);

}  // namespace shoal
