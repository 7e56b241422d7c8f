// Answers for hash_ring_diff.py. Input: "ring KIND OWNERS DIVERSE DESTINATION...", then names, one
// a line; per name the output has its owners' indexes.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cluster/hash_ring.h"

namespace {

int Run() {
  std::unique_ptr<shoal::HashRing> ring;
  std::vector<uint16_t> owners;
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] != "ring") {
      if (ring == nullptr) return 2;
      const size_t found = ring->Find(line, absl::MakeSpan(owners));
      std::cout << absl::StrJoin(absl::MakeSpan(owners).subspan(0, found), " ") << "\n";
      continue;
    }
    size_t count = 0;
    const auto kind = shoal::ParseRingKind(words[1]);
    if (!kind.ok() || !absl::SimpleAtoi(words[2], &count)) return 2;
    owners.resize(count);
    std::vector<shoal::Destination> nodes;
    for (size_t i = 4; i < words.size(); ++i) {
      auto node = shoal::ParseDestination(words[i]);
      if (!node.ok()) return 2;
      nodes.push_back(std::move(node).value());
    }
    auto built =
        shoal::HashRing::Build(*kind, std::move(nodes), {.diverse_replicas = words[3] == "1"});
    if (!built.ok()) {
      std::cerr << built.status() << "\n";
      return 1;
    }
    ring = std::make_unique<shoal::HashRing>(std::move(built).value());
  }
  return 0;
}

}  // namespace

int main() { return Run(); }
