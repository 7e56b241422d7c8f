#include "node/ref_dictionary.h"

namespace shoal {

bool RefDictionary::Define(uint32_t ref, uint32_t entry) {
  const size_t page = ref / kPageRefs;
  if (page >= pages_.size()) pages_.resize(page + 1);
  if (pages_[page] == nullptr) {
    if (pages_used_ == kPagesMax) return false;
    ++pages_used_;
    pages_[page] = std::make_unique<Page>();
    pages_[page]->fill(kUndefined);
  }
  (*pages_[page])[ref % kPageRefs] = entry;
  return true;
}

}  // namespace shoal
