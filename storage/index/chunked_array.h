// An array that grows by chunks: elements never move, and growing copies nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace shoal {

template <typename T, size_t kChunkElements>
class ChunkedArray {
 public:
  static_assert((kChunkElements & (kChunkElements - 1)) == 0, "a power of two");

  size_t size() const { return size_; }
  size_t bytes() const { return chunks_.size() * kChunkElements * sizeof(T); }
  T& operator[](size_t i) { return chunks_[i / kChunkElements][i % kChunkElements]; }
  const T& operator[](size_t i) const { return chunks_[i / kChunkElements][i % kChunkElements]; }

  // Room for `count` elements that lie side by side; the index of the first. `count` is at most a
  // chunk. What is left of a chunk that is too short stays unused.
  size_t Grow(size_t count) {
    const size_t left = chunks_.size() * kChunkElements - size_;
    if (left < count) {
      size_ = chunks_.size() * kChunkElements;
      chunks_.push_back(std::make_unique<T[]>(kChunkElements));
    }
    const size_t first = size_;
    size_ += count;
    return first;
  }

 private:
  std::vector<std::unique_ptr<T[]>> chunks_;
  size_t size_ = 0;
};

}  // namespace shoal
