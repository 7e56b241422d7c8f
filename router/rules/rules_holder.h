// The rules in force: immutable snapshots that a reload replaces as a whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "router/rules/rule_set.h"

namespace shoal {

// Thread safe.
class RulesHolder {
 public:
  // `load` reads and compiles the files; called by Reload only, never by two at once.
  explicit RulesHolder(std::function<absl::StatusOr<RuleSet>()> load) : load_(std::move(load)) {}

  // Puts what `load` gives in force. When that is an error, it is returned, and the rules that were
  // in force stay.
  absl::Status Reload();

  // Null before the first good Reload.
  std::shared_ptr<const RuleSet> Current() const;
  // Grows with every snapshot. Cheap: whoever keeps outcomes compares it, and asks for the snapshot
  // when it has changed.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  const std::function<absl::StatusOr<RuleSet>()> load_;
  std::atomic<uint64_t> generation_{0};
  Mutex reload_mutex_;  // one reload at a time; held while files are read
  mutable Mutex mutex_;
  std::shared_ptr<const RuleSet> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace shoal
