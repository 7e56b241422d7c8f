// What the rules cost a new name. Names that are known cost nothing: their outcome is kept.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "router/rules/aggregator.h"
#include "router/rules/carbon_rules.h"

namespace shoal {
namespace {

// As many relay rules as the argument says, of which the last one matches; two rewrite rules and an
// aggregation rule.
void BM_EvaluateNewName(benchmark::State& state) {
  CarbonRuleFiles files;
  files.rewrite = {"rewrite.conf", "[pre]\n^hosts\\. = servers.\n[post]\n_sum$ =\n"};
  files.aggregation = {"aggregation.conf", "<dc>.all.cpu (60) = sum <dc>.*.host*.cpu.user\n"};
  files.relay.path = "relay.conf";
  for (int i = 0; i < state.range(0); ++i) {
    absl::StrAppend(&files.relay.text, "[r", i, "]\npattern = ^servers\\.rack", i,
                    "\\..*\\.user$\ndestinations = 10.0.0.1:2004\n");
  }
  absl::StrAppend(&files.relay.text, "[default]\ndefault = true\ndestinations = 10.0.0.2:2004\n");
  const RuleSet rules = CompileCarbonRules(files, {}).value();
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) {
    names.push_back(absl::StrCat("servers.rack", state.range(0) - 1, ".host", i, ".cpu.user"));
  }
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rules.Evaluate(names[at]));
    at = at + 1 == names.size() ? 0 : at + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EvaluateNewName)->Arg(10)->Arg(100)->Arg(1000);

// A point into a bucket: the argument is the method, sums and percentiles.
void BM_AggregatorAdd(benchmark::State& state) {
  constexpr uint32_t kNow = 1'700'000'040;
  Aggregation rule;
  rule.computes = {{static_cast<AggregateMethod>(state.range(0)), 90, true}};
  Aggregator aggregator({});
  std::vector<Aggregator::Handle> outputs;
  for (int i = 0; i < 1000; ++i) {
    outputs.push_back(*aggregator.Open(absl::StrCat("all.", i), rule, 0));
  }
  size_t at = 0;
  int64_t taken = 0;
  for (auto _ : state) {
    taken += aggregator.Add(outputs[at], kNow, kNow, 1.5) == Aggregator::Taken::kYes;
    if (++at == outputs.size()) {
      at = 0;
      // Percentiles keep every value: a new interval before there is no room.
      if (aggregator.bytes() > 100 << 20) {
        state.PauseTiming();
        aggregator.Flush(kNow + 1000, [](const Aggregator::Emitted&) {});
        state.ResumeTiming();
      }
    }
  }
  state.SetItemsProcessed(taken);
}
BENCHMARK(BM_AggregatorAdd)
    ->Arg(static_cast<int>(AggregateMethod::kSum))
    ->Arg(static_cast<int>(AggregateMethod::kPercentile));

}  // namespace
}  // namespace shoal
