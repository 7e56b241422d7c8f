// A named group of destinations that rules send to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/cluster/destination.h"
#include "base/cluster/hash_ring.h"

namespace shoal {

enum class ClusterKind : uint8_t {
  kForward,   // every destination gets every point
  kAnyOf,     // one that the name's hash picks, another one while that is down
  kFailover,  // the first that is up
  kRing,      // the owners of the name
  kShoal,     // a Shoal cluster: its partition map decides, there are no destinations here
};

// Immutable, thread safe.
class RelayCluster {
 public:
  static RelayCluster Shoal(std::string name);
  static absl::StatusOr<RelayCluster> Forward(std::string name, std::vector<Destination> members);
  static absl::StatusOr<RelayCluster> AnyOf(std::string name, std::vector<Destination> members);
  static absl::StatusOr<RelayCluster> Failover(std::string name, std::vector<Destination> members);
  // InvalidArgument also for more copies than members.
  static absl::StatusOr<RelayCluster> Ring(std::string name, RingKind kind,
                                           std::vector<Destination> members, size_t replication,
                                           HashRing::Options options);

  const std::string& name() const { return name_; }
  ClusterKind kind() const { return kind_; }
  const std::vector<Destination>& members() const;

  // The members for `key`, best first, as indexes into members(); returns how many were set. Points
  // go to all of them, or where FirstUp() to the first that is up, to the first of all when none
  // is. `found` should have room for candidates(). Does not allocate.
  size_t Find(absl::string_view key, absl::Span<uint16_t> found) const;
  size_t candidates() const;
  bool FirstUp() const { return kind_ == ClusterKind::kAnyOf || kind_ == ClusterKind::kFailover; }

  // carbon-c-relay's "dynamic": what a ring's member cannot take may go to any other one.
  void set_dynamic(bool dynamic) { dynamic_ = dynamic; }
  bool dynamic() const { return dynamic_; }
  // Its "useall": every address of a member's host name is a destination of its own.
  void set_use_all_addresses(bool use_all) { use_all_addresses_ = use_all; }
  bool use_all_addresses() const { return use_all_addresses_; }

  // "carbon_ch, replication 2", "any_of", ...
  std::string Description() const;

 private:
  RelayCluster(std::string name, ClusterKind kind, std::vector<Destination> members)
      : name_(std::move(name)), kind_(kind), members_(std::move(members)) {}
  static absl::StatusOr<RelayCluster> Plain(std::string name, ClusterKind kind,
                                            std::vector<Destination> members);

  std::string name_;
  ClusterKind kind_;
  std::vector<Destination> members_;  // of all kinds but kRing
  std::optional<HashRing> ring_;
  size_t replication_ = 1;
  bool dynamic_ = false;
  bool use_all_addresses_ = false;
};

}  // namespace shoal
