#include "storage/ring/page_scan.h"

#include <vector>

namespace shoal {

uint64_t ScanPages(const RingFile& file, const SlotTable& slots,
                   absl::FunctionRef<void(const StoredPage&)> visit) {
  const RingHeader& header = file.header();
  StoredPage stored;
  stored.archive = header.archive;
  stored.size_class = header.size_class;
  stored.page_bytes = header.page_bytes;
  uint64_t failed = 0;
  std::vector<char> stripe(size_t{header.slots} * header.page_bytes);
  for (uint32_t index = 0; index < header.stripes; ++index) {
    if (!file.MayHaveData(index)) continue;
    if (!file.ReadPages(index, 0, header.slots, stripe.data()).ok()) {
      failed += slots.used();
      continue;
    }
    for (uint32_t slot = 0; slot < header.slots; ++slot) {
      if (slots.series(slot) == kNoSeries) continue;
      char* const page = stripe.data() + size_t{slot} * header.page_bytes;
      PageHeader page_header;
      if (!file.CheckedPage(index, slot, page, &page_header).ok()) {
        ++failed;
        continue;
      }
      if (page_header.blank || page_header.tag.series != slots.series(slot) ||
          page_header.tag.generation != slots.generation(slot)) {
        continue;
      }
      stored.series = page_header.tag.series;
      stored.points = page_header.count;
      visit(stored);
    }
  }
  return failed;
}

}  // namespace shoal
