// Pages and ring files: encode and decode time per point, bytes per point, and what a flush and a
// day's read cost.
#include <unistd.h>

#include <algorithm>
#include <bit>
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

// What series look like. The first four are the fleet by which disk use is judged.
enum Shape {
  kConstant,
  kCounter,
  kGauge,
  kRandomDecimals,
  kSparseGauge,
  kNoise,
  kByteCounts,
  kSawtooth,
  kTimer,
  kPercent,
  kFloat,
  kRareSteps,
  kResettingCounter,
  kGaugeWithOddValue,
  kClock,
  kRandomBits,
  kShapes
};

const char* ShapeName(int shape) {
  static const char* const kNames[] = {"constant",
                                       "counter, increments below 1000",
                                       "gauge walking by up to 10.00",
                                       "random, 12 decimals",
                                       "the gauge, 1 of 10 missing",
                                       "independent, 2 decimals",
                                       "bytes in pages of 4096",
                                       "sawtooth",
                                       "timer, 3 decimals, log-normal",
                                       "quotient of integers x 100",
                                       "single-precision noise",
                                       "steps, 1 change in 20",
                                       "counter with a reset",
                                       "gauge with an infinity",
                                       "timestamps with jitter",
                                       "random bits"};
  return kNames[shape];
}

std::vector<double> Values(int shape, size_t count, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, 1);
  std::vector<double> values(count);
  const auto below = [&random](uint64_t n) { return static_cast<double>(random() % n); };
  double cents = 500'000 + below(100'000);
  double total = below(1'000'000'000);
  double level = 7;
  for (size_t i = 0; i < count; ++i) {
    double& value = values[i];
    cents += below(2001) - 1000;
    total += below(1000);
    switch (shape) {
      case kConstant:
        value = 42;
        break;
      case kCounter:
        value = total;
        break;
      case kGauge:
        value = cents / 100;
        break;
      case kRandomDecimals:
        value = below(1'000'000'000'000'000) / 1e12;
        break;
      case kSparseGauge:
        value = random() % 10 == 0 ? kAbsent : cents / 100;
        break;
      case kNoise:
        value = below(10'000) / 100;
        break;
      case kByteCounts:
        value = (1'000'000 + std::round(cents / 100)) * 4096;
        break;
      case kSawtooth:
        value = static_cast<double>(i % 30) * 7;
        break;
      case kTimer:
        value = std::round(std::exp(3 + noise(random)) * 1000) / 1000;
        break;
      case kPercent:
        value = 100 * below(5000) / (5000 + below(1000));
        break;
      case kFloat:
        value = static_cast<double>(static_cast<float>(50 + 5 * noise(random)));
        break;
      case kRareSteps:
        if (random() % 20 == 0) level = below(1000);
        value = level;
        break;
      case kResettingCounter:
        if (i == count / 2) total = 0;
        value = total;
        break;
      case kGaugeWithOddValue:
        value = i == count / 2 ? HUGE_VAL : cents / 100;
        break;
      case kClock:
        value = 1.7e9 + static_cast<double>(i) * 10 + (random() % 50 == 0 ? 1 : 0);
        break;
      default:
        do {
          value = std::bit_cast<double>(random());
        } while (std::isnan(value));
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
  PageSize size;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        EncodePageBody(page_shape, PageTag{1, 1, 1}, dense, absl::MakeSpan(page), &size));
  }
  state.SetLabel(ShapeName(shape));
  state.counters["B/point"] = static_cast<double>(size.bytes) / kSteps;
  state.counters["ns/point"] = benchmark::Counter(
      kSteps * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_EncodePage)->DenseRange(0, kShapes - 1);

void BM_DecodePage(benchmark::State& state) {
  const int shape = static_cast<int>(state.range(0));
  const PageShape page_shape = FullShape();
  std::vector<double> dense = Values(shape, kSteps);
  std::string page(page_shape.page_bytes, '\0');
  EncodePage(page_shape, 1, PageTag{1, 1, 1}, dense, page.data());
  for (auto _ : state)
    benchmark::DoNotOptimize(DecodePage(page_shape, page, absl::MakeSpan(dense)));
  state.SetLabel(ShapeName(shape));
  state.counters["ns/point"] = benchmark::Counter(
      kSteps * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_DecodePage)->DenseRange(0, kShapes - 1);

// The checksum of a page of the class that its values take: every read pays it.
void BM_CheckPage(benchmark::State& state) {
  const std::vector<double> dense = Values(static_cast<int>(state.range(0)), kSteps);
  PageShape shape = FullShape();
  shape.page_bytes = PageBytesFor(PickSizeClass(shape, dense), kSteps, 1);
  std::string page(shape.page_bytes, '\0');
  EncodePage(shape, 1, PageTag{1, 1, 1}, dense, page.data());
  for (auto _ : state) {
    PageHeader header;
    benchmark::DoNotOptimize(CheckPage(shape, 1, page, &header));
  }
  state.SetLabel(ShapeName(static_cast<int>(state.range(0))));
}
BENCHMARK(BM_CheckPage)->Arg(kConstant)->Arg(kGauge)->Arg(kRandomBits);

// The fleet: 20 % constants, 30 % counters, 40 % gauges, 10 % random decimals. Bytes of full pages,
// of their classes, and of the classes that their first 6 and 60 points choose.
void BM_Fleet(benchmark::State& state) {
  constexpr int kFleet[] = {kConstant, kConstant, kCounter, kCounter, kCounter,
                            kGauge,    kGauge,    kGauge,   kGauge,   kRandomDecimals};
  constexpr size_t kPages = 500;
  const PageShape shape = FullShape();
  double bytes = 0;
  double of_classes = 0;
  double too_small[2] = {};
  double too_large[2] = {};
  for (auto _ : state) {
    bytes = of_classes = 0;
    for (size_t i = 0; i < kPages; ++i) {
      const std::vector<double> dense = Values(kFleet[i % 10], kSteps, i);
      bytes += MeasurePage(shape, dense).bytes;
      const uint8_t right = PickSizeClass(shape, dense);
      of_classes += PageBytesFor(right, kSteps, 1);
      for (const size_t guess : {0, 1}) {
        std::vector<double> begun(kSteps, kAbsent);
        std::copy_n(dense.begin(), guess == 0 ? 6 : 60, begun.begin() + 100);
        const uint8_t guessed = PickSizeClass(shape, begun);
        too_small[guess] += guessed < right ? 1 : 0;
        too_large[guess] += guessed > right ? 1 : 0;
      }
    }
  }
  constexpr double kPoints = static_cast<double>(kPages) * kSteps;
  state.counters["B/point"] = bytes / kPoints;
  state.counters["B/point_of_classes"] = of_classes / kPoints;
  for (const size_t guess : {0, 1}) {
    const std::string points = guess == 0 ? "_by_6" : "_by_60";
    state.counters["%too_small" + points] =
        100 * too_small[guess] / kPages / static_cast<double>(state.iterations());
    state.counters["%too_large" + points] =
        100 * too_large[guess] / kPages / static_cast<double>(state.iterations());
  }
}
BENCHMARK(BM_Fleet)->Unit(benchmark::kMillisecond)->Iterations(1);

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
