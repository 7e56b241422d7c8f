// ring: one byte says what, then the bytes of a ring file's header, a slot table block, a journal
// or the rolled-up times. The checksum is made right first, so that the fuzzer gets past it; what
// is accepted keeps its bounds and its bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "storage/ring/double_write.h"
#include "storage/ring/ring_format.h"
#include "storage/ring/rolled_until.h"

namespace {

using shoal::Checksum32;

void Header(std::string block) {
  block.resize(shoal::kRingBlockBytes, '\0');
  const absl::string_view covered = absl::string_view(block).substr(0, block.size() - 4);
  shoal::StoreLE<uint32_t>(block.data() + covered.size(), Checksum32(covered));
  shoal::RingHeader header;
  if (!shoal::DecodeRingHeader(block, &header).ok()) return;
  SHOAL_CHECK(header.file_bytes() <= shoal::kRingFileBytesMax);
  SHOAL_CHECK(shoal::IsRingFileName(shoal::RingFileName(header)));
  shoal::RingHeader again;
  SHOAL_CHECK(shoal::DecodeRingHeader(shoal::EncodeRingHeader(header), &again).ok());
}

void SlotBlock(std::string block) {
  shoal::RingHeader header;
  header.slots = 300;
  block.resize(shoal::kRingBlockBytes, '\0');
  shoal::StoreLE<uint32_t>(block.data(),
                           Checksum32(absl::string_view(block).substr(4), header.Identity()));
  std::vector<shoal::SlotEntry> entries(shoal::kSlotsPerBlock);
  if (!shoal::DecodeSlotBlock(header, 0, block, absl::MakeSpan(entries)).ok()) return;
  std::vector<shoal::SlotEntry> again(shoal::kSlotsPerBlock);
  const std::string encoded = shoal::EncodeSlotBlock(header, 0, entries);
  SHOAL_CHECK(shoal::DecodeSlotBlock(header, 0, encoded, absl::MakeSpan(again)).ok());
  SHOAL_CHECK(entries == again);
}

void Journal(std::string bytes) {
  if (bytes.size() >= shoal::kJournalHeaderBytes) {
    shoal::StoreLE<uint64_t>(bytes.data() + 24, bytes.size());
    const uint64_t body =
        shoal::Hash64(absl::string_view(bytes).substr(shoal::kJournalHeaderBytes));
    shoal::StoreLE<uint64_t>(bytes.data() + 32,
                             shoal::Hash64(absl::string_view(bytes).substr(0, 32), body));
  }
  const auto parsed = shoal::ParseJournal(bytes);
  if (!parsed.ok()) return;
  for (const shoal::JournalImage& image : parsed->images)
    SHOAL_CHECK(image.bytes.size() <= bytes.size());
}

void Rolled(std::string bytes) {
  if (bytes.size() < 4) return;
  const absl::string_view covered = absl::string_view(bytes).substr(0, bytes.size() - 4);
  shoal::StoreLE<uint32_t>(bytes.data() + covered.size(), Checksum32(covered));
  const auto rolled = shoal::RolledUntil::Decode(bytes);
  if (rolled.ok()) SHOAL_CHECK(shoal::RolledUntil::Decode(rolled->Encode()).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      Header(bytes);
      break;
    case 1:
      SlotBlock(bytes);
      break;
    case 2:
      Journal(bytes);
      break;
    default:
      Rolled(bytes);
      break;
  }
  return 0;
}
