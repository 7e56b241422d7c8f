// Wall clock in seconds and monotonic clock, injectable for tests.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace shoal {

// Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since the Unix epoch.
  virtual int64_t NowSec() const = 0;
  // Never goes back; for timeouts and durations.
  virtual std::chrono::steady_clock::time_point Monotonic() const = 0;

  // The machine's clock; lives for the whole process.
  static const Clock* System();
};

// A clock that moves only when told to.
class ManualClock : public Clock {
 public:
  explicit ManualClock(int64_t now_sec) : now_sec_(now_sec) {}
  int64_t NowSec() const override { return now_sec_.load(std::memory_order_relaxed); }
  std::chrono::steady_clock::time_point Monotonic() const override {
    return std::chrono::steady_clock::time_point(std::chrono::seconds(NowSec()));
  }
  void Set(int64_t now_sec) { now_sec_.store(now_sec, std::memory_order_relaxed); }
  void Advance(int64_t seconds) { now_sec_.fetch_add(seconds, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> now_sec_;
};

}  // namespace shoal
