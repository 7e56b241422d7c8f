// The bytes of a ring file: header, slot table, and where the pages lie. docs/format/ring.md has
// the tables.
//
//   header (4 KiB) | slot table blocks (4 KiB each) | stripe 0 | stripe 1 | ...
//
// Pure functions, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/page/page_codec.h"
#include "storage/series_schema.h"

namespace shoal {

inline constexpr char kRingMagic[8] = {'S', 'H', 'O', 'A', 'L', 'R', 'N', 'G'};
inline constexpr uint32_t kRingVersion = 3;
// Frozen for all versions: the header is one block whose last 4 bytes are its checksum.
inline constexpr size_t kRingBlockBytes = 4096;
inline constexpr size_t kSlotBlockHeaderBytes = 16;
inline constexpr size_t kSlotEntryBytes = 16;
inline constexpr uint32_t kSlotsPerBlock =
    (kRingBlockBytes - kSlotBlockHeaderBytes) / kSlotEntryBytes;
static_assert(kSlotsPerBlock == 255);

// Bounds of what a header is believed.
inline constexpr uint32_t kRingStripesMax = 1 << 20;
inline constexpr uint32_t kRingSlotsMax = 1 << 20;
inline constexpr uint64_t kRingFileBytesMax = uint64_t{1} << 44;  // ext4's 16 TiB

inline constexpr uint32_t kNoStripe = 0xffffffff;

struct RingHeader {
  ArchiveKey archive;
  uint8_t size_class = 0;  // see size_class.h
  uint8_t columns = 1;
  AggregationMethod method = AggregationMethod::kAverage;
  uint16_t percentile = 0;  // of the method
  // What each column is: AggregateCode, 0 for raw values (the finest archive) and past the last.
  std::array<uint32_t, kPageColumnsMax> column_codes{};
  uint32_t step_sec = 0;
  uint32_t stripe_steps = 0;
  uint32_t stripes = 0;
  uint32_t slots = 0;
  uint32_t page_bytes = 0;
  uint32_t number = 0;  // of the file, within its archive and class
  uint64_t points = 0;  // that the archive keeps
  double x_files_factor = 0;
  int64_t created_us = 0;  // since the epoch

  // Derived.
  PageShape shape() const { return {stripe_steps, columns, page_bytes}; }
  uint32_t slot_blocks() const { return (slots + kSlotsPerBlock - 1) / kSlotsPerBlock; }
  uint64_t stripe_bytes()
      const;  // a multiple of the block, so that a stripe can be given back to the file system
  uint64_t file_bytes() const { return SlotBlockOffset(slot_blocks()) + stripe_bytes() * stripes; }
  uint64_t SlotBlockOffset(uint32_t block) const { return kRingBlockBytes * (uint64_t{1} + block); }
  // `index` is the stripe's place in the ring: stripe % stripes.
  uint64_t PageOffset(uint32_t index, uint32_t slot) const {
    return SlotBlockOffset(slot_blocks()) + stripe_bytes() * index + uint64_t{page_bytes} * slot;
  }
  // Of everything above; journal entries and checksums of blocks and pages are bound to it.
  uint64_t Identity() const;
  friend bool operator==(const RingHeader&, const RingHeader&) = default;
};

// Who has a slot, and for which stripes. The series' pages outside [from, until) are in other slots
// of the series.
struct SlotEntry {
  SeriesId series = kNoSeries;  // kNoSeries: free
  uint32_t from_stripe = 0;
  uint32_t until_stripe = kNoStripe;
  uint8_t generation =
      0;  // moves on with every lease, so that pages of an earlier owner are told apart
  bool used() const { return series != kNoSeries; }
  friend bool operator==(const SlotEntry&, const SlotEntry&) = default;
};

// What the checksum of a page in this slot is seeded with. Frozen.
inline constexpr uint64_t PageSeedOf(uint64_t file_identity, uint32_t slot) {
  return file_identity ^ (uint64_t{slot} + 1) * 0x9e3779b97f4a7c15;
}

// DataLoss when the numbers cannot belong to a ring file or are beyond our bounds.
absl::Status CheckRingGeometry(const RingHeader& header);

// One block; the checksum is in it. The geometry is right.
std::string EncodeRingHeader(const RingHeader& header);
// DataLoss: not a ring file, or damaged. FailedPrecondition: another version.
absl::Status DecodeRingHeader(absl::string_view block, RingHeader* header);

// Block `block` of the slot table; `entries` are its slots (kSlotsPerBlock, fewer in the last
// block).
std::string EncodeSlotBlock(const RingHeader& header, uint32_t block,
                            absl::Span<const SlotEntry> entries);
absl::Status DecodeSlotBlock(const RingHeader& header, uint32_t block, absl::string_view bytes,
                             absl::Span<SlotEntry> entries);

// "s00001-a0-c032-000003.ring". The name follows from the header, and a file under another name is
// not used.
std::string RingFileName(const RingHeader& header);
bool IsRingFileName(absl::string_view name);
// Of the name of a file whose header may be damaged; false when it is no such name.
bool ArchiveOfRingFileName(absl::string_view name, ArchiveKey* archive);

// Stripes that cover `points` wherever they begin, and so that the one being overwritten is beyond
// them.
uint32_t StripesFor(uint64_t points, uint32_t stripe_steps);

}  // namespace shoal
