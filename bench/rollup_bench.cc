// What a rollup costs: the arithmetic alone, and a whole run of the runner over ring files, reading
// and writing included. Items are fine points; the CPU column divided by them is the cost of one.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/metric/series.h"
#include "bench/temp_dir.h"
#include "storage/index/metric_index.h"
#include "storage/ring/ring_store.h"
#include "storage/ring/rollup.h"
#include "storage/rollup_runner.h"

namespace shoal {
namespace {

constexpr int64_t kStartSec = 1'700'006'400;  // a multiple of all steps
constexpr int64_t kStep = 10;

std::vector<double> Walk(size_t count, bool gaps) {
  std::mt19937_64 random(1);
  std::vector<double> values(count);
  double value = 100;
  for (double& v : values) {
    value += static_cast<double>(random() % 201) / 100 - 1;
    v = gaps && random() % 5 == 0 ? kAbsent : value;
  }
  return values;
}

AggregationRule RuleOf(int kind) {
  AggregationRule rule;
  if (kind == 1) rule.method = AggregationMethod::kMax;
  if (kind == 2) {
    rule.also = {{AggregationMethod::kMin, 0},
                 {AggregationMethod::kMax, 0},
                 {AggregationMethod::kPercentile, 9900}};
  }
  return rule;
}

// Rule: 0 average, 1 max, 2 average with min, max and p99.
void BM_RollUpFine(benchmark::State& state) {
  const AggregateColumns columns(RuleOf(static_cast<int>(state.range(0))));
  const std::vector<double> fine = Walk(1536, state.range(1) != 0);
  std::vector<double> cells(columns.size() * fine.size() / 6);
  for (auto _ : state) {
    benchmark::DoNotOptimize(RollUpFine(columns, 0.5, 6, fine, absl::MakeSpan(cells)));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * fine.size()));
}
BENCHMARK(BM_RollUpFine)->ArgNames({"rule", "gaps"})->ArgsProduct({{0, 1, 2}, {0, 1}});

void BM_RollUpCoarse(benchmark::State& state) {
  const AggregateColumns columns(RuleOf(static_cast<int>(state.range(0))));
  const std::vector<double> finer = Walk(columns.size() * 1000, false);
  std::vector<double> cells(finer.size() / 10);
  for (auto _ : state) {
    benchmark::DoNotOptimize(RollUpCoarse(columns, 0.5, 10, finer, absl::MakeSpan(cells)));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * 1000));
}
BENCHMARK(BM_RollUpCoarse)->ArgName("rule")->Arg(0)->Arg(2);

// Series with 90 minutes of points in a schema 10s:6h,60s:7d, in a folder of its own.
class Node {
 public:
  Node(int64_t series, int64_t points) {
    SetLogLevel("error").IgnoreError();
    MetricIndexOptions index;
    index.fs = FileSystem::Posix();
    index.dir = dir_.path() + "/index";
    index.log_dir = dir_.path() + "/series-log";
    index_ = *MetricIndex::Open(std::move(index));
    const SeriesSchema schema{{{kStep, 2160}, {60, 10080}}, AggregationRule()};
    bool is_new = false;
    const SchemaId id = *index_->InternSchema(schema, &is_new);
    RingStoreOptions options;
    options.dir = dir_.path() + "/ring";
    rings_ = *RingStore::Open(options, {schema});
    const std::vector<double> values = Walk(static_cast<size_t>(points) + 1000, false);
    std::vector<std::vector<Point>> pending;
    std::vector<SeriesPoints> batch;
    for (int64_t s = 0; s < series; ++s) {
      const SeriesId created = index_->Create(absl::StrCat("bench.rollup.s", s), id);
      std::vector<Point>& of_series = pending.emplace_back();
      for (int64_t i = 0; i < points; ++i)
        of_series.push_back({kStartSec + i * kStep, values[static_cast<size_t>(i + s % 1000)]});
      batch.push_back({created, {}});
      if (batch.size() < 8192 && s + 1 < series) continue;
      for (size_t i = 0; i < batch.size(); ++i) batch[i].points = pending[i];
      SHOAL_CHECK(rings_->Write({id, 0}, batch).ok());
      batch.clear();
      pending.clear();
    }
  }
  absl::Status RollUp(int64_t now_sec) {
    return RollupRunner(index_.get(), rings_.get()).Run(RollupRunner::When::kAll, now_sec);
  }
  void Forget() { SHOAL_CHECK(rings_->SetRolledUntil({0, 1}, 0).ok()); }

 private:
  TempDir dir_;
  std::unique_ptr<MetricIndex> index_;
  std::unique_ptr<RingStore> rings_;
};

void BM_RollupRun(benchmark::State& state) {
  const int64_t points = 540;
  Node node(state.range(0), points);
  const int64_t now_sec = kStartSec + points * kStep;
  for (auto _ : state) {
    SHOAL_CHECK(node.RollUp(now_sec).ok());
    state.PauseTiming();
    node.Forget();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * points);
}
// The first run, which makes slots and writes every page.
BENCHMARK(BM_RollupRun)
    ->Arg(100'000)
    ->Iterations(1)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

// Nothing is due, or nothing was ever written in the range.
void BM_RollupNothingToDo(benchmark::State& state) {
  Node node(100'000, 6);
  const int64_t now_sec = kStartSec + (state.range(0) != 0 ? 60 + 5 * 3600 : 60);
  SHOAL_CHECK(node.RollUp(kStartSec + 60).ok());
  for (auto _ : state) {
    SHOAL_CHECK(node.RollUp(now_sec).ok());
    if (state.range(0) == 0) continue;
    state.PauseTiming();
    SHOAL_CHECK(node.RollUp(kStartSec + 60).ok());
    state.ResumeTiming();
  }
}
BENCHMARK(BM_RollupNothingToDo)
    ->ArgName("five_empty_hours")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal
