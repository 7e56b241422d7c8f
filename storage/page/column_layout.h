// What the encoder and the decoder of columns share beside the encodings' numbers. Frozen;
// docs/format/page.md has the tables.
#pragma once

#include <cstdint>

namespace shoal {

// The second byte of kDecimal and kBits.
inline constexpr int kScaleMask = 0x0f;  // 0 in kBits
inline constexpr int kOrderShift = 4;    // differences taken: 0, 1, 2
inline constexpr int kOrderMask = 0x3;
inline constexpr int kOrderMax = 2;
inline constexpr int kOddFlag = 0x40;  // a list of odd values follows
inline constexpr int kReservedFlag = 0x80;

// After the encoding: form u8, count of values that differ from the one before, with the first;
// where they are; a column of them.
enum ChangesForm : uint8_t {
  kChangesBitmap = 0,     // a bit for each value
  kChangesDistances = 1,  // for each but the first, the distance from the last one as a varint
};

}  // namespace shoal
