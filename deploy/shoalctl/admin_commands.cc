// flush, delete: what nodes do when they are told to.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/topology.h"
#include "base/command_line.h"
#include "base/metric/glob.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "deploy/shoalctl/commands.h"
#include "deploy/shoalctl/node_admin.h"
#include "deploy/shoalctl/report_text.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kFlushTimeout(600);
constexpr std::chrono::seconds kDeleteTimeout(600);
constexpr uint32_t kNamesShown = 20;
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

absl::StatusOr<int> DeleteCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(const CommandArgs parsed,
                         CommandArgs::Parse(args, {"--topology"}, {"--dry-run"}));
  SHOAL_ASSIGN_OR_RETURN(const std::string path, parsed.Require("--topology"));
  if (parsed.rest().empty()) return absl::InvalidArgumentError("delete needs a pattern");
  const std::string& pattern = parsed.rest().front();
  SHOAL_RETURN_IF_ERROR(Glob::Compile(pattern).status());
  SHOAL_ASSIGN_OR_RETURN(const Topology topology, LoadTopology(path));
  SHOAL_ASSIGN_OR_RETURN(const std::vector<TopologyNode> nodes,
                         ChosenNodes(topology, {parsed.rest().begin() + 1, parsed.rest().end()}));
  const bool dry_run = parsed.Has("--dry-run");
  int exit_code = kExitOk;
  for (const TopologyNode& node : nodes) {
    const absl::StatusOr<NodeAdmin::Deleted> deleted =
        MakeNodeAdmin(node.name, node.address)
            ->DeleteSeries(pattern, dry_run, kNamesShown, kDeleteTimeout);
    if (!deleted.ok()) {
      std::printf("%s\n", std::string(deleted.status().message()).c_str());
      exit_code = kExitFailure;
      continue;
    }
    std::printf("%s: %llu series %s\n", node.name.c_str(),
                static_cast<unsigned long long>(deleted->series), dry_run ? "match" : "deleted");
    for (const std::string& name : deleted->names) std::printf("  %s\n", name.c_str());
    if (deleted->series > deleted->names.size()) std::puts("  ...");
  }
  return exit_code;
}

}  // namespace shoal
