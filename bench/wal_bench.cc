// The WAL: encoding and appending a batch, group commit with several writers, and what fdatasync
// costs on a file that grows against one whose blocks are there already.
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "bench/temp_dir.h"
#include "benchmark/benchmark.h"
#include "storage/engine.h"
#include "storage/log/segmented_log.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

constexpr int64_t kStartSec = 1'700'000'000;
constexpr size_t kBatch = 10'000;

WalBatch Batch(bool one_time) {
  std::mt19937_64 random(1);
  WalBatch batch;
  for (size_t i = 0; i < kBatch; ++i) {
    batch.series.push_back(static_cast<SeriesId>(random() % 1'000'000));
    batch.timestamps_sec.push_back(kStartSec +
                                   (one_time ? 0 : 10 * static_cast<int64_t>(random() % 6)));
    batch.values.push_back(static_cast<double>(random() % 10'000) / 100);
  }
  return batch;
}

// Encode, checksum, write; no sync. range(0): whether all points have the same timestamp.
void BM_Append(benchmark::State& state) {
  const TempDir dir;
  SegmentedLogOptions options;
  options.dir = dir.path();
  auto log = SegmentedLog::Open(options);
  if (!log.ok()) return state.SkipWithError("cannot open");
  const WalBatch batch = Batch(state.range(0) != 0);
  std::string record;
  for (auto _ : state) {
    EncodeBatchRecord(batch, &record);
    auto position = (*log)->Append(record);
    if (!position.ok()) return state.SkipWithError("cannot append");
    if (position->segment >= 4 && position->offset < 200'000) {
      state.PauseTiming();
      (*log)->TruncateBefore(*position).IgnoreError();
      state.ResumeTiming();
    }
  }
  state.counters["bytes/point"] = static_cast<double>(record.size()) / kBatch;
  state.counters["ns_cpu/point"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBatch / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Append)->ArgName("one_time")->Arg(1)->Arg(0);

void BM_Decode(benchmark::State& state) {
  std::string bytes;
  EncodeBatchRecord(Batch(state.range(0) != 0), &bytes);
  WalRecord record;
  for (auto _ : state) {
    if (!DecodeWalRecord(bytes, &record).ok()) return state.SkipWithError("cannot decode");
    benchmark::DoNotOptimize(record.batch.values.data());
  }
  state.counters["ns_cpu/point"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBatch / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Decode)->ArgName("one_time")->Arg(1)->Arg(0);

// Writers that each wait for the acknowledgement of 100 points before they send the next: the
// fsyncs are shared.
class GroupCommit : public benchmark::Fixture {
 public:
  // Each thread calls both; the first one and the last one do the work.
  void SetUp(const benchmark::State&) override {
    MutexLock lock(&mu_);
    if (users_++ > 0) return;
    SetLogLevel("error").IgnoreError();
    dir_ = std::make_unique<TempDir>();
    clock_.Set(kStartSec);
    EngineOptions options;
    options.clock = &clock_;
    options.dir = dir_->path();
    options.cluster_name = "bench";
    options.node_name = "node";
    options.schemas = *SchemaRules::Parse("[all]\npattern = .*\nretentions = 10s:6h\n", "bench");
    auto engine = Engine::Open(std::move(options));
    if (engine.ok()) engine_ = *std::move(engine);
  }
  void TearDown(const benchmark::State&) override {
    MutexLock lock(&mu_);
    if (--users_ > 0) return;
    engine_.reset();
    dir_.reset();
  }

 protected:
  ManualClock clock_{kStartSec};
  std::unique_ptr<TempDir> dir_;
  std::unique_ptr<Engine> engine_;

 private:
  Mutex mu_;
  int users_ = 0;
};

BENCHMARK_DEFINE_F(GroupCommit, Write)(benchmark::State& state) {
  constexpr size_t kPoints = 100;
  std::vector<SeriesId> series;
  for (size_t i = 0; i < kPoints; ++i) {
    series.push_back(*engine_->Resolve(absl::StrCat("w", state.thread_index(), ".s", i)));
  }
  int64_t time = kStartSec - 10'000;
  for (auto _ : state) {
    WriteBatch batch;
    batch.series = series;
    batch.timestamps_sec.assign(kPoints, time);
    batch.values.assign(kPoints, 1.5);
    time = time < kStartSec ? time + 10 : kStartSec - 10'000;
    if (!engine_->WriteAndWait(std::move(batch)).status.ok()) {
      state.SkipWithError("not acknowledged");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_REGISTER_F(GroupCommit, Write)
    ->Threads(1)
    ->Threads(8)
    ->Threads(64)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// range(0): whether the file has been written over before; range(1): bytes per sync.
void BM_SyncAfterWrite(benchmark::State& state) {
  constexpr uint64_t kFileBytes = 64 << 20;
  const TempDir dir;
  auto file = FileSystem::Posix()->Open(dir.path() + "/file", OpenMode::kCreate);
  if (!file.ok()) return state.SkipWithError("cannot open");
  const std::string block(1 << 20, 'x');
  if (state.range(0) != 0) {
    for (uint64_t at = 0; at < kFileBytes; at += block.size()) {
      if (!(*file)->WriteAt(at, block).ok()) return state.SkipWithError("cannot write");
    }
  }
  if (!(*file)->Sync().ok()) return state.SkipWithError("cannot sync");
  const std::string bytes(static_cast<size_t>(state.range(1)), 'y');
  uint64_t at = 0;
  for (auto _ : state) {
    if (at + bytes.size() > kFileBytes) at = 0;
    if (!(*file)->WriteAt(at, bytes).ok() || !(*file)->Sync().ok())
      return state.SkipWithError("cannot sync");
    at += bytes.size();
  }
}
BENCHMARK(BM_SyncAfterWrite)
    ->ArgNames({"written_before", "bytes"})
    ->Args({0, 4 << 10})
    ->Args({1, 4 << 10})
    ->Args({0, 128 << 10})
    ->Args({1, 128 << 10})
    ->Iterations(400)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace shoal
