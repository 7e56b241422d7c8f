// Answers for rules_diff.py: rules_tool REWRITE AGGREGATION RELAY reads names, one a line; per name
// the output has its destinations and, behind a tab, the outputs of the aggregation rules.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/carbon_ini.h"
#include "router/rules/carbon_rules.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  shoal::CarbonRuleFiles files;
  shoal::RuleFile* const wanted[] = {&files.rewrite, &files.aggregation, &files.relay};
  for (int i = 0; i < 3; ++i) {
    auto text = shoal::ReadTextFile(argv[i + 1]);
    if (!text.ok()) return 2;
    *wanted[i] = {argv[i + 1], *text};
  }
  const auto rules = shoal::CompileCarbonRules(files, {});
  if (!rules.ok()) {
    std::cerr << rules.status() << "\n";
    return 1;
  }
  std::string name;
  while (std::getline(std::cin, name)) {
    const shoal::RuleOutcome outcome = rules->Evaluate(name);
    std::vector<std::string> sends;
    for (const auto& send : outcome.sends) {
      for (const auto& member : rules->clusters()[send.cluster].members()) {
        sends.push_back(
            absl::StrCat(outcome.names[send.name], "@", shoal::DestinationText(member)));
      }
    }
    std::vector<std::string> outputs;
    for (const auto& feed : outcome.feeds) outputs.push_back(outcome.names[feed.output]);
    std::cout << absl::StrJoin(sends, " ") << "\t" << absl::StrJoin(outputs, " ") << "\n";
  }
  return 0;
}
