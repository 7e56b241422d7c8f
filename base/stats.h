// Counters, gauges and histograms with a registry that prints Prometheus text.
//
// Registering takes a lock and happens at start; changing a metric is one relaxed atomic operation.
// A metric lives as long as its registry, so callers keep plain pointers.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace shoal {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  int64_t Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Counts of observations at or below each bound, cumulative when printed.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);
  uint64_t Count() const;

 private:
  friend class MetricRegistry;
  const std::vector<double> bounds_;                  // ascending
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_;  // bounds_.size() + 1, the last one is +Inf
  std::atomic<double> sum_{0};
};

// Label pairs in the order in which they are printed.
using Labels = std::vector<std::pair<std::string, std::string>>;

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  // The same name and labels give the same metric again. `name` follows Prometheus:
  // shoal_router_points_received_total.
  Counter* AddCounter(absl::string_view name, absl::string_view help, Labels labels = {});
  Gauge* AddGauge(absl::string_view name, absl::string_view help, Labels labels = {});
  Histogram* AddHistogram(absl::string_view name, absl::string_view help,
                          std::vector<double> bounds, Labels labels = {});
  // A gauge whose value is asked for when it is printed. `read` runs on the printing thread under
  // the registry's lock and must stay callable for the registry's life.
  void AddCallbackGauge(absl::string_view name, absl::string_view help, Labels labels,
                        std::function<double()> read);

  // All metrics in Prometheus' text format 0.0.4, grouped by name, with HELP and TYPE lines.
  std::string PrometheusText() const;

  // Seconds, 100 us to 10 s: for latencies.
  static std::vector<double> LatencyBounds();

 private:
  struct Family;
  Family* FindOrAddFamily(absl::string_view name, absl::string_view help, absl::string_view type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::deque<std::unique_ptr<Family>> families_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal
