// How many queries run at once.
#pragma once

#include <chrono>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/stats.h"

namespace shoal {

// Thread safe.
class Admission {
 public:
  // `queries_max` run; four times as many may wait.
  Admission(int64_t queries_max, MetricRegistry* metrics);

  // The right to run one query. Releases on destruction.
  class Permit {
   public:
    explicit Permit(Admission* admission) : admission_(admission) {}
    Permit(Permit&& other) noexcept : admission_(other.admission_) { other.admission_ = nullptr; }
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (admission_ != nullptr) admission_->Release();
    }

   private:
    Admission* admission_;
  };

  // Waits at most `patience`. Unavailable when it did not get a turn: another replica may have one.
  absl::StatusOr<Permit> Enter(std::chrono::nanoseconds patience);

 private:
  void Release();

  const int64_t queries_max_;
  Counter* const refused_;
  Gauge* const running_gauge_;
  Mutex mu_;
  CondVar released_;
  int64_t running_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal
