// carbon-c-relay configurations: whatever they hold, they compile or are refused with file and
// line, and what compiles gives valid names only.
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metric/metric_name.h"
#include "router/rules/crelay_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Counted repetition makes regular expressions that are slow to compile, within their limits.
  if (absl::StrContains(text, "{")) return 0;
  shoal::CrelayOptions options;
  options.clusters.push_back(shoal::RelayCluster::Shoal("main"));
  options.include = [&text](const std::string& path)
      -> absl::StatusOr<std::vector<shoal::CrelayOptions::IncludedFile>> {
    if (path != "self") return absl::NotFoundError("not found");
    return std::vector<shoal::CrelayOptions::IncludedFile>{{"f.conf", text.substr(0, 64)}};
  };
  const auto config = shoal::ParseCrelayConfig(text, "f.conf", options);
  if (!config.ok()) {
    SHOAL_CHECK(config.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  for (const char* name : {"a", "servers.web1.cpu.user", "sys.h1.cpu", "disk;a=1;b=2"}) {
    const shoal::RuleOutcome outcome = config->rules.Evaluate(name);
    for (const auto& send : outcome.sends) {
      SHOAL_CHECK(shoal::ValidateName(outcome.names[send.name]) == shoal::NameError::kNone);
    }
    for (const auto& feed : outcome.feeds) {
      SHOAL_CHECK(shoal::ValidateName(outcome.names[feed.output]) == shoal::NameError::kNone);
      config->rules.EvaluateOutput(outcome.names[feed.output], feed.aggregation);
    }
    SHOAL_CHECK((outcome.verdict == shoal::RuleVerdict::kSent) == !outcome.sends.empty());
    SHOAL_CHECK(!config->rules.Explain(name).empty());
  }
  return 0;
}
