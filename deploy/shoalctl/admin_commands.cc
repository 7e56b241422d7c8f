// flush: what nodes do when they are told to.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/topology.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "deploy/shoalctl/commands.h"
#include "deploy/shoalctl/node_admin.h"
#include "deploy/shoalctl/report_text.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kFlushTimeout(600);
constexpr int kNodesAtOnce = 16;

}  // namespace

absl::StatusOr<int> FlushCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(const CommandArgs parsed,
                         CommandArgs::Parse(args, {"--topology"}, {"--all-rollups"}));
  SHOAL_ASSIGN_OR_RETURN(const std::string path, parsed.Require("--topology"));
  SHOAL_ASSIGN_OR_RETURN(const Topology topology, LoadTopology(path));
  SHOAL_ASSIGN_OR_RETURN(const std::vector<TopologyNode> nodes,
                         ChosenNodes(topology, parsed.rest()));
  const bool all_rollups = parsed.Has("--all-rollups");
  std::vector<absl::StatusOr<std::chrono::milliseconds>> answers(nodes.size(),
                                                                 absl::UnknownError("not asked"));
  {
    ThreadPool pool("flush", kNodesAtOnce, nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      pool.Submit([all_rollups, &node = nodes[i], &answer = answers[i]] {
        answer = MakeNodeAdmin(node.name, node.address)->Flush(all_rollups, kFlushTimeout);
      });
    }
  }  // waits
  int exit_code = kExitOk;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (answers[i].ok()) {
      std::printf("%s: flushed in %lld ms\n", nodes[i].name.c_str(),
                  static_cast<long long>(answers[i]->count()));
    } else {
      std::printf("%s\n", std::string(answers[i].status().message()).c_str());
      exit_code = kExitFailure;
    }
  }
  return exit_code;
}

}  // namespace shoal
