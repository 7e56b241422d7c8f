#include "base/cluster/partition_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"

// Everything here must come out the same on every machine. Floating point is therefore held to
// operations that IEEE 754 defines to the last bit (this file is compiled with -ffp-contract=off),
// sums run in the order of the nodes' names, and ties are broken by name. Frozen: a change in any
// formula moves data.

namespace shoal {
namespace {

// -ln(u) for u uniform in (0, 1), made from the upper bits of `hash`. Not std::log, which may
// differ in its last bit from one C library to the next.
double NegativeLog(uint64_t hash) {
  // An odd number of 53 bits times 2^-53: exact, neither 0 nor 1.
  int exponent = 0;
  double mantissa = std::frexp(static_cast<double>(2 * (hash >> 12) + 1), &exponent);
  exponent -= 53;
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    exponent -= 1;
  }
  // ln(m) = 2 artanh((m - 1) / (m + 1)); eleven terms leave less than the rounding of a double.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double s2 = s * s;
  double sum = 1.0 / 21;
  for (int k = 19; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return -(exponent * 0.69314718055994531 + 2 * s * sum);
}

// The smallest argument at which the rising function `f` reaches `target`, which it does at `high`.
template <typename F>
double Solve(double high, double target, F f) {
  double low = 0;
  for (int i = 0; i < 128; ++i) {
    const double middle = (low + high) / 2;
    (f(middle) < target ? low : high) = middle;
  }
  return high;
}

struct Candidate {
  double distance;  // -ln(u) / weight: the reciprocal of the rendezvous score, the nearest wins
  size_t node;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.node < b.node;
  }
};

struct Node {
  uint16_t number;  // in the topology
  double weight;
  uint64_t hash;
  size_t zone;
  int64_t room;  // replicas that it may still take
};

struct Zone {
  std::vector<size_t> nodes;
  int64_t quota = 0;  // replicas of one partition that may lie here
  // Of the partition that is being placed; see Assigner::PickWithinBudget.
  int64_t taken = 0;
  int64_t free_left = 0;  // candidates
  int64_t paid_left = 0;
  int64_t spare = 0;  // picks of paid candidates that cost nothing yet

  // Picks still possible here: all of them, and those that cost nothing.
  int64_t Picks() const { return std::min(free_left + paid_left, quota - taken); }
  int64_t FreePicks() const {
    return std::min(free_left + std::min(paid_left, spare), quota - taken);
  }
};

// Places partition after partition. Nodes are numbered in the order of their names.
class Assigner {
 public:
  explicit Assigner(const Topology& topology);

  size_t replication() const { return static_cast<size_t>(replication_); }
  // The node numbers of all partitions, replication() of each.
  std::vector<uint16_t> Run();

 private:
  void SetQuotas();
  void SetRoom();
  void Pick(uint32_t partition);
  void PickNearest();
  void PickWithinBudget(int64_t left, int64_t budget);
  void PickRegardlessOfRoom();
  // How many replicas `left` partitions could place with the room there is. Notes which zones have
  // room to spare.
  int64_t PlaceableReplicas(int64_t left);

