// The consistent hashes of Graphite's relays, bit for bit: a router that takes the place of a relay
// must send every name where it went before. For the cluster's own placement see partition_map.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/cluster/destination.h"

namespace shoal {

// carbon and carbon-c-relay agree but for positions that two nodes claim: carbon moves the later
// one to the next free position, carbon-c-relay keeps only the smaller (host, instance).
enum class RingKind : uint8_t {
  kCarbonCh,        // carbon: MD5 of "('HOST', 'INSTANCE'):I"
  kCarbonChCrelay,  // carbon-c-relay's carbon_ch
  kFnv1aCh,         // carbon: FNV-1a of "I-INSTANCE"
  kFnv1aChCrelay,   // carbon-c-relay's fnv1a_ch: "I-INSTANCE", without instance "I-HOST:PORT"
  kJumpFnv1aCh,     // carbon-c-relay: no ring, a bucket per node
};
// "carbon_ch", "carbon_ch_crelay", "fnv1a_ch", "fnv1a_ch_crelay", "jump_fnv1a_ch".
absl::StatusOr<RingKind> ParseRingKind(absl::string_view name);
const char* RingKindName(RingKind kind);

// Immutable, thread safe.
class HashRing {
 public:
  static constexpr size_t kNodesMax = 1000;
  static constexpr size_t kOwnersMax = 128;  // of one key

  struct Options {
    // No two replicas on one host (carbon's DIVERSE_REPLICAS); otherwise on distinct nodes.
    bool diverse_replicas = false;
  };
  // The order of `nodes` matters: to carbon where positions collide, to jump_fnv1a_ch for nodes
  // without an instance. InvalidArgument for no nodes, too many, nodes that the hash cannot tell
  // apart (all but one would get nothing), kFnv1aCh without instances (carbon hashes "None" then),
  // and diverse_replicas for kJumpFnv1aCh, which has no such rule.
  static absl::StatusOr<HashRing> Build(RingKind kind, std::vector<Destination> nodes,
                                        Options options);
  static absl::StatusOr<HashRing> Build(RingKind kind, std::vector<Destination> nodes) {
    return Build(kind, std::move(nodes), Options());
  }

  // The first `owners.size()` nodes for `key`, in order, as indexes into nodes(). Returns how many
  // were set: fewer when there are not as many nodes, or hosts, and at most kOwnersMax. Does not
  // allocate.
  size_t Find(absl::string_view key, absl::Span<uint16_t> owners) const;

  RingKind kind() const { return kind_; }
  const std::vector<Destination>& nodes() const { return nodes_; }

  // A point of the ring and the node whose it is, in order of position; empty for jump_fnv1a_ch.
  struct Entry {
    uint32_t position;  // 16 bits, but carbon's moved entries may lie past them
    uint16_t node;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  // Where `key` lies on the ring.
  uint16_t Position(absl::string_view key) const;

 private:
  HashRing(RingKind kind, std::vector<Destination> nodes, Options options);
  absl::Status CheckNodes() const;
  std::string ReplicaKey(const Destination& node, int replica) const;
  void PlaceWithBump();
  void PlaceFirstWins();
  absl::Status OrderBuckets();
  size_t FindOnRing(absl::string_view key, absl::Span<uint16_t> owners) const;
  size_t FindByJump(absl::string_view key, absl::Span<uint16_t> owners) const;
  // Whether `node` may follow the `owners` that are chosen already.
  bool MayFollow(uint16_t node, absl::Span<const uint16_t> owners) const;

  RingKind kind_;
  Options options_;
  std::vector<Destination> nodes_;
  std::vector<uint16_t> hosts_;  // by node: the first node with the same host
  std::vector<Entry> entries_;
  std::vector<uint16_t> buckets_;  // kJumpFnv1aCh: the node of each bucket
};

}  // namespace shoal
