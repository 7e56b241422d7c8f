#include "router/rules/rules_holder.h"

#include <utility>

namespace shoal {

absl::Status RulesHolder::Reload() {
  MutexLock reload_lock(&reload_mutex_);
  auto rules = load_();
  if (!rules.ok()) return rules.status();
  auto snapshot = std::make_shared<const RuleSet>(std::move(rules).value());
  {
    MutexLock lock(&mutex_);
    // The old one dies outside of the lock.
    current_.swap(snapshot);
  }
  generation_.fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

std::shared_ptr<const RuleSet> RulesHolder::Current() const {
  MutexLock lock(&mutex_);
  return current_;
}

}  // namespace shoal
