// Disk bytes per point: one day at 10 s of the mixed fleet in the finest archive, flushed as a node
// does it, ten minutes at a time.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/stats.h"
#include "bench/fleet.h"
#include "benchmark/benchmark.h"
#include "storage/ring/ring_store.h"

namespace shoal {
namespace {

constexpr int64_t kStepSec = 10;
constexpr int64_t kDayPoints = 8640;
// Not on the grid of the stripes: as many begin and end within the day as on any other.
constexpr int64_t kT0 = 1'700'001'230;

struct DiskBytes {
  double rings = 0;
  double journal = 0;
  double files = 0;
};

DiskBytes BytesOf(FileSystem* fs, const std::string& dir) {
  DiskBytes bytes;
  const std::vector<std::string> names = fs->List(dir).value_or(std::vector<std::string>());
  for (const std::string& name : names) {
    struct stat found = {};
    if (stat(JoinPath(dir, name).c_str(), &found) != 0) continue;
    const double allocated = 512.0 * static_cast<double>(found.st_blocks);
    (absl::EndsWith(name, ".ring") ? bytes.rings : bytes.journal) += allocated;
    bytes.files += absl::EndsWith(name, ".ring") ? 1 : 0;
  }
  return bytes;
}

// Arguments: series, points of a series in a flush.
void BM_DayOfTheFleet(benchmark::State& state) {
  const int64_t count = state.range(0);
  const int64_t flush_points = state.range(1);
  FileSystem* const fs = FileSystem::Posix();
  for (auto _ : state) {
    char path[] = "/tmp/shoal-disk-bench-XXXXXX";
    RingStoreOptions options;
    MetricRegistry metrics;
    options.fs = fs;
    options.dir = mkdtemp(path);
    options.metrics = &metrics;
    SeriesSchema schema;
    schema.archives = {{kStepSec, kDayPoints}};
    auto store = RingStore::Open(options, {schema});
    if (!store.ok()) return state.SkipWithError(std::string(store.status().message()).c_str());
    std::vector<FleetSeries> fleet;
    for (int64_t i = 0; i < count; ++i) fleet.emplace_back(7, i);
    std::vector<std::vector<Point>> points(fleet.size());
    for (int64_t done = 0; done < kDayPoints; done += flush_points) {
      std::vector<SeriesPoints> batch;
      for (size_t i = 0; i < fleet.size(); ++i) {
        points[i].clear();
        for (int64_t k = done; k < std::min(done + flush_points, kDayPoints); ++k)
          points[i].push_back({kT0 + k * kStepSec, fleet[i].Next().AsDouble()});
        batch.push_back({static_cast<SeriesId>(i), points[i]});
      }
      const absl::Status status = (*store)->Write(ArchiveKey{0, 0}, batch);
      if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
    }
    const double total = static_cast<double>(count * kDayPoints);
    const DiskBytes bytes = BytesOf(fs, options.dir);
    state.counters["B/point"] = bytes.rings / total;
    state.counters["journal_B/point"] = bytes.journal / total;
    state.counters["files"] = bytes.files;
    state.counters["promotions/series"] =
        static_cast<double>(metrics.AddCounter("shoal_ring_promotions_total", "")->Value()) /
        static_cast<double>(count);
    store->reset();
    const std::vector<std::string> names =
        fs->List(options.dir).value_or(std::vector<std::string>());
    for (const std::string& name : names) fs->Remove(JoinPath(options.dir, name)).IgnoreError();
    rmdir(options.dir.c_str());
  }
}
BENCHMARK(BM_DayOfTheFleet)
    ->Args({2'000, 60})
    ->Args({2'000, 6})
    ->Args({20'000, 60})
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace shoal
