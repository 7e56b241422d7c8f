// How many bytes of points the router holds that are not durable yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace shoal {

// Thread safe. Charging never fails: who takes points in asks Exhausted() first and stops reading.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t bytes_max)
      : bytes_max_(bytes_max), resume_below_(bytes_max / 10 * 8) {}

  // Stop reading.
  bool Exhausted() const { return used() >= bytes_max_; }
  // Reading may go on. Lower than the bound, so that the loops do not stop and go with every batch.
  bool Recovered() const { return used() < resume_below_; }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }
  int64_t bytes_max() const { return bytes_max_; }

 private:
  friend class MemoryCharge;
  const int64_t bytes_max_;
  const int64_t resume_below_;
  std::atomic<int64_t> used_{0};
};

// Holds bytes of a budget for its life; the budget must outlive it.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  MemoryCharge(MemoryBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {
    if (budget_ != nullptr) budget_->used_.fetch_add(bytes_, std::memory_order_relaxed);
  }
  MemoryCharge(MemoryCharge&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    if (this != &other) {
      Release();
      budget_ = std::exchange(other.budget_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~MemoryCharge() { Release(); }
  void Release() {
    if (budget_ != nullptr) budget_->used_.fetch_sub(bytes_, std::memory_order_relaxed);
    budget_ = nullptr;
    bytes_ = 0;
  }

 private:
  MemoryBudget* budget_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace shoal
