// A queue between threads, bounded in items and in bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace shoal {

// When full: Push blocks, TryPush refuses. An item larger than the whole bound passes when the
// queue is empty, so that it cannot wait for ever. Thread safe.
template <typename T>
class BoundedQueue {
 public:
  BoundedQueue(size_t items_max, size_t bytes_max) : items_max_(items_max), bytes_max_(bytes_max) {}

  // False when the queue is closed; the item is then left as it was.
  bool Push(T&& item, size_t bytes) {
    MutexLock lock(&mu_);
    while (!closed_ && !HasRoom(bytes)) room_.Wait(&mu_);
    if (closed_) return false;
    Add(std::move(item), bytes);
    return true;
  }
  // False when full or closed; the item is then left as it was.
  bool TryPush(T&& item, size_t bytes) {
    MutexLock lock(&mu_);
    if (closed_ || !HasRoom(bytes)) return false;
    Add(std::move(item), bytes);
    return true;
  }
  // Waits for an item; nothing when the queue is closed and empty.
  std::optional<T> Pop() {
    MutexLock lock(&mu_);
    while (items_.empty() && !closed_) filled_.Wait(&mu_);
    return Take();
  }
  // As Pop, but gives up after `timeout`.
  std::optional<T> PopFor(std::chrono::nanoseconds timeout) {
    MutexLock lock(&mu_);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (items_.empty() && !closed_) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      filled_.WaitFor(&mu_, left);
    }
    return Take();
  }
  // Items already in are still handed out.
  void Close() {
    MutexLock lock(&mu_);
    closed_ = true;
    filled_.SignalAll();
    room_.SignalAll();
  }
  size_t size() const {
    MutexLock lock(&mu_);
    return items_.size();
  }
  size_t bytes() const {
    MutexLock lock(&mu_);
    return bytes_;
  }

 private:
  bool HasRoom(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return items_.empty() || (items_.size() < items_max_ && bytes_ + bytes <= bytes_max_);
  }
  void Add(T&& item, size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    items_.emplace_back(std::move(item), bytes);
    bytes_ += bytes;
    filled_.Signal();
  }
  std::optional<T> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front().first));
    bytes_ -= items_.front().second;
    items_.pop_front();
    room_.SignalAll();
    return item;
  }

  const size_t items_max_;
  const size_t bytes_max_;
  mutable Mutex mu_;
  CondVar filled_;
  CondVar room_;
  std::deque<std::pair<T, size_t>> items_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal
