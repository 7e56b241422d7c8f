// The engine's write path without a flush: batches of known series from Engine::Write to the
// acknowledgement, fsync included. CPU time is the whole process's.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "bench/temp_dir.h"
#include "benchmark/benchmark.h"
#include "storage/engine.h"

namespace shoal {
namespace {

constexpr int64_t kStartSec = 1'700'000'000;
constexpr int64_t kStepSec = 10;
constexpr size_t kBatch = 10'000;
constexpr size_t kInFlight = 8;  // batches

// range(0): series; range(1): points per series in the measured part.
void BM_EngineWrite(benchmark::State& state) {
  SetLogLevel("error").IgnoreError();
  const TempDir dir;
  ManualClock clock(kStartSec);
  EngineOptions options;
  options.clock = &clock;
  options.dir = dir.path();
  options.cluster_name = "bench";
  options.node_name = "node";
  options.schemas =
      *SchemaRules::Parse("[all]\npattern = .*\nretentions = 10s:6h,60s:7d,600s:365d\n", "bench");
  options.write_buffer_bytes_max = int64_t{4} << 30;
  options.wal_bytes_max = int64_t{16} << 30;
  options.flush_interval_ms = 86'400'000;
  auto engine = Engine::Open(std::move(options));
  if (!engine.ok()) {
    state.SkipWithError(std::string(engine.status().message()).c_str());
    return;
  }

  const size_t series = static_cast<size_t>(state.range(0));
  std::vector<SeriesId> order(series);
  for (size_t i = 0; i < series; ++i) {
    const size_t host = i * 7919 % series;
    order[i] =
        *(*engine)->Resolve(absl::StrCat("servers.web", host / 100, ".cpu.core", host % 100));
  }
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  std::mt19937_64 random(2);
  std::vector<double> values(kBatch);
  for (double& value : values) value = static_cast<double>(random() % 10'000) / 100;

  Mutex mu;
  CondVar less;
  size_t in_flight = 0;
  bool failed = false;
  int64_t step = 0;
  const auto write_step = [&] {
    const int64_t time = kStartSec + step++ * kStepSec;
    clock.Set(time);
    for (size_t at = 0; at < series; at += kBatch) {
      const size_t count = std::min(kBatch, series - at);
      WriteBatch batch;
      batch.series.assign(order.begin() + static_cast<std::ptrdiff_t>(at),
                          order.begin() + static_cast<std::ptrdiff_t>(at + count));
      batch.timestamps_sec.assign(count, time);
      batch.values.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
      {
        MutexLock lock(&mu);
        while (in_flight >= kInFlight) less.Wait(&mu);
        ++in_flight;
      }
      (*engine)->Write(std::move(batch), [&](const WriteResult& result) {
        MutexLock lock(&mu);
        --in_flight;
        failed = failed || !result.status.ok() || !result.refused.empty();
        less.Signal();
      });
    }
  };
  const auto settle = [&] {
    MutexLock lock(&mu);
    while (in_flight > 0) less.Wait(&mu);
  };

  write_step();  // the definitions, the first page faults
  settle();
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(1); ++i) write_step();
    settle();
  }
  if (failed) state.SkipWithError("points were refused");
  const double points = static_cast<double>(state.iterations()) *
                        static_cast<double>(state.range(1)) * static_cast<double>(series);
  state.counters["ns_cpu/point"] =
      benchmark::Counter(points / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["wal_bytes/point"] =
      static_cast<double>((*engine)->Stats().wal_bytes) / (points + static_cast<double>(series));
  // Nothing is flushed: the folder goes, and the process with it.
  engine->release();
}
BENCHMARK(BM_EngineWrite)
    ->ArgNames({"series", "steps"})
    ->Args({10'000, 1000})
    ->Args({100'000, 100})
    ->Args({1'000'000, 12})
    ->Iterations(1)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal
