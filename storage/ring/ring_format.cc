#include "storage/ring/ring_format.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "storage/page/size_class.h"

namespace shoal {
namespace {

// Offsets in the header block.
constexpr size_t kMagicAt = 0;
constexpr size_t kVersionAt = 8;
constexpr size_t kStepAt = 12;
constexpr size_t kStripeStepsAt = 16;
constexpr size_t kStripesAt = 20;
constexpr size_t kSlotsAt = 24;
constexpr size_t kPageBytesAt = 28;
constexpr size_t kNumberAt = 32;
constexpr size_t kSchemaAt = 36;
constexpr size_t kArchiveAt = 38;
constexpr size_t kSizeClassAt = 39;
constexpr size_t kColumnsAt = 40;
constexpr size_t kMethodAt = 41;
constexpr size_t kPercentileAt = 42;
constexpr size_t kPointsAt = 48;
constexpr size_t kXffAt = 56;
constexpr size_t kCreatedAt = 64;
constexpr size_t kColumnCodesAt = 72;
constexpr size_t kHeaderEnd = kColumnCodesAt + 4 * size_t{kPageColumnsMax};
constexpr size_t kHeaderChecksumAt = kRingBlockBytes - 4;

std::string HeaderFields(const RingHeader& header) {
  std::string bytes(kHeaderEnd, '\0');
  char* const to = bytes.data();
  std::memcpy(to + kMagicAt, kRingMagic, sizeof(kRingMagic));
  StoreLE<uint32_t>(to + kVersionAt, kRingVersion);
  StoreLE<uint32_t>(to + kStepAt, header.step_sec);
  StoreLE<uint32_t>(to + kStripeStepsAt, header.stripe_steps);
  StoreLE<uint32_t>(to + kStripesAt, header.stripes);
  StoreLE<uint32_t>(to + kSlotsAt, header.slots);
  StoreLE<uint32_t>(to + kPageBytesAt, header.page_bytes);
  StoreLE<uint32_t>(to + kNumberAt, header.number);
  StoreLE<uint16_t>(to + kSchemaAt, header.archive.schema);
  StoreLE<uint8_t>(to + kArchiveAt, header.archive.archive);
  StoreLE<uint8_t>(to + kSizeClassAt, header.size_class);
  StoreLE<uint8_t>(to + kColumnsAt, header.columns);
  StoreLE<uint8_t>(to + kMethodAt, static_cast<uint8_t>(header.method));
  StoreLE<uint16_t>(to + kPercentileAt, header.percentile);
  StoreLE<uint64_t>(to + kPointsAt, header.points);
  StoreLE<double>(to + kXffAt, header.x_files_factor);
  StoreLE<int64_t>(to + kCreatedAt, header.created_us);
  for (size_t i = 0; i < kPageColumnsMax; ++i)
    StoreLE<uint32_t>(to + kColumnCodesAt + 4 * i, header.column_codes[i]);
  return bytes;
}

// Raw values in the finest archive, what a rule may keep in the others, nothing behind.
bool ColumnsAreKnown(const RingHeader& header) {
  if (header.archive.archive == 0 && header.columns != 1) return false;
  for (size_t i = 0; i < kPageColumnsMax; ++i) {
    const uint32_t code = header.column_codes[i];
    const bool coarse = header.archive.archive > 0 && i < header.columns;
    if (!coarse ? code != 0
                : (code & 0xff00) != 0 ||
                      !IsKnownColumn(static_cast<uint8_t>(code), static_cast<uint16_t>(code >> 16)))
      return false;
  }
  return true;
}

}  // namespace

uint64_t RingHeader::stripe_bytes() const {
  const uint64_t bytes = uint64_t{page_bytes} * slots;
  return (bytes + kRingBlockBytes - 1) / kRingBlockBytes * kRingBlockBytes;
}

uint64_t RingHeader::Identity() const { return Hash64(HeaderFields(*this)); }

absl::Status CheckRingGeometry(const RingHeader& header) {
  const auto within = [](uint64_t value, uint64_t low, uint64_t high) {
    return low <= value && value <= high;
  };
  const bool sane =
      header.step_sec >= 1 && within(header.stripe_steps, 1, kPageStepsMax) &&
      within(header.stripes, 2, kRingStripesMax) && within(header.slots, 1, kRingSlotsMax) &&
      within(header.columns, 1, kPageColumnsMax) && header.size_class <= kFullSizeClass &&
      header.points >= 1 && header.stripes >= StripesFor(header.points, header.stripe_steps) &&
      within(header.page_bytes,
             PageBytesFor(header.size_class, header.stripe_steps, header.columns), kPageBytesMax) &&
      IsKnownAggregate(static_cast<uint8_t>(header.method), header.percentile) &&
      ColumnsAreKnown(header) && header.file_bytes() <= kRingFileBytesMax;
  if (sane) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "impossible geometry: step ", header.step_sec, ", stripe steps ", header.stripe_steps,
      ", stripes ", header.stripes, ", slots ", header.slots, ", page bytes ", header.page_bytes,
      ", class ", header.size_class, ", columns ", header.columns, ", points ", header.points));
}

std::string EncodeRingHeader(const RingHeader& header) {
  SHOAL_CHECK(CheckRingGeometry(header).ok());
  std::string block = HeaderFields(header);
  block.resize(kRingBlockBytes, '\0');
  const absl::string_view covered(block.data(), kHeaderChecksumAt);
  StoreLE<uint32_t>(block.data() + kHeaderChecksumAt, Checksum32(covered));
  return block;
}

