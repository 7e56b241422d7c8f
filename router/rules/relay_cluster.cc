#include "router/rules/relay_cluster.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Indexes of members are 16 bits wide.
constexpr size_t kMembersMax = 1000;

absl::Status ClusterError(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("cluster ", name, ": ", what));
}

}  // namespace

RelayCluster RelayCluster::Shoal(std::string name) {
  return RelayCluster(std::move(name), ClusterKind::kShoal, {});
}

absl::StatusOr<RelayCluster> RelayCluster::Forward(std::string name,
                                                   std::vector<Destination> members) {
  return Plain(std::move(name), ClusterKind::kForward, std::move(members));
}
absl::StatusOr<RelayCluster> RelayCluster::AnyOf(std::string name,
                                                 std::vector<Destination> members) {
  return Plain(std::move(name), ClusterKind::kAnyOf, std::move(members));
}
absl::StatusOr<RelayCluster> RelayCluster::Failover(std::string name,
                                                    std::vector<Destination> members) {
  return Plain(std::move(name), ClusterKind::kFailover, std::move(members));
}

absl::StatusOr<RelayCluster> RelayCluster::Plain(std::string name, ClusterKind kind,
                                                 std::vector<Destination> members) {
  if (members.empty()) return ClusterError(name, "no destinations");
  if (members.size() > kMembersMax) {
    return ClusterError(
        name, absl::StrCat(members.size(), " destinations, at most ", kMembersMax, " are taken"));
  }
  return RelayCluster(std::move(name), kind, std::move(members));
}

absl::StatusOr<RelayCluster> RelayCluster::Ring(std::string name, RingKind kind,
                                                std::vector<Destination> members,
                                                size_t replication, HashRing::Options options) {
  if (replication < 1 || replication > members.size() || replication > HashRing::kOwnersMax) {
    return ClusterError(
        name, absl::StrCat("replication ", replication, " with ", members.size(), " destinations"));
  }
  auto ring = HashRing::Build(kind, std::move(members), options);
  if (!ring.ok()) return ClusterError(name, ring.status().message());
  RelayCluster cluster(std::move(name), ClusterKind::kRing, {});
  cluster.ring_ = std::move(ring).value();
  cluster.replication_ = replication;
  return cluster;
}

const std::vector<Destination>& RelayCluster::members() const {
  return ring_ ? ring_->nodes() : members_;
}

size_t RelayCluster::candidates() const { return ring_ ? replication_ : members_.size(); }

size_t RelayCluster::Find(absl::string_view key, absl::Span<uint16_t> found) const {
  if (ring_) return ring_->Find(key, found.subspan(0, replication_));
  const size_t count = std::min(found.size(), members_.size());
  if (kind_ != ClusterKind::kAnyOf || count == 0) {
    std::iota(found.begin(), found.begin() + static_cast<ptrdiff_t>(count), 0);
    return count;
  }
  // carbon-c-relay's choice first; then the others from a place that the rest of the hash picks, so
  // that what one member cannot take spreads evenly over them.
  const uint32_t hash = Fnv1a32(key);
  const auto members = static_cast<uint32_t>(members_.size());
  const uint32_t first = hash % members;
  found[0] = static_cast<uint16_t>(first);
  if (members == 1) return 1;
  const uint32_t offset = hash / members % (members - 1);
  for (uint32_t i = 1; i < count; ++i) {
    const uint32_t step = 1 + (offset + i - 1) % (members - 1);
    found[i] = static_cast<uint16_t>((first + step) % members);
  }
  return count;
}

std::string RelayCluster::Description() const {
  const char* const suffix = use_all_addresses_ ? " useall" : "";
  switch (kind_) {
    case ClusterKind::kForward:
      return absl::StrCat("forward", suffix);
    case ClusterKind::kAnyOf:
      return absl::StrCat("any_of", suffix);
    case ClusterKind::kFailover:
      return absl::StrCat("failover", suffix);
    case ClusterKind::kShoal:
      return "a Shoal cluster";
    case ClusterKind::kRing:
      break;
  }
  return absl::StrCat(RingKindName(ring_->kind()), ", replication ", replication_,
                      dynamic_ ? ", dynamic" : "");
}

}  // namespace shoal
