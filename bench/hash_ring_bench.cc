// What placing a new name costs a relay, per hash.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/cluster/hash_ring.h"

namespace shoal {
namespace {

// Arguments: the hash, the number of nodes. Two owners a name.
void BM_HashRingFind(benchmark::State& state) {
  const auto kind = static_cast<RingKind>(state.range(0));
  std::vector<Destination> nodes;
  for (int i = 0; i < state.range(1); ++i) {
    nodes.push_back({absl::StrCat("10.0.0.", i), 2003, absl::StrCat(i)});
  }
  const HashRing ring = HashRing::Build(kind, nodes).value();
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i)
    names.push_back(absl::StrCat("servers.rack3.host", i, ".cpu.user"));
  std::array<uint16_t, 2> owners;
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.Find(names[at], absl::MakeSpan(owners)));
    at = at + 1 == names.size() ? 0 : at + 1;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetLabel(RingKindName(kind));
}
BENCHMARK(BM_HashRingFind)->ArgsProduct({{0, 1, 2, 3, 4}, {3, 100}});

}  // namespace
}  // namespace shoal
