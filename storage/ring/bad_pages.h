// The pages that failed their check: counted once each, named in the log, forgotten when they are
// rewritten.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/ring/ring_file.h"

namespace shoal {

// Thread safe.
class BadPages {
 public:
  // `counter` may be null.
  explicit BadPages(Counter* counter) : counter_(counter) {}

  void Report(const RingFile& file, uint32_t index, uint32_t slot, const absl::Status& reason);
  // The page has been rewritten: if it fails again, it counts again.
  void Forget(const RingFile& file, uint32_t index, uint32_t slot);
  // Since construction.
  uint64_t Count() const;

  static std::string Describe(const RingFile& file, uint32_t index, uint32_t slot,
                              const absl::Status& reason);

 private:
  // Remembered, so that a page that is read again and again counts once; beyond this many every
  // read counts.
  static constexpr size_t kRememberedMax = 1 << 20;

  static uint64_t Key(const RingFile& file, uint32_t index, uint32_t slot) {
    return file.identity() ^ (uint64_t{index} << 32 | slot) * 0x9e3779b97f4a7c15;
  }

  Counter* const counter_;
  LogEvery log_every_{std::chrono::seconds(1)};
  mutable Mutex mu_;
  absl::flat_hash_set<uint64_t> pages_ ABSL_GUARDED_BY(mu_);
  uint64_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal
