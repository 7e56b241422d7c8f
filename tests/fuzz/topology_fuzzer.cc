// topology: what is accepted can be placed, and every partition has distinct owners.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/cluster/partition_map.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto topology = shoal::Topology::Parse(
      absl::string_view(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  if (!topology.ok()) return 0;
  // The number of partitions says nothing about the parser, only about the time a run takes.
  topology->partitions = topology->partitions % 64 + 1;
  const shoal::PartitionMap map(*topology);
  SHOAL_CHECK(map.replication() == topology->replication);
  for (uint32_t p = 0; p < map.partition_count(); ++p) {
    const auto owners = map.Owners(p);
    for (size_t i = 0; i < owners.size(); ++i) {
      SHOAL_CHECK(owners[i] < topology->nodes.size());
      SHOAL_CHECK(topology->nodes[owners[i]].state != shoal::NodeState::kJoining);
      for (size_t j = 0; j < i; ++j) SHOAL_CHECK(owners[i] != owners[j]);
    }
  }
  return 0;
}
