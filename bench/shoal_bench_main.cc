// shoal-bench: load and query generator for any server that speaks Graphite's protocols.

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "bench/load.h"
#include "bench/node_load.h"
#include "bench/query_load.h"

namespace shoal {
namespace {

constexpr char kHelp[] =
    R"(Usage: shoal-bench load [options]        send series over the line protocol, time the acknowledgements
       shoal-bench node [options]        writes to one node as a router does, times the acknowledgements
       shoal-bench query [options] URL...  ask URLs over and over, time the answers
       shoal-bench --help | --version

load:   --to HOST:PORT (127.0.0.1:2003)  --series N (10000)  --points N (60, per series)  --step SECONDS (10)
        --connections N (2)  --rate POINTS_PER_SECOND (0: as fast as it goes)  --batch POINTS (10000, then the
        connection is closed and so acknowledged)  --until UNIX_SECONDS (of the newest points; 0: now)
        --prefix TEXT (bench)  --seed N (1)  --json
node:   --to HOST:PORT (127.0.0.1:7401)  --cluster NAME  --node NAME  --series N (10000)  --points N (60, per series)
        --step SECONDS (10)  --batch POINTS (16384)  --window BATCHES (64, not acknowledged yet)
        --until UNIX_SECONDS (0: now)  --prefix TEXT (bench)  --seed N (1)  --json
query:  --clients N (1)  --requests N (1000)  --warmup N (50, of each client)  --json
)";

// Options that take a value, by name; what is left over are positional arguments.
struct OptionTable {
  std::vector<std::pair<std::string, int64_t*>> integers;
  std::vector<std::pair<std::string, std::string*>> texts;
  std::vector<std::pair<std::string, bool*>> flags;

  absl::Status Parse(const std::vector<std::string>& args,
                     std::vector<std::string>* positional) const {
    for (size_t i = 0; i < args.size(); ++i) {
      const std::string& arg = args[i];
      if (arg.rfind("--", 0) != 0) {
        positional->push_back(arg);
        continue;
      }
      bool known = false;
      for (const auto& [name, flag] : flags) {
        if (arg == name) known = *flag = true;
      }
      if (known) continue;
      auto value = [&]() -> absl::StatusOr<std::string> {
        if (i + 1 >= args.size())
          return absl::InvalidArgumentError(absl::StrCat(arg, " needs a value"));
        return args[++i];
      };
      for (const auto& [name, text] : texts) {
        if (arg != name) continue;
        SHOAL_ASSIGN_OR_RETURN(*text, value());
        known = true;
      }
      for (const auto& [name, number] : integers) {
        if (arg != name) continue;
        SHOAL_ASSIGN_OR_RETURN(const std::string text, value());
        if (!absl::SimpleAtoi(text, number) || *number < 0) {
          return absl::InvalidArgumentError(
              absl::StrCat(arg, ": '", text, "' is not a number of 0 or more"));
        }
        known = true;
      }
      if (!known) return absl::InvalidArgumentError(absl::StrCat("unknown option ", arg));
    }
    return absl::OkStatus();
  }
};

absl::Status ParseLoad(const std::vector<std::string>& args, LoadOptions* options) {
  int64_t seed = 1;
  std::vector<std::string> positional;
  const OptionTable table = {{{"--series", &options->series},
                              {"--points", &options->points},
                              {"--step", &options->step_sec},
                              {"--connections", &options->connections},
                              {"--rate", &options->rate},
                              {"--batch", &options->batch_points},
                              {"--until", &options->until_sec},
                              {"--seed", &seed}},
                             {{"--to", &options->to}, {"--prefix", &options->prefix}},
                             {{"--json", &options->json}}};
  SHOAL_RETURN_IF_ERROR(table.Parse(args, &positional));
  options->seed = static_cast<uint64_t>(seed);
  if (!positional.empty())
    return absl::InvalidArgumentError(absl::StrCat("unexpected '", positional[0], "'"));
  if (options->series < 1 || options->points < 1 || options->step_sec < 1 ||
      options->connections < 1 || options->batch_points < 1) {
    return absl::InvalidArgumentError(
        "--series, --points, --step, --connections and --batch must be at least 1");
  }
  return absl::OkStatus();
}

absl::Status ParseNode(const std::vector<std::string>& args, NodeLoadOptions* options) {
  int64_t seed = 1;
  std::vector<std::string> positional;
  const OptionTable table = {{{"--series", &options->series},
                              {"--points", &options->points},
                              {"--step", &options->step_sec},
                              {"--batch", &options->batch_points},
                              {"--window", &options->window_batches},
                              {"--until", &options->until_sec},
                              {"--seed", &seed}},
                             {{"--to", &options->to},
                              {"--cluster", &options->cluster},
                              {"--node", &options->node},
                              {"--prefix", &options->prefix}},
                             {{"--json", &options->json}}};
  SHOAL_RETURN_IF_ERROR(table.Parse(args, &positional));
  options->seed = static_cast<uint64_t>(seed);
  if (!positional.empty())
    return absl::InvalidArgumentError(absl::StrCat("unexpected '", positional[0], "'"));
  if (options->cluster.empty() || options->node.empty()) {
    return absl::InvalidArgumentError("node needs --cluster and --node, as in the topology");
  }
  if (options->series < 1 || options->points < 1 || options->step_sec < 1 ||
      options->window_batches < 1 || options->batch_points < 1) {
    return absl::InvalidArgumentError(
        "--series, --points, --step, --window and --batch must be at least 1");
  }
  return absl::OkStatus();
}

absl::Status ParseQuery(const std::vector<std::string>& args, QueryLoadOptions* options) {
  const OptionTable table = {{{"--clients", &options->clients},
                              {"--requests", &options->requests},
                              {"--warmup", &options->warmup}},
                             {},
                             {{"--json", &options->json}}};
  SHOAL_RETURN_IF_ERROR(table.Parse(args, &options->urls));
  if (options->urls.empty()) return absl::InvalidArgumentError("query needs a URL");
  if (options->clients < 1) return absl::InvalidArgumentError("--clients must be at least 1");
  return absl::OkStatus();
}

int Usage(const absl::Status& status) {
  std::fprintf(stderr, "shoal-bench: %s\n%s", std::string(status.message()).c_str(), kHelp);
  return kExitUsage;
}

int Main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty()) return Usage(absl::InvalidArgumentError("no command given"));
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") {
      std::fputs(kHelp, stdout);
      return kExitOk;
    }
  }
  if (args[0] == "--version") {
    std::printf("shoal-bench %s\n", Version());
    return kExitOk;
  }
  const std::string command = args[0];
  args.erase(args.begin());
  absl::Status status;
  if (command == "load") {
    LoadOptions options;
    if (status = ParseLoad(args, &options); !status.ok()) return Usage(status);
    status = RunLoad(options);
  } else if (command == "node") {
    NodeLoadOptions options;
    if (status = ParseNode(args, &options); !status.ok()) return Usage(status);
    status = RunNodeLoad(options);
  } else if (command == "query") {
    QueryLoadOptions options;
    if (status = ParseQuery(args, &options); !status.ok()) return Usage(status);
    status = RunQueryLoad(options);
  } else {
    return Usage(absl::InvalidArgumentError(absl::StrCat("unknown command '", command, "'")));
  }
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "shoal-bench: %s\n", status.ToString().c_str());
  return kExitFailure;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) { return shoal::Main(argc, argv); }
