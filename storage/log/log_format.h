// The record log's constants, all frozen: docs/format/log.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/checksum.h"

namespace shoal {

inline constexpr uint64_t kLogBlockBytes = 32768;
inline constexpr size_t kLogSegmentHeaderBytes = 32;
inline constexpr size_t kLogFragmentHeaderBytes = 7;  // checksum u32, length u16, kind u8
inline constexpr size_t kLogChecksumBytes = 4;
inline constexpr char kLogMagic[9] = "SHOALLOG";
inline constexpr uint32_t kLogVersion = 1;

enum class FragmentKind : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// Binds a fragment to its segment and offset, so that a valid fragment in another place does not
// pass as data.
inline uint64_t LogFragmentSeed(uint64_t segment, uint64_t offset) {
  return segment * 0x9e3779b97f4a7c15u + offset;
}
// `covered` is everything of the fragment behind the checksum: length, kind and payload.
inline uint32_t LogFragmentChecksum(absl::string_view covered, uint64_t segment, uint64_t offset) {
  return Checksum32(covered, LogFragmentSeed(segment, offset));
}

}  // namespace shoal