  const int64_t partitions_;
  int64_t replication_ = 0;
  std::vector<Node> nodes_;
  std::vector<Zone> zones_;
  std::vector<double> distances_;  // by node, of the partition that is being placed
  std::vector<Candidate> picked_;  // likewise, nearest first
  std::vector<Candidate> scratch_;
};

Assigner::Assigner(const Topology& topology) : partitions_(topology.partitions) {
  std::vector<uint16_t> order;
  for (size_t i = 0; i < topology.nodes.size(); ++i) {
    if (topology.nodes[i].state != NodeState::kJoining) order.push_back(static_cast<uint16_t>(i));
  }
  std::sort(order.begin(), order.end(), [&topology](uint16_t a, uint16_t b) {
    return topology.nodes[a].name < topology.nodes[b].name;
  });
  absl::flat_hash_map<std::string, size_t> zone_numbers;
  for (const uint16_t number : order) {
    const TopologyNode& from = topology.nodes[number];
    size_t zone = zones_.size();
    // A node without a zone shares its fate with no other, as far as anybody knows.
    if (!from.zone.empty()) zone = zone_numbers.emplace(from.zone, zone).first->second;
    if (zone == zones_.size()) zones_.emplace_back();
    zones_[zone].nodes.push_back(nodes_.size());
    nodes_.push_back({number, from.weight, Hash64(from.name), zone, 0});
  }
  replication_ = std::min<int64_t>(topology.replication, static_cast<int64_t>(nodes_.size()));
  distances_.resize(nodes_.size());
  if (replication_ == 0) return;
  SetQuotas();
  SetRoom();
}

// The lowest number of replicas per zone that lets all of a partition find a place.
void Assigner::SetQuotas() {
  int64_t places = 0;
  for (int64_t level = 1; places < replication_; ++level) {
    places = 0;
    for (Zone& zone : zones_) {
      zone.quota = std::min(level, static_cast<int64_t>(zone.nodes.size()));
      places += zone.quota;
    }
  }
}

// The fair share of a node is in proportion to its weight, but no node can take a partition twice
// and no zone more than its quota; what they cannot take the others share, again by weight.
void Assigner::SetRoom() {
  const double partitions = static_cast<double>(partitions_);
  double weight_min = nodes_.front().weight;
  for (const Node& node : nodes_) weight_min = std::min(weight_min, node.weight);
  SHOAL_CHECK(weight_min > 0);
  const double level_max = partitions / weight_min;
  const auto share = [&](const Node& node, double level) {
    return std::min(level * node.weight, partitions);
  };
  const auto uncapped = [&](const Zone& zone, double level) {
    double sum = 0;
    for (const size_t node : zone.nodes) sum += share(nodes_[node], level);
    return sum;
  };
  const auto zone_max = [&](const Zone& zone) {
    return static_cast<double>(zone.quota) * partitions;
  };
  const double level =
      Solve(level_max, static_cast<double>(replication_) * partitions, [&](double candidate) {
        double sum = 0;
        for (const Zone& zone : zones_) sum += std::min(uncapped(zone, candidate), zone_max(zone));
        return sum;
      });
  for (const Zone& zone : zones_) {
    double zone_level = level;
    if (uncapped(zone, level) > zone_max(zone)) {
      zone_level =
          Solve(level, zone_max(zone), [&](double candidate) { return uncapped(zone, candidate); });
    }
    for (const size_t node : zone.nodes) {
      const double bound = PartitionMap::kLoadFactor * share(nodes_[node], zone_level);
      // The small term keeps a bound that is a whole number from being rounded up for the error of
      // the bisection.
      nodes_[node].room = std::min(partitions_, static_cast<int64_t>(std::ceil(bound - 1e-6)));
    }
  }
}

std::vector<uint16_t> Assigner::Run() {
  std::vector<uint16_t> owners;
  owners.reserve(static_cast<size_t>(partitions_ * replication_));
  for (uint32_t partition = 0; partition < partitions_ && replication_ > 0; ++partition) {
    Pick(partition);
    for (const Candidate& candidate : picked_) {
      --nodes_[candidate.node].room;
      owners.push_back(nodes_[candidate.node].number);
    }
  }
  return owners;
}

int64_t Assigner::PlaceableReplicas(int64_t left) {
  int64_t placeable = 0;
  for (Zone& zone : zones_) {
    int64_t room = 0;
    for (const size_t node : zone.nodes) room += std::clamp<int64_t>(nodes_[node].room, 0, left);
    placeable += std::min(room, zone.quota * left);
    zone.spare = std::clamp<int64_t>(room - zone.quota * left, 0, zone.quota);
  }
  return placeable;
}

void Assigner::Pick(uint32_t partition) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    char key[12];
    StoreLE<uint64_t>(key, nodes_[i].hash);
    StoreLE<uint32_t>(key + 8, partition);
    distances_[i] = NegativeLog(Hash64(key, sizeof(key))) / nodes_[i].weight;
  }
  picked_.clear();
  for (Zone& zone : zones_) zone.taken = 0;
  // Invariant: PlaceableReplicas(left) >= replication * left before each partition, so that the
  // last ones do not find all room in one node or zone. Placing a replica where room is scarce
  // costs one of the surplus.
  const int64_t left_after = partitions_ - partition - 1;
  const int64_t budget = PlaceableReplicas(left_after) - replication_ * left_after;
  if (budget >= replication_) {
    PickNearest();
  } else {
    PickWithinBudget(left_after, budget);
  }
  if (static_cast<int64_t>(picked_.size()) < replication_) PickRegardlessOfRoom();
  std::sort(picked_.begin(), picked_.end());
}

