// The write buffer: time and memory per point, applied and read back for a flush.
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "benchmark/benchmark.h"
#include "storage/write_buffer.h"

namespace shoal {
namespace {

constexpr int64_t kStepSec = 10;
constexpr int64_t kStartSec = 1'700'000'000;
constexpr size_t kBatch = 10'000;

// Every series once per step, in an order that is random but the same at every step (shuffled) or
// that of the ids.
std::vector<SeriesId> Order(size_t series, bool shuffled) {
  std::vector<SeriesId> order(series);
  std::iota(order.begin(), order.end(), 0);
  if (shuffled) std::shuffle(order.begin(), order.end(), std::mt19937(1));
  return order;
}

void ApplyStep(WriteBuffer* buffer, const std::vector<SeriesId>& order, int64_t time_sec,
               const std::vector<double>& values) {
  const std::vector<int64_t> times(kBatch, time_sec);
  for (size_t at = 0; at < order.size(); at += kBatch) {
    const size_t count = std::min(kBatch, order.size() - at);
    buffer->Apply(absl::MakeConstSpan(order).subspan(at, count),
                  absl::MakeConstSpan(times).first(count),
                  absl::MakeConstSpan(values).first(count));
  }
}

// range(0): series; range(1): shuffled; range(2): steps until the generation is dropped.
void BM_Apply(benchmark::State& state) {
  const std::vector<SeriesId> order =
      Order(static_cast<size_t>(state.range(0)), state.range(1) != 0);
  const std::vector<double> values(kBatch, 1.25);
  WriteBuffer buffer([](SeriesId) { return kStepSec; });
  int64_t step = 0;
  double bytes = 0;
  double points = 1;
  for (auto _ : state) {
    ApplyStep(&buffer, order, kStartSec + step * kStepSec, values);
    if (++step % state.range(2) == 0) {
      bytes = static_cast<double>(buffer.bytes());
      points = static_cast<double>(buffer.points());
      buffer.BeginFlush();
      buffer.EndFlush();
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * order.size()));
  state.counters["bytes/point"] = bytes / points;
  state.counters["bytes/series"] = bytes / static_cast<double>(order.size());
  state.counters["ns/point"] =
      benchmark::Counter(static_cast<double>(state.iterations() * order.size()) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Apply)
    ->ArgNames({"series", "shuffled", "steps"})
    ->Args({1'000, 1, 32})
    ->Args({10'000, 1, 32})
    ->Args({100'000, 1, 32})
    ->Args({1'000'000, 0, 32})
    ->Args({1'000'000, 1, 32})
    ->Args({1'000'000, 1, 6})
    ->Unit(benchmark::kMillisecond);

// What a flush reads: all points of all series in the order of ids.
void BM_ReadFlushing(benchmark::State& state) {
  const std::vector<SeriesId> order = Order(static_cast<size_t>(state.range(0)), true);
  const std::vector<double> values(kBatch, 1.25);
  WriteBuffer buffer([](SeriesId) { return kStepSec; });
  for (int64_t step = 0; step < state.range(1); ++step) {
    ApplyStep(&buffer, order, kStartSec + step * kStepSec, values);
  }
  buffer.BeginFlush();
  std::vector<Point> points;
  for (auto _ : state) {
    std::vector<SeriesId> series;
    buffer.VisitFlushing([&](SeriesId id) { series.push_back(id); });
    for (size_t i = 0; i < series.size(); ++i) {
      if (i + 8 < series.size()) buffer.PrefetchFlushing(series[i + 8]);
      if (i % 1024 == 0) points.clear();
      buffer.ReadFlushing(series[i], &points);
    }
    benchmark::DoNotOptimize(points.data());
  }
  state.counters["ns/point"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(buffer.points()) / 1e9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_ReadFlushing)
    ->ArgNames({"series", "steps"})
    ->Args({1'000'000, 6})
    ->Args({1'000'000, 32})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal
