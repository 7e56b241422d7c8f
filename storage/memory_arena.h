// Memory that is only ever given back as a whole: large blocks straight from the kernel, handed out
// front to back.
//
// References are 32-bit numbers of 8-byte units, half the size of a pointer. The blocks do not pass
// through malloc, so that dropping an arena gives its memory back to the system at once. Huge pages
// are asked for from the second block on: the first one often stays nearly empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal {

// One thread at a time changes it.
class MemoryArena {
 public:
  using Ref = uint32_t;  // 0: nothing
  static constexpr size_t kUnitBytes = 8;
  static constexpr size_t kBlockBytes = 2 << 20;

  MemoryArena() = default;
  ~MemoryArena() { Clear(); }
  MemoryArena(MemoryArena&& other) noexcept { Swap(other); }
  MemoryArena& operator=(MemoryArena&&) = delete;
  MemoryArena(const MemoryArena&) = delete;
  MemoryArena& operator=(const MemoryArena&) = delete;

  // At most a block, aligned to 8, all zero. Dies when the system has no memory, as operator new
  // would.
  Ref Allocate(size_t bytes);
  void* At(Ref ref) const {
    return blocks_[ref / kBlockUnits] + size_t{ref % kBlockUnits} * kUnitBytes;
  }

  // Given out so far, and what was left over at the ends of blocks.
  size_t bytes() const {
    return blocks_.empty() ? 0 : (blocks_.size() - 1) * kBlockBytes + used_in_last_;
  }
  void Clear();
  void Swap(MemoryArena& other) noexcept;

 private:
  static constexpr size_t kBlockUnits = kBlockBytes / kUnitBytes;
  static constexpr size_t kBlocksMax = (size_t{1} << 32) / kBlockUnits;

  std::vector<char*> blocks_;
  size_t used_in_last_ = 0;
};

}  // namespace shoal
