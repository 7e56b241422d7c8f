// Latencies of a run, kept whole (a run is bounded) and summed up as percentiles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shoal {

class Latencies {
 public:
  void Add(double seconds) { seconds_.push_back(seconds); }
  void Merge(const Latencies& other) {
    seconds_.insert(seconds_.end(), other.seconds_.begin(), other.seconds_.end());
  }
  size_t count() const { return seconds_.size(); }
  // The nearest-rank percentile in milliseconds, p in (0, 100]; 0 when empty. Sorts on demand.
  double PercentileMs(double p);
  // "p50 1.20 ms, p90 ..., p99 ..., max ...".
  std::string Summary();

 private:
  std::vector<double> seconds_;
};

}  // namespace shoal
