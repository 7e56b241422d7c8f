// A node's engine with its flushes: CPU per point, memory per series, and a restart after kill -9.
//
// The engine lives in a child process that ends without closing anything; the parent opens the
// folder again. The points come as fast as the engine takes them, which is harder on memory than
// the same points in their own time: more arrives while a round runs.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "bench/temp_dir.h"
#include "benchmark/benchmark.h"
#include "storage/engine.h"

namespace shoal {
namespace {

constexpr int64_t kStartSec = 1'700'000'000;
constexpr int64_t kStepSec = 10;
constexpr size_t kBatch = 10'000;

double CpuSeconds() {
  struct rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const struct timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A line of /proc/self/status, in bytes.
double Memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":", 0) != 0) continue;
    double kib = 0;
    std::istringstream(line.substr(name.size() + 1)) >> kib;
    return kib * 1024;
  }
  return 0;
}

EngineOptions Options(const std::string& dir, const Clock* clock) {
  EngineOptions options;
  options.clock = clock;
  options.dir = dir;
  options.cluster_name = "bench";
  options.node_name = "node";
  options.schemas =
      *SchemaRules::Parse("[all]\npattern = .*\nretentions = 10s:6h,60s:7d,600s:365d\n", "bench");
  return options;
}

struct Outcome {
  double cpu_sec = 0;  // behind the first step, which creates the series
  double points = 0;
  double rss_max = 0;     // the creation of the series included
  double rss_steady = 0;  // the most in the second half
  double buffer_bytes_max = 0;
  double wal_bytes_max = 0;
  bool failed = true;
};

// Counters, gauges and random walks of two decimals: values that look like a fleet's.
class Values {
 public:
  explicit Values(size_t series) : current_(series) {}
  double Next(size_t series) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    const int32_t some = static_cast<int32_t>(random_ >> 44) % 1000;
    switch (series % 10) {
      case 0:
      case 1:
        return 17;
      case 2:
      case 3:
      case 4:
        return current_[series] += some;
      case 9:
        return static_cast<double>(random_ >> 11) * 0x1p-53;
      default:
        return (current_[series] += some - 500) / 100.0;
    }
  }

 private:
  std::vector<int32_t> current_;
  uint64_t random_ = 1;
};

Outcome RunChild(const std::string& dir, size_t series, int64_t steps) {
  Outcome outcome;
  ManualClock clock(kStartSec);
  auto engine = Engine::Open(Options(dir, &clock));
  if (!engine.ok()) return outcome;
  std::vector<SeriesId> order;
  for (size_t i = 0; i < series; ++i) {
    auto id =
        (*engine)->Resolve(absl::StrCat("servers.web", i / 100, ".cpu.core", i % 100, ".user"));
    if (!id.ok()) return outcome;
    order.push_back(*id);
  }
  Values values(series);
  double cpu_start = 0;
  for (int64_t step = 0; step < steps; ++step) {
    if (step == 1) cpu_start = CpuSeconds();
    const int64_t time = kStartSec + step * kStepSec;
    clock.Set(time);
    for (size_t at = 0; at < series; at += kBatch) {
      WriteBatch batch;
      const size_t end = std::min(series, at + kBatch);
      for (size_t i = at; i < end; ++i) {
        batch.series.push_back(order[i]);
        batch.values.push_back(values.Next(i));
      }
      batch.timestamps_sec.assign(end - at, time);
      if (!(*engine)->WriteAndWait(std::move(batch)).status.ok()) return outcome;
    }
    const EngineStats stats = (*engine)->Stats();
    outcome.buffer_bytes_max =
        std::max(outcome.buffer_bytes_max, static_cast<double>(stats.write_buffer_bytes));
    if (step >= steps / 2) outcome.rss_steady = std::max(outcome.rss_steady, Memory("VmRSS"));
    outcome.wal_bytes_max = std::max(outcome.wal_bytes_max, static_cast<double>(stats.wal_bytes));
  }
  outcome.cpu_sec = CpuSeconds() - cpu_start;
  outcome.points = static_cast<double>(steps - 1) * static_cast<double>(series);
  outcome.rss_max = Memory("VmHWM");
  outcome.failed = false;
  engine->release();  // not closed: that would flush
  return outcome;
}

// range(0): series; range(1): points of each.
void BM_SteadyState(benchmark::State& state) {
  SetLogLevel("error").IgnoreError();
  const TempDir dir;
  const size_t series = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    int ends[2];
    if (::pipe(ends) != 0) return state.SkipWithError("pipe");
    const pid_t child = ::fork();
    if (child == 0) {
      const Outcome outcome = RunChild(dir.path(), series, state.range(1));
      const ssize_t written = ::write(ends[1], &outcome, sizeof(outcome));
      // As killed: nothing is flushed, nothing is closed.
      ::_exit(written == sizeof(outcome) ? 0 : 1);
    }
    Outcome outcome;
    const bool read = ::read(ends[0], &outcome, sizeof(outcome)) == sizeof(outcome);
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    if (!read || outcome.failed) return state.SkipWithError("the child failed");

    const double per_series = 1 / static_cast<double>(series);
    state.counters["cpu_sec/Mpoint"] = outcome.cpu_sec / outcome.points * 1e6;
    state.counters["rss_max/series"] = outcome.rss_max * per_series;
    state.counters["rss_steady/series"] = outcome.rss_steady * per_series;
    state.counters["buffer_max/series"] = outcome.buffer_bytes_max * per_series;
    state.counters["wal_max/series"] = outcome.wal_bytes_max * per_series;

    ManualClock clock(kStartSec + state.range(1) * kStepSec);
    const auto start = std::chrono::steady_clock::now();
    const double cpu_start = CpuSeconds();
    auto engine = Engine::Open(Options(dir.path(), &clock));
    if (!engine.ok()) return state.SkipWithError("cannot open again");
    state.counters["restart_sec"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    state.counters["restart_cpu_sec"] = CpuSeconds() - cpu_start;
    state.counters["replayed"] = static_cast<double>((*engine)->recovery().points_replayed);
    state.counters["restart_rss_max/series"] = Memory("VmHWM") * per_series;
    engine->release();  // the process ends soon, and the folder with it
  }
}
BENCHMARK(BM_SteadyState)
    ->ArgNames({"series", "points"})
    ->Args({1'000'000, 60})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace shoal
