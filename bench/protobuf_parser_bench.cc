// What a point of a protobuf payload costs before the name table sees it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "router/ingest/protobuf_parser.h"

namespace shoal {
namespace {

// 500 metrics with as many points each as the argument says.
void BM_ParseProtobuf(benchmark::State& state) {
  std::string payload;
  for (int i = 0; i < 500; ++i) {
    std::string metric = "\x0a";
    AppendLengthPrefixed(&metric, absl::StrCat("servers.rack", i % 7, ".host", i, ".cpu.user"));
    for (int64_t p = 0; p < state.range(0); ++p) {
      std::string point = "\x08";
      AppendVarint(&point, static_cast<uint64_t>(1'700'000'000 + p));
      point.push_back('\x11');
      AppendLE(&point, i * 0.25);
      metric.push_back('\x12');
      AppendLengthPrefixed(&metric, point);
    }
    payload.push_back('\x0a');
    AppendLengthPrefixed(&payload, metric);
  }
  int64_t points = 0;
  for (auto _ : state) {
    const ProtobufError error = ParseProtobuf(
        payload, 1'700'000'000, {}, {},
        [&](const ParsedLine& point) {
          benchmark::DoNotOptimize(point.value);
          ++points;
        },
        [](LineError, absl::string_view) {});
    if (error != ProtobufError::kNone) state.SkipWithError(ProtobufErrorName(error));
  }
  state.SetItemsProcessed(points);
}
BENCHMARK(BM_ParseProtobuf)->Arg(1)->Arg(10);

}  // namespace
}  // namespace shoal
