// What a point costs the router before it is on the wire: parsing, the name table, batching.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "router/forward/spool_record.h"
#include "router/ingest/line_framer.h"
#include "router/ingest/name_table.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {
namespace {

constexpr uint32_t kNow = 1'700'000'000;

// Names, values and timestamps as agents send them.
std::string MakeLines(int series, int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) {
    absl::StrAppend(&text, "servers.rack", i % 7, ".host", i % series, ".cpu-", i % 4, ".user ",
                    i % 3 == 0 ? absl::StrCat(i % 1000) : absl::StrCat(i % 100, ".", 1 + i % 97),
                    " ", kNow + static_cast<uint32_t>(i / series) * 10, "\n");
  }
  return text;
}

void BM_FrameAndParse(benchmark::State& state) {
  const std::string text = MakeLines(1000, 10'000);
  const LineSyntax syntax;
  uint64_t lines = 0;
  for (auto _ : state) {
    LineFramer framer(16 << 10);
    framer.Feed(
        text,
        [&](absl::string_view line) {
          ParsedLine parsed;
          if (ParseLine(line, kNow, syntax, &parsed) == LineError::kNone) ++lines;
          benchmark::DoNotOptimize(parsed);
        },
        [](absl::string_view) {});
  }
  state.SetItemsProcessed(static_cast<int64_t>(lines));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(BM_FrameAndParse);

// Names that are known, in the order in which they were first seen (as an agent sends them), or at
// random.
void BM_NameTableHit(benchmark::State& state) {
  const size_t names = static_cast<size_t>(state.range(0));
  const bool in_order = state.range(1) != 0;
  std::vector<std::string> raw;
  NameTable table({.partition_count = 16384});
  uint32_t ref = 0;
  for (size_t i = 0; i < names; ++i) {
    raw.push_back(absl::StrCat("servers.rack.host", i, ".cpu.user"));
    table.Find(raw.back(), &ref);
  }
  if (!in_order) std::shuffle(raw.begin(), raw.end(), std::minstd_rand(1));
  size_t at = 0;
  uint64_t random = 1;
  for (auto _ : state) {
    table.Find(raw[at], &ref);
    benchmark::DoNotOptimize(ref);
    if (in_order) {
      if (++at == raw.size()) at = 0;
    } else {
      random = random * 6364136223846793005u + 1442695040888963407u;
      at = (random >> 33) % raw.size();
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_NameTableHit)
    ->ArgNames({"names", "in_order"})
    ->ArgsProduct({{1000, 100'000, 1'000'000}, {0, 1}});

void BM_NameTableNewName(benchmark::State& state) {
  NameTable table({.partition_count = 16384});
  uint64_t i = 0;
  for (auto _ : state) {
    uint32_t ref = 0;
    table.Find(absl::StrCat("servers.rack.host", i++, ".cpu.user"), &ref);
    benchmark::DoNotOptimize(ref);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_NameTableNewName);

void BM_SpoolRecordEncodeAndDecode(benchmark::State& state) {
  NodeBatch batch;
  auto book = std::make_shared<NameBook>(10'000, 1 << 20);
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = absl::StrCat("servers.rack.host", i, ".cpu.user");
    book->Add(name, name, 0);
    batch.refs.push_back(static_cast<uint32_t>(i));
    batch.timestamps_sec.push_back(kNow);
    batch.values.push_back(i * 0.5);
    batch.indexes.push_back(static_cast<uint32_t>(i));
  }
  batch.names = book;
  for (auto _ : state) {
    std::string record;
    EncodeSpoolRecord(batch, &record);
    SpooledBatch spooled;
    benchmark::DoNotOptimize(DecodeSpoolRecord(record, &spooled).ok());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * batch.points()));
}
BENCHMARK(BM_SpoolRecordEncodeAndDecode);

}  // namespace
}  // namespace shoal
