// What the rules cost a new name. Names that are known cost nothing: their outcome is kept.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

}  // namespace
}  // namespace shoal