// One pass without sorting: a candidate that does not fit in replaces the farthest of those that
// keep it out. (Quotas and count form a matroid, so this finds what taking the nearest in order
// would find.)
void Assigner::PickNearest() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].room <= 0) continue;
    const Candidate candidate{distances_[i], i};
    Zone& zone = zones_[nodes_[i].zone];
    const bool zone_full = zone.taken == zone.quota;
    if (!zone_full && static_cast<int64_t>(picked_.size()) < replication_) {
      picked_.push_back(candidate);
      ++zone.taken;
      continue;
    }
    Candidate* farthest = nullptr;
    for (Candidate& other : picked_) {
      if (zone_full && nodes_[other.node].zone != nodes_[i].zone) continue;
      if (farthest == nullptr || *farthest < other) farthest = &other;
    }
    if (farthest == nullptr || !(candidate < *farthest)) continue;
    --zones_[nodes_[farthest->node].zone].taken;
    *farthest = candidate;
    ++zone.taken;
  }
}

// The nearest in order, but at most `budget` of those whose room the `left` partitions to come
// depend on: nodes that have no more room than there are partitions left, in zones that have
// nothing to spare.
void Assigner::PickWithinBudget(int64_t left, int64_t budget) {
  const auto is_free = [&](size_t i) { return nodes_[i].room > left; };
  scratch_.clear();
  for (Zone& zone : zones_) zone.free_left = zone.paid_left = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].room <= 0) continue;
    scratch_.push_back({distances_[i], i});
    Zone& zone = zones_[nodes_[i].zone];
    ++(is_free(i) ? zone.free_left : zone.paid_left);
  }
  std::sort(scratch_.begin(), scratch_.end());
  int64_t picks = 0;  // sums over the zones
  int64_t free_picks = 0;
  const auto count = [&](const Zone& zone, int64_t sign) {
    picks += sign * zone.Picks();
    free_picks += sign * zone.FreePicks();
  };
  for (const Zone& zone : zones_) count(zone, +1);
  for (const Candidate& candidate : scratch_) {
    const int64_t wanted = replication_ - static_cast<int64_t>(picked_.size());
    if (wanted == 0) break;
    Zone& zone = zones_[nodes_[candidate.node].zone];
    const bool free = is_free(candidate.node);
    count(zone, -1);
    --(free ? zone.free_left : zone.paid_left);
    const int64_t taken_before = zone.taken;
    const int64_t spare_before = zone.spare;
    const bool costs = !free && zone.spare == 0;
    bool pick = zone.taken < zone.quota && (!costs || budget > 0);
    if (pick) {
      ++zone.taken;
      if (!free && !costs) --zone.spare;
    }
    count(zone, +1);
    const int64_t budget_after = budget - (pick && costs ? 1 : 0);
    // Only while enough candidates remain for the rest of the replicas.
    if (pick && free_picks + std::min(picks - free_picks, budget_after) < wanted - 1) {
      count(zone, -1);
      zone.taken = taken_before;
      zone.spare = spare_before;
      count(zone, +1);
      pick = false;
    }
    if (!pick) continue;
    picked_.push_back(candidate);
    budget = budget_after;
  }
}

// Zones apart are a promise, the bound on the load is a matter of cost: where both cannot be kept,
// the bound gives way.
void Assigner::PickRegardlessOfRoom() {
  scratch_.clear();
  for (size_t i = 0; i < nodes_.size(); ++i) scratch_.push_back({distances_[i], i});
  std::sort(scratch_.begin(), scratch_.end());
  for (const Candidate& candidate : scratch_) {
    if (static_cast<int64_t>(picked_.size()) == replication_) return;
    Zone& zone = zones_[nodes_[candidate.node].zone];
    const bool is_picked = std::any_of(picked_.begin(), picked_.end(), [&](const Candidate& other) {
      return other.node == candidate.node;
    });
    if (is_picked || zone.taken == zone.quota) continue;
    picked_.push_back(candidate);
    ++zone.taken;
  }
}

}  // namespace

PartitionMap::PartitionMap(const Topology& topology)
    : partition_count_(topology.partitions), node_count_(topology.nodes.size()) {
  Assigner assigner(topology);
  replication_ = assigner.replication();
  owners_ = assigner.Run();
}

}  // namespace shoal
