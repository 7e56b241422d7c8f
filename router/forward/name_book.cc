#include "router/forward/name_book.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace shoal {
namespace {

uint64_t NextBookId() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

NameBook::NameBook(size_t names_max, size_t bytes_max)
    : id_(NextBookId()),
      names_max_(names_max),
      bytes_max_(bytes_max),
      blocks_((names_max + kBlockEntries - 1) / kBlockEntries) {}

uint32_t NameBook::Add(absl::string_view raw, absl::string_view canonical, uint32_t partition) {
  SHOAL_CHECK(size_ < names_max_);
  const uint32_t ref = static_cast<uint32_t>(size_);
  std::unique_ptr<Entry[]>& block = blocks_[ref / kBlockEntries];
  if (block == nullptr) block = std::make_unique<Entry[]>(kBlockEntries);
  Entry& entry = block[ref % kBlockEntries];
  entry.raw = Keep(raw);
  entry.raw_bytes = static_cast<uint32_t>(raw.size());
  entry.name = canonical == raw ? entry.raw : Keep(canonical);
  entry.name_bytes = static_cast<uint32_t>(canonical.size());
  entry.partition = partition;
  ++size_;
  return ref;
}

const char* NameBook::Keep(absl::string_view bytes) {
  if (bytes.size() > arena_left_) {
    const size_t block_bytes = std::max(kArenaBlockBytes, bytes.size());
    arena_.push_back(std::make_unique<char[]>(block_bytes));
    arena_at_ = arena_.back().get();
    arena_left_ = block_bytes;
  }
  char* const kept = arena_at_;
  std::memcpy(kept, bytes.data(), bytes.size());
  arena_at_ += bytes.size();
  arena_left_ -= bytes.size();
  bytes_ += bytes.size();
  return kept;
}

}  // namespace shoal
