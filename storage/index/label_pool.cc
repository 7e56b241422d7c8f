#include "storage/index/label_pool.h"

#include <cstring>

#include "base/check.h"

namespace shoal {

LabelPool::Id LabelPool::Acquire(absl::string_view text) {
  if (const Id known = Find(text); known != kNone) {
    ++HeaderOf(known)->references;
    return known;
  }
  SHOAL_CHECK(text.size() <= kLabelBytesMax && !full());
  const size_t units = UnitsFor(text.size());
  Id id = 0;
  if (units < free_.size() && !free_[units].empty()) {
    id = free_[units].back();
    free_[units].pop_back();
  } else {
    id = static_cast<Id>(units_.Grow(units));
  }
  Header* const header = HeaderOf(id);
  header->references = 1;
  header->size = static_cast<uint32_t>(text.size());
  std::memcpy(reinterpret_cast<char*>(header + 1), text.data(), text.size());
  ids_.insert(id);
  return id;
}

void LabelPool::Release(Id id) {
  Header* const header = HeaderOf(id);
  SHOAL_CHECK(header->references > 0);
  if (--header->references > 0) return;
  ids_.erase(id);
  const size_t units = UnitsFor(header->size);
  if (units >= free_.size()) free_.resize(units + 1);
  free_[units].push_back(id);
}

}  // namespace shoal
