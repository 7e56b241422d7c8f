// What the refs of one write stream stand for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/engine.h"

namespace shoal {

// ref -> series, or the reason why points of this ref are refused. Routers choose refs; they may be
// sparse, so this is a vector of small pages. Not thread safe.
class RefDictionary {
 public:
  static constexpr uint32_t kPageRefs = 4096;
  // 16 KiB each. A stream that needs more has lived long: it is ended, and the router starts a new
  // dictionary.
  static constexpr size_t kPagesMax = 8192;

  // Values of Find besides series ids. A series id is never this high: see kSeriesIdsEnd.
  static constexpr uint32_t kUndefined = 0xffffffff;
  static constexpr uint32_t kSeriesIdsEnd = 0xffffff00;

  static constexpr bool IsSeries(uint32_t entry) { return entry < kSeriesIdsEnd; }
  static constexpr uint32_t RefusalEntry(RefusalReason reason) {
    return kSeriesIdsEnd + static_cast<uint32_t>(reason);
  }
  // `entry` is neither a series nor kUndefined.
  static constexpr RefusalReason ReasonOf(uint32_t entry) {
    return static_cast<RefusalReason>(entry - kSeriesIdsEnd);
  }

  // False when there is no room.
  bool Define(uint32_t ref, uint32_t entry);

  uint32_t Find(uint32_t ref) const {
    const size_t page = ref / kPageRefs;
    if (page >= pages_.size() || pages_[page] == nullptr) return kUndefined;
    return (*pages_[page])[ref % kPageRefs];
  }

 private:
  using Page = std::array<uint32_t, kPageRefs>;
  std::vector<std::unique_ptr<Page>> pages_;
  size_t pages_used_ = 0;
};

}  // namespace shoal
