#include "node/admission.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr int64_t kWaitingPerRunning = 4;

}  // namespace

Admission::Admission(int64_t queries_max, MetricRegistry* metrics)
    : queries_max_(queries_max),
      refused_(metrics->AddCounter("shoal_node_queries_refused_total",
                                   "Queries that did not get a turn")),
      running_gauge_(metrics->AddGauge("shoal_node_queries_running", "Queries that run now")) {}

absl::StatusOr<Admission::Permit> Admission::Enter(std::chrono::nanoseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  MutexLock lock(&mu_);
  if (running_ >= queries_max_ && waiting_ < queries_max_ * kWaitingPerRunning) {
    ++waiting_;
    while (running_ >= queries_max_) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      released_.WaitFor(&mu_, left);
    }
    --waiting_;
  }
  if (running_ >= queries_max_) {
    refused_->Add();
    return absl::UnavailableError(
        absl::StrCat("the node runs ", running_, " queries (limits.query_concurrency_max)"));
  }
  ++running_;
  running_gauge_->Set(running_);
  return Permit(this);
}

void Admission::Release() {
  MutexLock lock(&mu_);
  --running_;
  running_gauge_->Set(running_);
  released_.Signal();
}

}  // namespace shoal
