// Replay of the WAL into the write buffer: what a restart does before it serves.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "bench/temp_dir.h"
#include "benchmark/benchmark.h"
#include "storage/index/metric_index.h"
#include "storage/log/segmented_log.h"
#include "storage/recovery.h"
#include "storage/wal_record.h"
#include "storage/write_buffer.h"

namespace shoal {
namespace {

constexpr int64_t kStartSec = 1'700'000'000;
constexpr int64_t kStepSec = 10;
constexpr size_t kBatch = 10'000;

// range(0): series; range(1): points of each in the log.
void BM_Replay(benchmark::State& state) {
  SetLogLevel("error").IgnoreError();
  const TempDir dir;
  const size_t series = static_cast<size_t>(state.range(0));
  MetricIndexOptions index_options;
  index_options.fs = FileSystem::Posix();
  index_options.dir = dir.path() + "/index";
  index_options.log_dir = dir.path() + "/series-log";
  auto index = MetricIndex::Open(index_options);
  SegmentedLogOptions options;
  options.dir = dir.path() + "/wal";
  auto wal = SegmentedLog::Open(options);
  if (!index.ok() || !wal.ok()) {
    state.SkipWithError("cannot open");
    return;
  }
  bool is_new = false;
  const SchemaId schema =
      *(*index)->InternSchema({{{kStepSec, 2160}, {60, 10'080}}, AggregationRule()}, &is_new);
  std::vector<SeriesId> order(series);
  for (size_t i = 0; i < series; ++i) {
    order[i] = (*index)->Create(absl::StrCat("servers.web", i / 100, ".cpu.core", i % 100), schema);
  }
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  WalBatch batch;
  std::string record;
  std::mt19937_64 random(2);
  for (int64_t step = 0; step < state.range(1); ++step) {
    for (size_t at = 0; at < series; at += kBatch) {
      batch.Clear();
      for (size_t i = at; i < std::min(series, at + kBatch); ++i) {
        batch.series.push_back(order[i]);
        batch.timestamps_sec.push_back(kStartSec + step * kStepSec);
        batch.values.push_back(static_cast<double>(random() % 10'000) / 100);
      }
      EncodeBatchRecord(batch, &record);
      if (!(*wal)->Append(record).ok()) state.SkipWithError("cannot append");
    }
  }
  if (!(*wal)->Roll().ok()) state.SkipWithError("cannot sync");

  ReplayOptions replay;
  replay.write_buffer_bytes_max = uint64_t{8} << 30;
  uint64_t points = 0;
  for (auto _ : state) {
    auto buffer = std::make_unique<WriteBuffer>([&](SeriesId id) {
      const SeriesSchema* const found = (*index)->SchemaOf(id);
      return found != nullptr ? found->archives.front().step_sec : 0;
    });
    std::vector<Committer::Deleted> deleted;
    std::vector<SeriesId> dead;
    RecoveryReport report;
    const absl::Status status = ReplayWal(
        replay, **wal, index->get(), buffer.get(), [](LogPosition) { return absl::OkStatus(); },
        &deleted, &dead, &report);
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
    points += report.points_replayed;
    state.PauseTiming();
    state.counters["bytes/point"] =
        static_cast<double>(buffer->bytes()) / static_cast<double>(buffer->points());
    buffer.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(points));
  state.counters["ns_cpu/point"] = benchmark::Counter(
      static_cast<double>(points) / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Replay)
    ->ArgNames({"series", "points"})
    ->Args({10'000, 1000})
    ->Args({1'000'000, 24})
    ->Iterations(2)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal
