#include "storage/ring/bad_pages.h"

#include "absl/strings/str_cat.h"

namespace shoal {

void BadPages::Report(const RingFile& file, uint32_t index, uint32_t slot,
                      const absl::Status& reason) {
  {
    MutexLock lock(&mu_);
    if (pages_.contains(Key(file, index, slot))) return;
    if (pages_.size() < kRememberedMax) pages_.insert(Key(file, index, slot));
    ++count_;
  }
  if (counter_ != nullptr) counter_->Add();
  if (uint64_t held_back; log_every_.Pass(&held_back)) {
    LogError("ring", "bad page: ", Describe(file, index, slot, reason), " (", held_back,
             " more not shown)");
  }
}

void BadPages::Forget(const RingFile& file, uint32_t index, uint32_t slot) {
  MutexLock lock(&mu_);
  pages_.erase(Key(file, index, slot));
}

uint64_t BadPages::Count() const {
  MutexLock lock(&mu_);
  return count_;
}

std::string BadPages::Describe(const RingFile& file, uint32_t index, uint32_t slot,
                               const absl::Status& reason) {
  return absl::StrCat(file.name(), " stripe ", index, " slot ", slot, ": ", reason.message());
}

}  // namespace shoal
