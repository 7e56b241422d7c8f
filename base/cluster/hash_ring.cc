#include "base/cluster/hash_ring.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "base/cluster/md5.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr int kReplicaCount = 100;  // points of a node on the ring
constexpr std::array<const char*, 5> kKindNames = {"carbon_ch", "carbon_ch_crelay", "fnv1a_ch",
                                                   "fnv1a_ch_crelay", "jump_fnv1a_ch"};

// The order in which carbon-c-relay counts jump buckets: nodes with an instance first, by number
// where both are numbers.
bool BucketBefore(const Destination& left, const Destination& right) {
  if (!left.instance || !right.instance) return left.instance && !right.instance;
  char* left_end = nullptr;
  char* right_end = nullptr;
  const long left_number = std::strtol(left.instance->c_str(), &left_end, 10);
  const long right_number = std::strtol(right.instance->c_str(), &right_end, 10);
  if (*left_end == '\0' && *right_end == '\0') return left_number < right_number;
  return *left.instance < *right.instance;
}

// One step of xorshift64*: another hash for the next replica.
uint64_t NextHash(uint64_t hash) {
  hash ^= hash >> 12;
  hash ^= hash << 25;
  hash ^= hash >> 27;
  return hash * 2685821657736338717u;
}

}  // namespace

absl::StatusOr<RingKind> ParseRingKind(absl::string_view name) {
  for (size_t i = 0; i < kKindNames.size(); ++i) {
    if (name == kKindNames[i]) return static_cast<RingKind>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("no consistent hash is called \"", name, "\""));
}

const char* RingKindName(RingKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

absl::StatusOr<HashRing> HashRing::Build(RingKind kind, std::vector<Destination> nodes,
                                         Options options) {
  HashRing ring(kind, std::move(nodes), options);
  SHOAL_RETURN_IF_ERROR(ring.CheckNodes());
  switch (kind) {
    case RingKind::kCarbonCh:
    case RingKind::kFnv1aCh:
      ring.PlaceWithBump();
      break;
    case RingKind::kCarbonChCrelay:
    case RingKind::kFnv1aChCrelay:
      ring.PlaceFirstWins();
      break;
    case RingKind::kJumpFnv1aCh:
      SHOAL_RETURN_IF_ERROR(ring.OrderBuckets());
      break;
  }
  return ring;
}

HashRing::HashRing(RingKind kind, std::vector<Destination> nodes, Options options)
    : kind_(kind), options_(options), nodes_(std::move(nodes)) {
  absl::flat_hash_map<std::string, uint16_t> first_of_host;
  for (const Destination& node : nodes_) {
    const auto index = static_cast<uint16_t>(hosts_.size());
    hosts_.push_back(first_of_host.try_emplace(node.host, index).first->second);
  }
}

absl::Status HashRing::CheckNodes() const {
  const auto error = [this](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(RingKindName(kind_), ": ", what));
  };
  if (nodes_.empty()) return error("no destinations");
  if (nodes_.size() > kNodesMax) {
    return error(absl::StrCat(nodes_.size(), " destinations, at most ", kNodesMax, " are taken"));
  }
  if (kind_ == RingKind::kJumpFnv1aCh && options_.diverse_replicas) {
    return error("replicas on distinct hosts are not known to it");
  }
  absl::flat_hash_map<std::string, const Destination*> identities;
  for (const Destination& node : nodes_) {
    if (kind_ == RingKind::kFnv1aCh && !node.instance) {
      return error(absl::StrCat("destination ", DestinationText(node),
                                " needs an instance: nothing else of it is hashed"));
    }
    // carbon knows a node by host and instance, whatever it hashes.
    const std::string identity = kind_ == RingKind::kJumpFnv1aCh ? DestinationText(node)
                                 : kind_ == RingKind::kFnv1aCh
                                     ? absl::StrCat(node.host, ":", *node.instance)
                                     : ReplicaKey(node, 0);
    const auto [other, is_new] = identities.try_emplace(identity, &node);
    if (!is_new) {
      return error(absl::StrCat("destinations ", DestinationText(*other->second), " and ",
                                DestinationText(node),
                                " are one to this hash; give them distinct instances"));
    }
  }
  return absl::OkStatus();
}

std::string HashRing::ReplicaKey(const Destination& node, int replica) const {
  switch (kind_) {
    case RingKind::kCarbonCh:
    case RingKind::kCarbonChCrelay:
      // Python's way to write the tuple (host, instance).
      return node.instance ? absl::StrCat("('", node.host, "', '", *node.instance, "'):", replica)
                           : absl::StrCat("('", node.host, "', None):", replica);
    case RingKind::kFnv1aCh:
    case RingKind::kFnv1aChCrelay:
      return node.instance ? absl::StrCat(replica, "-", *node.instance)
                           : absl::StrCat(replica, "-", node.host, ":", node.port);
    case RingKind::kJumpFnv1aCh:
      break;
  }
  return "";
}

uint16_t HashRing::Position(absl::string_view key) const {
  if (kind_ == RingKind::kCarbonCh || kind_ == RingKind::kCarbonChCrelay) {
    const std::array<uint8_t, 16> digest = Md5(key);
    return static_cast<uint16_t>(digest[0] << 8 | digest[1]);
  }
  const uint32_t hash = Fnv1a32(key);
  return static_cast<uint16_t>((hash >> 16) ^ (hash & 0xffff));
}

