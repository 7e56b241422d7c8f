// What a point of a pickle costs before the name table sees it.
#include <benchmark/benchmark.h>

#include <bit>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "router/ingest/pickle_parser.h"

namespace shoal {
namespace {

void AppendBigEndian(double value, std::string* to) {
  const auto bits = std::bit_cast<uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8)
    to->push_back(static_cast<char>(bits >> shift & 0xff));
}

// As carbon-relay writes it: protocol 2, 500 points, everything put into the memo.
std::string CarbonMessage() {
  std::string pickle = "\x80\x02]q";
  pickle.push_back('\0');
  pickle.push_back('(');
  uint32_t slot = 1;
  const auto put = [&] {
    if (slot < 256) {
      pickle.push_back('q');
      pickle.push_back(static_cast<char>(slot));
    } else {
      pickle.push_back('r');
      pickle.append(reinterpret_cast<const char*>(&slot), sizeof(slot));
    }
    ++slot;
  };
  for (int i = 0; i < 500; ++i) {
    const std::string name =
        absl::StrCat("servers.rack", i % 7, ".host", i, ".cpu-", i % 4, ".user");
    const auto size = static_cast<uint32_t>(name.size());
    pickle.push_back('X');
    pickle.append(reinterpret_cast<const char*>(&size), sizeof(size));
    pickle += name;
    put();
    const uint32_t timestamp = 1'700'000'000;
    pickle.push_back('J');
    pickle.append(reinterpret_cast<const char*>(&timestamp), sizeof(timestamp));
    pickle.push_back('G');
    AppendBigEndian(i * 0.25, &pickle);
    pickle.push_back('\x86');
    put();
    pickle.push_back('\x86');
    put();
  }
  return pickle + "e.";
}

void BM_ParsePickle(benchmark::State& state) {
  const std::string pickle = CarbonMessage();
  PickleParser parser(PickleLimits{});
  int64_t points = 0;
  for (auto _ : state) {
    const PickleError error = parser.Parse(
        pickle, 1'700'000'000, {},
        [&](const ParsedLine& point) {
          benchmark::DoNotOptimize(point.value);
          ++points;
        },
        [](LineError, absl::string_view) {});
    if (error != PickleError::kNone) state.SkipWithError(PickleErrorName(error));
  }
  state.SetItemsProcessed(points);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * pickle.size()));
}
BENCHMARK(BM_ParsePickle);

}  // namespace
}  // namespace shoal
