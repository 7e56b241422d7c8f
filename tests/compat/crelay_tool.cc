// Answers for crelay_diff.py: crelay_tool CONFIG reads names, one a line; per name the output has
// the destinations in order.
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/carbon_ini.h"
#include "router/rules/crelay_config.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto text = shoal::ReadTextFile(argv[1]);
  if (!text.ok()) return 2;
  const auto config = shoal::ParseCrelayConfig(*text, argv[1], {});
  if (!config.ok()) {
    std::cerr << config.status() << "\n";
    return 1;
  }
  std::string name;
  while (std::getline(std::cin, name)) {
    const shoal::RuleOutcome outcome = config->rules.Evaluate(name);
    std::vector<std::string> sends;
    for (const auto& send : outcome.sends) {
      const shoal::RelayCluster& cluster = config->rules.clusters()[send.cluster];
      std::vector<uint16_t> found(cluster.candidates());
      found.resize(cluster.Find(outcome.names[send.key], absl::MakeSpan(found)));
      if (cluster.FirstUp()) found.resize(1);
      for (const uint16_t member : found) {
        const shoal::Destination& to = cluster.members()[member];
        sends.push_back(absl::StrCat(cluster.name(), ":", outcome.names[send.name], "@", to.host,
                                     ":", to.port));
      }
    }
    std::cout << absl::StrJoin(sends, " ") << "\n";
  }
  return 0;
}
