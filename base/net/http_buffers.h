// The bound on what an HTTP server holds for all its connections together: request bodies and
// unsent answers.
#pragma once

#include <atomic>
#include <cstdint>

namespace shoal {

// Thread safe.
class HttpBufferBudget {
 public:
  explicit HttpBufferBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // False, with nothing taken, when it does not fit. Whatever its size, a taking fits while nothing
  // else is held, so that a large answer is slow at worst, never impossible.
  bool Take(int64_t bytes) {
    int64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used != 0 && used + bytes > bytes_max_) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void Give(int64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> used_{0};
};

// One connection's share. Not thread safe; its users hand it over with the connection.
class HttpBufferLease {
 public:
  explicit HttpBufferLease(HttpBufferBudget* budget) : budget_(budget) {}
  ~HttpBufferLease() { Release(); }
  HttpBufferLease(const HttpBufferLease&) = delete;
  HttpBufferLease& operator=(const HttpBufferLease&) = delete;

  bool Grow(int64_t bytes) {
    if (!budget_->Take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }
  void Release() {
    budget_->Give(bytes_);
    bytes_ = 0;
  }

 private:
  HttpBufferBudget* const budget_;
  int64_t bytes_ = 0;
};

}  // namespace shoal