absl::Status DecodeRingHeader(absl::string_view block, RingHeader* header) {
  if (block.size() != kRingBlockBytes)
    return absl::DataLossError("shorter than a ring file's header");
  const char* const from = block.data();
  if (std::memcmp(from + kMagicAt, kRingMagic, sizeof(kRingMagic)) != 0) {
    return absl::DataLossError("not a ring file");
  }
  if (LoadLE<uint32_t>(from + kHeaderChecksumAt) !=
      Checksum32(block.substr(0, kHeaderChecksumAt))) {
    return absl::DataLossError("header checksum does not match");
  }
  const uint32_t version = LoadLE<uint32_t>(from + kVersionAt);
  if (version > kRingVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format version ", version, " is newer than this program's ", kRingVersion));
  }
  if (version == 0) return absl::DataLossError("format version 0");
  if (version < kRingVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format version ", version, " is older than this program's ", kRingVersion,
                     ", and cannot be read any more"));
  }
  header->step_sec = LoadLE<uint32_t>(from + kStepAt);
  header->stripe_steps = LoadLE<uint32_t>(from + kStripeStepsAt);
  header->stripes = LoadLE<uint32_t>(from + kStripesAt);
  header->slots = LoadLE<uint32_t>(from + kSlotsAt);
  header->page_bytes = LoadLE<uint32_t>(from + kPageBytesAt);
  header->number = LoadLE<uint32_t>(from + kNumberAt);
  header->archive.schema = LoadLE<uint16_t>(from + kSchemaAt);
  header->archive.archive = LoadLE<uint8_t>(from + kArchiveAt);
  header->size_class = LoadLE<uint8_t>(from + kSizeClassAt);
  header->columns = LoadLE<uint8_t>(from + kColumnsAt);
  header->method = static_cast<AggregationMethod>(LoadLE<uint8_t>(from + kMethodAt));
  header->percentile = LoadLE<uint16_t>(from + kPercentileAt);
  header->points = LoadLE<uint64_t>(from + kPointsAt);
  header->x_files_factor = LoadLE<double>(from + kXffAt);
  header->created_us = LoadLE<int64_t>(from + kCreatedAt);
  for (size_t i = 0; i < kPageColumnsMax; ++i)
    header->column_codes[i] = LoadLE<uint32_t>(from + kColumnCodesAt + 4 * i);
  return CheckRingGeometry(*header);
}

// Block: checksum u32, block number u32, 8 zero bytes, entries. Entry: series u32, from u32, until
// u32, generation u8, 3 zero bytes.
std::string EncodeSlotBlock(const RingHeader& header, uint32_t block,
                            absl::Span<const SlotEntry> entries) {
  SHOAL_CHECK(entries.size() <= kSlotsPerBlock);
  std::string bytes(kRingBlockBytes, '\0');
  StoreLE<uint32_t>(bytes.data() + 4, block);
  char* to = bytes.data() + kSlotBlockHeaderBytes;
  for (const SlotEntry& entry : entries) {
    StoreLE<uint32_t>(to, entry.series);
    StoreLE<uint32_t>(to + 4, entry.from_stripe);
    StoreLE<uint32_t>(to + 8, entry.until_stripe);
    StoreLE<uint8_t>(to + 12, entry.generation);
    to += kSlotEntryBytes;
  }
  StoreLE<uint32_t>(bytes.data(),
                    Checksum32(absl::string_view(bytes).substr(4), header.Identity()));
  return bytes;
}

absl::Status DecodeSlotBlock(const RingHeader& header, uint32_t block, absl::string_view bytes,
                             absl::Span<SlotEntry> entries) {
  if (bytes.size() != kRingBlockBytes || entries.size() > kSlotsPerBlock) {
    return absl::DataLossError("slot table block is cut short");
  }
  if (LoadLE<uint32_t>(bytes.data()) != Checksum32(bytes.substr(4), header.Identity())) {
    return absl::DataLossError(
        absl::StrCat("checksum of slot table block ", block, " does not match"));
  }
  if (LoadLE<uint32_t>(bytes.data() + 4) != block) {
    return absl::DataLossError(absl::StrCat("slot table block ", block, " is another block"));
  }
  const char* from = bytes.data() + kSlotBlockHeaderBytes;
  for (SlotEntry& entry : entries) {
    entry.series = LoadLE<uint32_t>(from);
    entry.from_stripe = LoadLE<uint32_t>(from + 4);
    entry.until_stripe = LoadLE<uint32_t>(from + 8);
    entry.generation = LoadLE<uint8_t>(from + 12);
    if (entry.used() && entry.from_stripe >= entry.until_stripe) {
      return absl::DataLossError(absl::StrCat("slot table block ", block, " has an empty lease"));
    }
    from += kSlotEntryBytes;
  }
  return absl::OkStatus();
}

std::string RingFileName(const RingHeader& header) {
  return absl::StrFormat("s%05d-a%d-c%03d-%06d.ring", header.archive.schema, header.archive.archive,
                         header.size_class, header.number);
}

bool IsRingFileName(absl::string_view name) {
  return name.size() > 5 && absl::EndsWith(name, ".ring") &&
         name.find('/') == absl::string_view::npos;
}

bool ArchiveOfRingFileName(absl::string_view name, ArchiveKey* archive) {
  unsigned schema = 0;
  unsigned number = 0;
  if (std::sscanf(std::string(name).c_str(), "s%5u-a%3u-", &schema, &number) != 2 ||
      schema > std::numeric_limits<SchemaId>::max() || number > 255) {
    return false;
  }
  *archive = {static_cast<SchemaId>(schema), static_cast<uint8_t>(number)};
  return true;
}

uint32_t StripesFor(uint64_t points, uint32_t stripe_steps) {
  const uint64_t stripes = points / stripe_steps + (points % stripe_steps != 0 ? 1 : 0) + 1;
  return static_cast<uint32_t>(std::min<uint64_t>(stripes, kNoStripe));
}

}  // namespace shoal
