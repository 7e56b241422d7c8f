#include "storage/memory_arena.h"

#include <sys/mman.h>

#include <utility>

#include "base/check.h"

namespace shoal {
namespace {

// Aligned to its size, which huge pages need: mapped twice as large and trimmed.
char* MapBlock(bool huge) {
  constexpr size_t kSize = MemoryArena::kBlockBytes;
  void* const mapped =
      ::mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOAL_CHECK(mapped != MAP_FAILED);
  char* const begin = static_cast<char*>(mapped);
  const size_t before = (kSize - reinterpret_cast<uintptr_t>(begin) % kSize) % kSize;
  char* const block = begin + before;
  if (before > 0) ::munmap(begin, before);
  ::munmap(block + kSize, kSize - before);
  if (huge) ::madvise(block, kSize, MADV_HUGEPAGE);  // advice: small pages do as well
  return block;
}

}  // namespace

MemoryArena::Ref MemoryArena::Allocate(size_t bytes) {
  const size_t size = (bytes + kUnitBytes - 1) / kUnitBytes * kUnitBytes;
  SHOAL_CHECK(size <= kBlockBytes - kUnitBytes);
  if (blocks_.empty() || used_in_last_ + size > kBlockBytes) {
    SHOAL_CHECK(blocks_.size() < kBlocksMax);
    blocks_.push_back(MapBlock(!blocks_.empty()));
    // The first unit of all is never given out: it would be number 0.
    used_in_last_ = blocks_.size() == 1 ? kUnitBytes : 0;
  }
  const size_t unit = (blocks_.size() - 1) * kBlockUnits + used_in_last_ / kUnitBytes;
  used_in_last_ += size;
  return static_cast<Ref>(unit);
}

void MemoryArena::Clear() {
  for (char* const block : blocks_) ::munmap(block, kBlockBytes);
  blocks_ = {};
  used_in_last_ = 0;
}

void MemoryArena::Swap(MemoryArena& other) noexcept {
  blocks_.swap(other.blocks_);
  std::swap(used_in_last_, other.used_in_last_);
}

}  // namespace shoal
