#include "base/cluster/topology.h"

#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/carbon_ini.h"
#include "base/config.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr NodeState kStates[] = {NodeState::kJoining, NodeState::kActive, NodeState::kLeaving,
                                 NodeState::kDown};
constexpr size_t kNodesMax =
    std::numeric_limits<uint16_t>::max();  // PartitionMap numbers them in 16 bits
constexpr int64_t kPartitionsMax = 1 << 20;
constexpr int64_t kReplicationMax = 16;
// Far enough apart for any two machines, near enough for the arithmetic of shares.
constexpr double kWeightMin = 0.001;
constexpr double kWeightMax = 1e6;

// Names become parts of file names and of metric labels.
bool IsPlainName(absl::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '.') return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') {
      return false;
    }
  }
  return true;
}
constexpr absl::string_view kPlainNameRule =
    "must be 1 to 64 of the characters A-Z a-z 0-9 - _ . and not begin with '.'";

// Reads one file; remembers whose each name and address is.
class Reader {
 public:
  explicit Reader(Config config) : config_(std::move(config)) {}

  absl::StatusOr<Topology> Read() {
    Topology topology;
    config_.Require("cluster");
    GetPlainName("cluster", &topology.cluster);
    config_.GetInt("epoch", &topology.epoch, 1, std::numeric_limits<int64_t>::max());
    int64_t partitions = topology.partitions;
    config_.GetInt("partitions", &partitions, 1, kPartitionsMax);
    topology.partitions = static_cast<uint32_t>(partitions);
    int64_t replication = topology.replication;
    config_.GetInt("replication", &replication, 1, kReplicationMax);
    topology.replication = static_cast<int>(replication);

    const size_t count = config_.TableCount("node");
    if (count == 0) config_.Fail("node", "no nodes: each is a table headed [[node]]");
    if (count > kNodesMax) config_.Fail("node", absl::StrCat("more than ", kNodesMax, " nodes"));
    int64_t owners = 0;
    for (size_t i = 0; i < count && i < kNodesMax; ++i) {
      topology.nodes.push_back(ReadNode(absl::StrCat("node.", i)));
      if (topology.nodes.back().state != NodeState::kJoining) ++owners;
    }
    if (replication > owners) {
      config_.Fail("replication", absl::StrCat("is ", replication, ", but only ", owners,
                                               " nodes hold data (joining nodes do not yet)"));
    }
    SHOAL_RETURN_IF_ERROR(config_.Finish());
    return topology;
  }

 private:
  TopologyNode ReadNode(const std::string& prefix) {
    TopologyNode node;
    const auto key = [&prefix](absl::string_view field) {
      return absl::StrCat(prefix, ".", field);
    };
    config_.Require(key("name"));
    GetPlainName(key("name"), &node.name);
    Claim(key("name"), node.name, "name");
    config_.Require(key("address"));
    GetAddress(key("address"), &node.address);
    GetAddress(key("http"), &node.http);
    GetPlainName(key("zone"), &node.zone);
    config_.GetDouble(key("weight"), &node.weight, kWeightMin, kWeightMax);
    std::string state = NodeStateName(node.state);
    config_.GetChoice(key("state"), &state, StateNames());
    for (const NodeState candidate : kStates) {
      if (state == NodeStateName(candidate)) node.state = candidate;
    }
    return node;
  }

  // Leaves an absent value empty.
  void GetPlainName(const std::string& key, std::string* value) {
    std::string given;
    bool was_set = config_.Has(key);
    config_.GetString(key, &given);
    if (was_set && !IsPlainName(given)) config_.Fail(key, kPlainNameRule);
    *value = std::move(given);
  }

  void GetAddress(const std::string& key, std::string* value) {
    config_.GetString(key, value);
    if (!config_.Has(key)) return;
    const auto parsed = ParseHostPort(*value);
    if (!parsed.ok()) {
      config_.Fail(key, parsed.status().message());
    } else if (parsed->port == 0) {
      config_.Fail(key, "a port of 0 cannot be called");
    }
    Claim(key, *value, "address");
  }

  // Fails when another key of the same kind has the value already.
  void Claim(const std::string& key, const std::string& value, absl::string_view kind) {
    const auto [claimed, is_new] = claims_.emplace(absl::StrCat(kind, " ", value), key);
    if (!is_new) {
      config_.Fail(key, absl::StrCat("\"", value, "\" is already ", claimed->second));
    }
  }

  static std::vector<std::string> StateNames() {
    std::vector<std::string> names;
    for (const NodeState state : kStates) names.push_back(NodeStateName(state));
    return names;
  }

  Config config_;
  absl::flat_hash_map<std::string, std::string> claims_;
};

}  // namespace

const char* NodeStateName(NodeState state) {
  switch (state) {
    case NodeState::kJoining:
      return "joining";
    case NodeState::kActive:
      return "active";
    case NodeState::kLeaving:
      return "leaving";
    case NodeState::kDown:
      return "down";
  }
  return "unknown";
}

absl::StatusOr<Topology> Topology::Parse(absl::string_view text, const std::string& file) {
  SHOAL_ASSIGN_OR_RETURN(Config config, Config::Parse(text, file, {}));
  return Reader(std::move(config)).Read();
}

absl::StatusOr<Topology> Topology::Load(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return Parse(text, path);
}

}  // namespace shoal
