// The index of names: what a look-up, a glob, a new name and a start cost, and bytes per name.
//
// Shapes: "grid" is a.HOST.GROUP.LEAF with 100 series a host; "fleet" has collectd's kind of names
// (about 50 bytes, 200 series a host); "flat" is one level of names that share nothing. Names
// arrive in random order unless it says "sorted".
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/metric/glob.h"
#include "benchmark/benchmark.h"
#include "leveldb/db.h"
#include "storage/index/metric_index.h"
#include "storage/index/name_tree.h"

namespace shoal {
namespace {

enum Shape { kGrid, kFleet, kFlat };

std::string NameAt(int shape, size_t i) {
  static const char* const kGroups[] = {"b",    "cpu",  "memory",  "df-root", "df-var",
                                        "load", "swap", "network", "disk",    "processes"};
  static const char* const kLeaves[] = {"c",  "user", "system", "idle", "wait",
                                        "rx", "tx",   "used",   "free", "total"};
  switch (shape) {
    case kGrid:
      return absl::StrFormat("a.host%06d.%s.%s", i / 100, kGroups[i / 10 % 10], kLeaves[i % 10]);
    case kFleet:
      return absl::StrFormat("collectd.eu-west-%d.web%05d_example_com.%s-%d.%s-%s", i / 200 % 7,
                             i / 200, kGroups[i / 20 % 10], i / 10 % 2, kGroups[i / 20 % 10],
                             kLeaves[i % 10]);
    default:
      return absl::StrFormat("checkout_requests_%08x_latency_p99",
                             static_cast<uint32_t>(i) * 2654435761u);
  }
}

std::vector<std::string> Names(int shape, size_t count, bool sorted) {
  std::vector<std::string> names;
  names.reserve(count);
  for (size_t i = 0; i < count; ++i) names.push_back(NameAt(shape, i));
  if (sorted) {
    std::sort(names.begin(), names.end());
  } else {
    std::shuffle(names.begin(), names.end(), std::mt19937(1));
  }
  return names;
}

size_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The tree of one shape and size; kept for the benchmarks that follow.
const NameTree& Tree(int shape, size_t count) {
  static std::unique_ptr<NameTree> tree;
  static std::pair<int, size_t> built{-1, 0};
  if (built != std::pair(shape, count)) {
    tree = nullptr;
    const std::vector<std::string> names = Names(shape, count, false);
    tree = std::make_unique<NameTree>();
    for (size_t i = 0; i < names.size(); ++i) tree->Insert(names[i], static_cast<SeriesId>(i));
    built = {shape, count};
  }
  return *tree;
}

void BM_Glob(benchmark::State& state, int shape, size_t count, const char* pattern) {
  const NameTree& tree = Tree(shape, count);
  const Glob glob = *Glob::Compile(pattern);
  size_t results = 0;
  size_t bytes = 0;
  for (auto _ : state) {
    results = 0;
    tree.Glob(glob, [&](const NameTree::Match& match) {
      ++results;
      bytes += match.path.size();
      return true;
    });
  }
  benchmark::DoNotOptimize(bytes);
  state.counters["results"] = static_cast<double>(results);
  state.counters["results/s"] =
      benchmark::Counter(static_cast<double>(results) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
  state.SetLabel(absl::StrCat(count, " names"));
}

void BM_Find(benchmark::State& state, int shape, size_t count) {
  const NameTree& tree = Tree(shape, count);
  std::mt19937 random(1);
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back(NameAt(shape, random() % count));
    state.ResumeTiming();
    for (const std::string& name : names) SHOAL_CHECK(tree.Find(name) != kNoSeries);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}

void BM_Insert(benchmark::State& state, int shape, size_t count, bool sorted) {
  const std::vector<std::string> names = Names(shape, count, sorted);
  size_t name_bytes = 0;
  for (const std::string& name : names) name_bytes += name.size();
  const double per_name = 1 / static_cast<double>(count);
  for (auto _ : state) {
    malloc_trim(0);
    const size_t before = AllocatedBytes();
    auto tree = std::make_unique<NameTree>();
    for (size_t i = 0; i < count; ++i) tree->Insert(names[i], static_cast<SeriesId>(i));
    state.counters["tree_bytes/name"] = static_cast<double>(AllocatedBytes() - before) * per_name;
    state.PauseTiming();
    tree = nullptr;
    state.ResumeTiming();
  }
  state.counters["name_bytes/name"] = static_cast<double>(name_bytes) * per_name;
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
}

std::unique_ptr<MetricIndex> OpenIndex(const std::string& dir) {
  auto index = MetricIndex::Open(
      {FileSystem::Posix(), absl::StrCat(dir, "/index"), absl::StrCat(dir, "/ring/series-log")});
  SHOAL_CHECK(index.ok());
  return *std::move(index);
}

struct TempDir {
  TempDir() {
    char pattern[] = "./find_bench_XXXXXX";
    SHOAL_CHECK(mkdtemp(pattern) != nullptr);
    path = pattern;
  }
  ~TempDir() { SHOAL_CHECK(std::system(absl::StrCat("rm -rf ", path).c_str()) == 0); }
  std::string path;
};

// What a.*.b.c costs on LevelDB with the names as keys, hopping from host to host: the other way to
// build this index.
void BM_GlobLevelDb(benchmark::State& state, size_t count) {
  const TempDir dir;
  leveldb::DB* opened = nullptr;
  leveldb::Options options;
  options.create_if_missing = true;
  SHOAL_CHECK(leveldb::DB::Open(options, dir.path, &opened).ok());
  const std::unique_ptr<leveldb::DB> db(opened);
  for (const std::string& name : Names(kGrid, count, true)) {
    SHOAL_CHECK(db->Put(leveldb::WriteOptions(), name, "123456").ok());
  }
  size_t results = 0;
  for (auto _ : state) {
    results = 0;
    const std::unique_ptr<leveldb::Iterator> it(db->NewIterator(leveldb::ReadOptions()));
    it->Seek("a.");
    while (it->Valid()) {
      const std::string key = it->key().ToString();
      const std::string host = key.substr(0, key.find('.', 2));
      it->Seek(host + ".b.c");
      if (it->Valid() && it->key() == host + ".b.c") ++results;
      it->Seek(host + "/");  // '/' follows '.'
    }
  }
  state.counters["results"] = static_cast<double>(results);
  state.SetLabel(absl::StrCat(count, " names"));
}

// New names from Create to durable, then the start that loads them again.
void BM_PersistAndOpen(benchmark::State& state, int shape, size_t count, bool lose_leveldb) {
  SetLogLevel("error").IgnoreError();
  const std::vector<std::string> names = Names(shape, count, false);
  const SeriesSchema schema = {{{10, 360}, {60, 1440}}, {AggregationMethod::kMax, 0.5}};
  const auto cpu = [] { return static_cast<double>(clock()) / CLOCKS_PER_SEC; };
  for (auto _ : state) {
    const TempDir dir;
    double create = 0;
    double persist = 0;
    {
      std::unique_ptr<MetricIndex> index = OpenIndex(dir.path);
      bool is_new = false;
      const SchemaId id = *index->InternSchema(schema, &is_new);
      double start = cpu();
      for (const std::string& name : names) index->Create(name, id);
      create = cpu() - start;
      start = cpu();
      SHOAL_CHECK(index->Persist().ok());
      persist = cpu() - start;
    }
    if (lose_leveldb)
      SHOAL_CHECK(std::system(absl::StrCat("rm -rf ", dir.path, "/index").c_str()) == 0);
    malloc_trim(0);
    const size_t before = AllocatedBytes();
    const double start = cpu();
    const auto wall_start = std::chrono::steady_clock::now();
    const std::unique_ptr<MetricIndex> index = OpenIndex(dir.path);
    state.counters["open_s"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count();
    state.counters["open_cpu_s"] = cpu() - start;
    SHOAL_CHECK(index->size() == count);
    state.counters["create_us/name"] = create * 1e6 / static_cast<double>(count);
    state.counters["persist_us/name"] = persist * 1e6 / static_cast<double>(count);
    state.counters["bytes/name"] =
        static_cast<double>(AllocatedBytes() - before) / static_cast<double>(count);
  }
}

void Register() {
  constexpr size_t kMillion = 1'000'000;
  struct Pattern {
    int shape;
    const char* pattern;
  };
  const Pattern patterns[] = {
      {kGrid, "a.*.b.c"},
      {kGrid, "a.*"},
      {kGrid, "a.host00[0-4]*.cpu.{user,system}"},
      {kGrid, "a.host000123.*.*"},
      {kGrid, "a.**.c"},
      {kFleet, "collectd.*.*.cpu-*.cpu-user"},
      {kFleet, "collectd.eu-west-3.web0000?_example_com.df-*.*"},
      {kFlat, "checkout_requests_00*"},
  };
  for (const size_t count : {kMillion, 10 * kMillion}) {
    for (const Pattern& p : patterns) {
      benchmark::RegisterBenchmark(
          absl::StrCat("Glob/", count / kMillion, "M/", p.pattern).c_str(),
          [p, count](benchmark::State& state) { BM_Glob(state, p.shape, count, p.pattern); })
          ->Unit(benchmark::kMillisecond);
    }
    for (const auto& [shape, name] :
         {std::pair(kGrid, "grid"), std::pair(kFleet, "fleet"), std::pair(kFlat, "flat")}) {
      benchmark::RegisterBenchmark(
          absl::StrCat("Find/", count / kMillion, "M/", name).c_str(),
          [shape = shape, count](benchmark::State& state) { BM_Find(state, shape, count); });
      for (const bool sorted : {false, true}) {
        benchmark::RegisterBenchmark(
            absl::StrCat("Insert/", count / kMillion, "M/", name, sorted ? "/sorted" : "").c_str(),
            [shape = shape, count, sorted](benchmark::State& state) {
              BM_Insert(state, shape, count, sorted);
            })
            ->Iterations(1)
            ->Unit(benchmark::kMillisecond);
      }
    }
    benchmark::RegisterBenchmark(
        absl::StrCat("GlobLevelDb/", count / kMillion, "M/a.*.b.c").c_str(),
        [count](benchmark::State& state) { BM_GlobLevelDb(state, count); })
        ->Unit(benchmark::kMillisecond);
    for (const bool lose : {false, true}) {
      benchmark::RegisterBenchmark(
          absl::StrCat("PersistAndOpen/", count / kMillion, "M/fleet", lose ? "/no_leveldb" : "")
              .c_str(),
          [count, lose](benchmark::State& state) { BM_PersistAndOpen(state, kFleet, count, lose); })
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) {
  shoal::Register();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
