// What a flush into the ring files costs: the first one of new series (slots, files), and the ones
// after it (pages read, merged and rewritten). A mixed fleet of values; a folder below TMPDIR.
//
//   ring_flush_bench --benchmark_filter=NewSeries
//
// The CPU column counts the whole process, the kernel's work of writing and syncing included.
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "storage/ring/ring_store.h"

namespace shoal {
namespace {

constexpr int64_t kStep = 10;
constexpr int64_t kStripeSec = 5120;
constexpr int64_t kT0 = 1'700'000'000 / kStripeSec * kStripeSec;
constexpr ArchiveKey kFine{0, 0};

class Fleet {
 public:
  explicit Fleet(size_t series) : state_(series), points_(series) {
    std::mt19937_64 random(3);
    for (double& value : state_) value = static_cast<double>(random() % 100'000);
  }
  // The next `count` points of every series.
  const std::vector<SeriesPoints>& Next(int count) {
    batch_.clear();
    for (size_t s = 0; s < points_.size(); ++s) {
      std::vector<Point>& points = points_[s];
      points.clear();
      for (int i = 0; i < count; ++i) points.push_back({now_ + i * kStep, NextValue(s)});
      batch_.push_back({static_cast<SeriesId>(s), points});
    }
    now_ += count * kStep;
    return batch_;
  }

 private:
  double NextValue(size_t s) {
    double& at = state_[s];
    const uint64_t bits = Random();
    switch (s % 10) {
      case 0:
      case 1:
        return at;  // a constant
      case 2:
      case 3:
      case 4:
        return at += static_cast<double>(bits % 1000);  // a counter
      case 9:
        return static_cast<double>(bits % 1'000'000'000'000) / 1e12;
      default:  // a gauge of two decimals
        at += static_cast<double>(bits % 2001) - 1000;
        return at / 100;
    }
  }
  uint64_t Random() {  // splitmix
    uint64_t z = (seed_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t seed_ = 7;
  int64_t now_ = kT0;
  std::vector<double> state_;
  std::vector<std::vector<Point>> points_;
  std::vector<SeriesPoints> batch_;
};

class Store {
 public:
  Store() {
    const char* const tmp = std::getenv("TMPDIR");
    dir_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/ring_flush_bench." +
           std::to_string(::getpid());
    std::filesystem::remove_all(dir_);
    SeriesSchema schema;
    schema.archives = {{kStep, 2160}};
    RingStoreOptions options;
    options.dir = dir_;
    auto store = RingStore::Open(options, {schema});
    if (!store.ok()) {
      std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
      std::abort();
    }
    store_ = *std::move(store);
  }
  ~Store() {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }
  void Flush(const std::vector<SeriesPoints>& batch) {
    if (const absl::Status status = store_->Write(kFine, batch); !status.ok()) std::abort();
  }
  RingStore& store() { return *store_; }

 private:
  std::string dir_;
  std::unique_ptr<RingStore> store_;
};

void Report(benchmark::State& state, size_t pages, int points) {
  const double n = static_cast<double>(pages);
  state.counters["us_per_page"] = benchmark::Counter(
      n / 1e6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["s_per_Mpoint"] =
      benchmark::Counter(n * points / 1e6, benchmark::Counter::kIsIterationInvariantRate |
                                               benchmark::Counter::kInvert);
}

// The first flush of series that have no slot: series, points of each.
void BM_FlushNewSeries(benchmark::State& state) {
  const size_t series = static_cast<size_t>(state.range(0));
  const int points = static_cast<int>(state.range(1));
  Fleet fleet(series);
  for (auto _ : state) {
    state.PauseTiming();
    auto store = std::make_unique<Store>();
    const std::vector<SeriesPoints>& batch = fleet.Next(points);
    state.ResumeTiming();
    store->Flush(batch);
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  Report(state, series, points);
}
BENCHMARK(BM_FlushNewSeries)
    ->Args({100'000, 6})
    ->Args({1'000'000, 6})
    ->Iterations(1)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

// Flush after flush of the same series, over several stripes: series, points of each.
void BM_FlushSteady(benchmark::State& state) {
  const size_t series = static_cast<size_t>(state.range(0));
  const int points = static_cast<int>(state.range(1));
  Fleet fleet(series);
  Store store;
  for (int i = 0; i < 520 / points; ++i) store.Flush(fleet.Next(points));
  for (auto _ : state) {
    state.PauseTiming();
    const std::vector<SeriesPoints>& batch = fleet.Next(points);
    state.ResumeTiming();
    store.Flush(batch);
  }
  Report(state, series, points);
  uint64_t allocated = 0;
  for (const RingStoreUsage& usage : store.store().Usage()) allocated += usage.allocated_bytes;
  state.counters["disk_MB"] = static_cast<double>(allocated) / 1e6;
}
BENCHMARK(BM_FlushSteady)
    ->Args({100'000, 60})
    ->Args({100'000, 6})
    ->Iterations(10)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal

BENCHMARK_MAIN();
