// carbon's rule files: whatever they hold, they compile or are refused with a reason, and what
// compiles gives valid names only.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/metric/metric_name.h"
#include "router/rules/carbon_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> parts = absl::StrSplit(text, "\n====\n");
  shoal::CarbonRuleFiles files;
  shoal::RuleFile* const wanted[] = {&files.relay, &files.rewrite, &files.aggregation,
                                     &files.blacklist, &files.whitelist};
  for (size_t i = 0; i < parts.size() && i < 5; ++i) {
    // Counted repetition makes regular expressions that are slow to compile, within their limits.
    if (absl::StrContains(parts[i], "{")) return 0;
    *wanted[i] = {"f.conf", parts[i]};
  }
  const auto rules = shoal::CompileCarbonRules(files, {});
  if (!rules.ok()) {
    SHOAL_CHECK(absl::StrContains(rules.status().message(), "f.conf"));
    return 0;
  }
  for (const char* name : {"a", "servers.web1.cpu.user", "prod.apps.shop.all", "disk;a=1;b=2"}) {
    const shoal::RuleOutcome outcome = rules->Evaluate(name);
    for (const std::string& made : outcome.names) {
      SHOAL_CHECK(shoal::ValidateName(made) == shoal::NameError::kNone);
    }
    SHOAL_CHECK((outcome.verdict == shoal::RuleVerdict::kSent) == !outcome.sends.empty());
    for (const auto& feed : outcome.feeds) {
      rules->EvaluateOutput(outcome.names[feed.output], feed.aggregation);
    }
    SHOAL_CHECK(!rules->Explain(name).empty());
  }
  return 0;
}
