#include "bench/latency.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace shoal {

double Latencies::PercentileMs(double p) {
  if (seconds_.empty()) return 0;
  if (!std::is_sorted(seconds_.begin(), seconds_.end()))
    std::sort(seconds_.begin(), seconds_.end());
  const double rank = std::ceil(p / 100 * static_cast<double>(seconds_.size()));
  const size_t index = static_cast<size_t>(std::max(rank, 1.0)) - 1;
  return seconds_[std::min(index, seconds_.size() - 1)] * 1e3;
}

std::string Latencies::Summary() {
  return absl::StrFormat("p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.2f ms", PercentileMs(50),
                         PercentileMs(90), PercentileMs(99), PercentileMs(100));
}

}  // namespace shoal