// carbon: a position that is taken, by whomever, is left for the next free one.
void HashRing::PlaceWithBump() {
  const size_t count = nodes_.size() * kReplicaCount;
  // From a position to one at or before the next free one; itself while it is free.
  std::vector<uint32_t> forward((size_t{1} << 16) + count + 1);
  std::iota(forward.begin(), forward.end(), 0);
  entries_.reserve(count);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    for (int replica = 0; replica < kReplicaCount; ++replica) {
      uint32_t position = Position(ReplicaKey(nodes_[n], replica));
      while (forward[position] != position) {
        forward[position] = forward[forward[position]];
        position = forward[position];
      }
      forward[position] = position + 1;
      entries_.push_back({position, static_cast<uint16_t>(n)});
    }
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.position < b.position; });
}

// carbon-c-relay: of all entries at a position the first in order counts.
void HashRing::PlaceFirstWins() {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    for (int replica = 0; replica < kReplicaCount; ++replica) {
      entries_.push_back({Position(ReplicaKey(nodes_[n], replica)), static_cast<uint16_t>(n)});
    }
  }
  const bool by_port = kind_ == RingKind::kFnv1aChCrelay;
  std::stable_sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
    if (a.position != b.position) return a.position < b.position;
    const Destination& left = nodes_[a.node];
    const Destination& right = nodes_[b.node];
    if (left.host != right.host) return left.host < right.host;
    if (by_port) return left.port < right.port;
    if (!left.instance || !right.instance) return left.instance && !right.instance;
    return *left.instance < *right.instance;
  });
  entries_.erase(
      std::unique(entries_.begin(), entries_.end(),
                  [](const Entry& a, const Entry& b) { return a.position == b.position; }),
      entries_.end());
}

absl::Status HashRing::OrderBuckets() {
  // By hand: where some instances are numbers and some are not, BucketBefore may contradict itself
  // (10 < 1a < 9 < 10), which std::sort must not meet.
  for (size_t n = 0; n < nodes_.size(); ++n) {
    size_t at = n;
    while (at > 0 && BucketBefore(nodes_[n], nodes_[buckets_[at - 1]])) --at;
    buckets_.insert(buckets_.begin() + static_cast<ptrdiff_t>(at), static_cast<uint16_t>(n));
  }
  for (size_t i = 0; i < buckets_.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!BucketBefore(nodes_[buckets_[i]], nodes_[buckets_[j]])) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(RingKindName(kind_), ": instances ", *nodes_[buckets_[j]].instance, " and ",
                       *nodes_[buckets_[i]].instance,
                       " have no order with the others: use numbers only, or none"));
    }
  }
  return absl::OkStatus();
}

bool HashRing::MayFollow(uint16_t node, absl::Span<const uint16_t> owners) const {
  for (const uint16_t owner : owners) {
    if (owner == node || (options_.diverse_replicas && hosts_[owner] == hosts_[node])) return false;
  }
  return true;
}

size_t HashRing::Find(absl::string_view key, absl::Span<uint16_t> owners) const {
  if (owners.empty()) return 0;
  return kind_ == RingKind::kJumpFnv1aCh ? FindByJump(key, owners) : FindOnRing(key, owners);
}

size_t HashRing::FindOnRing(absl::string_view key, absl::Span<uint16_t> owners) const {
  const auto first = std::lower_bound(
      entries_.begin(), entries_.end(), Position(key),
      [](const Entry& entry, uint32_t position) { return entry.position < position; });
  // carbon's walk for replicas never reaches the entry just before its start.
  const bool whole = kind_ == RingKind::kCarbonChCrelay || kind_ == RingKind::kFnv1aChCrelay;
  const size_t steps = whole ? entries_.size() : entries_.size() - 1;
  size_t at = static_cast<size_t>(first - entries_.begin());
  size_t found = 0;
  for (size_t i = 0; i < steps && found < owners.size(); ++i, ++at) {
    if (at >= entries_.size()) at = 0;
    const uint16_t node = entries_[at].node;
    if (MayFollow(node, owners.subspan(0, found))) owners[found++] = node;
  }
  return found;
}

size_t HashRing::FindByJump(absl::string_view key, absl::Span<uint16_t> owners) const {
  // A chosen bucket is filled with the last one, and there is one less. The few that have changed
  // are kept here, instead of a copy of all.
  struct Filled {
    uint16_t bucket;
    uint16_t node;
  };
  std::array<Filled, kOwnersMax> filled;
  size_t filled_count = 0;
  const auto node_of = [&](uint32_t bucket) {
    for (size_t i = filled_count; i-- > 0;) {
      if (filled[i].bucket == bucket) return filled[i].node;
    }
    return buckets_[bucket];
  };

  uint64_t hash = Fnv1a64(key);
  size_t found = 0;
  for (auto count = static_cast<uint32_t>(buckets_.size());
       count > 0 && found < owners.size() && filled_count < kOwnersMax; --count) {
    const uint32_t bucket = JumpHash(hash, count);
    owners[found++] = node_of(bucket);
    const uint16_t last = node_of(count - 1);
    filled[filled_count++] = {static_cast<uint16_t>(bucket), last};
    hash = NextHash(hash);
  }
  return found;
}

}  // namespace shoal
