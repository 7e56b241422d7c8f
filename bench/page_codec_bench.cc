// Pages and ring files: encode and decode time per point, bytes per point, and what a flush and a
// day's read cost.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/metric/series.h"
#include "benchmark/benchmark.h"
#include "storage/page/page_codec.h"
#include "storage/page/size_class.h"
#include "storage/ring/ring_store.h"

namespace shoal {
namespace {

constexpr uint32_t kSteps = 512;

enum Shape { kConstant, kCounter, kGauge, kSparseGauge, kRandom };

const char* ShapeName(int shape) {
  static const char* const kNames[] = {"constant", "counter", "gauge_2_decimals", "sparse_gauge",
                                       "random"};
  return kNames[shape];
}

std::vector<double> Values(int shape, size_t count) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> values(count);
  double level = 50;
  double total = 1e9;
  for (double& value : values) {
    level += noise(random);
    total += 1000 + static_cast<double>(random() % 200);
    switch (shape) {
      case kConstant:
        value = 42;
        break;
      case kCounter:
        value = total;
        break;
      case kGauge:
        value = std::round(level * 100) / 100;
        break;
      case kSparseGauge:
        value = random() % 10 == 0 ? kAbsent : std::round(level * 100) / 100;
        break;
      default:
        value = noise(random) * 1e6;
        break;
    }
  }
  return values;
}

PageShape FullShape() { return {kSteps, 1, PageBytesFor(kFullSizeClass, kSteps, 1)}; }

void BM_EncodePage(benchmark::State& state) {
  const int shape = static_cast<int>(state.range(0));
  const PageShape page_shape = FullShape();
  const std::vector<double> dense = Values(shape, kSteps);
  std::string page(page_shape.page_bytes, '\0');
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodePage(page_shape, 1, PageTag{1, 1, 1}, dense, page.data()));
  }
  state.SetLabel(ShapeName(shape));
  state.counters["bytes/point"] =
      static_cast<double>(MeasurePage(page_shape, dense).bytes) / kSteps;
  state.counters["ns/point"] = benchmark::Counter(
      kSteps * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_EncodePage)->DenseRange(kConstant, kRandom);

void BM_CheckAndDecodePage(benchmark::State& state) {
  const int shape = static_cast<int>(state.range(0));
  const PageShape page_shape = FullShape();
  std::vector<double> dense = Values(shape, kSteps);
  std::string page(page_shape.page_bytes, '\0');
  EncodePage(page_shape, 1, PageTag{1, 1, 1}, dense, page.data());
  for (auto _ : state) {
    PageHeader header;
    benchmark::DoNotOptimize(CheckPage(page_shape, 1, page, &header));
    benchmark::DoNotOptimize(DecodePage(page_shape, page, absl::MakeSpan(dense)));
  }
  state.SetLabel(ShapeName(shape));
  state.counters["ns/point"] = benchmark::Counter(
      kSteps * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_CheckAndDecodePage)->DenseRange(kConstant, kRandom);

// A store in a folder of its own, removed at the end.
class Store {
 public:
  Store() {
    char path[] = "/tmp/shoal-ring-bench-XXXXXX";
    dir_ = mkdtemp(path);
    SeriesSchema schema;
    schema.archives = {{10, 8640}, {60, 10080}};
    RingStoreOptions options;
    options.dir = dir_;
    store_ = *RingStore::Open(options, {schema});
  }
  ~Store() {
    store_.reset();
    FileSystem* const fs = FileSystem::Posix();
    const std::vector<std::string> names = fs->List(dir_).value_or(std::vector<std::string>());
    for (const std::string& name : names) fs->Remove(JoinPath(dir_, name)).IgnoreError();
    rmdir(dir_.c_str());
  }
  RingStore* operator->() { return store_.get(); }

 private:
  std::string dir_;
  std::unique_ptr<RingStore> store_;
};

constexpr int64_t kT0 = 1'700'000'000 / 5120 * 5120;

// Ten minutes of 10 s points for every series, again and again as time goes on.
void BM_Flush(benchmark::State& state) {
  const SeriesId series = static_cast<SeriesId>(state.range(0));
  Store store;
  const std::vector<double> values = Values(kGauge, 60);
  int64_t at = kT0;
  for (auto _ : state) {
    std::vector<Point> points;
    for (const double value : values) points.push_back({at += 10, value});
    std::vector<SeriesPoints> batch;
    for (SeriesId s = 0; s < series; ++s) batch.push_back({s, points});
    const absl::Status status = store->Write(ArchiveKey{0, 0}, batch);
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * series * 60);
}
BENCHMARK(BM_Flush)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_ReadDay(benchmark::State& state) {
  Store store;
  const std::vector<double> values = Values(kGauge, 8640);
  std::vector<Point> points;
  for (size_t i = 0; i < values.size(); ++i)
    points.push_back({kT0 + static_cast<int64_t>(i) * 10, values[i]});
  std::vector<SeriesPoints> batch;
  for (SeriesId s = 0; s < 100; ++s) batch.push_back({s, points});
  const absl::Status status = store->Write(ArchiveKey{0, 0}, batch);
  if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  std::vector<double> out(values.size());
  SeriesId next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(store->Read(ArchiveKey{0, 0}, next++ % 100, kT0, absl::MakeSpan(out)));
  }
  if (out != values) state.SkipWithError("what was read differs");
}
BENCHMARK(BM_ReadDay)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace shoal
