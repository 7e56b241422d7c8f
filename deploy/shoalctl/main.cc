// shoalctl: looks at a cluster and at data directories.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/logging.h"
#include "base/version.h"
#include "deploy/shoalctl/commands.h"

namespace shoal {
namespace {

constexpr char kHelp[] =
    "Usage: shoalctl COMMAND [OPTIONS]\n"
    "\n"
    "  status  --topology FILE                 every node: state, series, points, cache, log, "
    "disk\n"
    "  whereis --topology FILE NAME...         the partition of a metric name and the nodes that "
    "own it\n"
    "  stats   --topology FILE [NODE...]       series, points and bytes per schema and per prefix\n"
    "  stats   --data DIR                      the same for the directory of a stopped node\n"
    "          [--depth NODES] [--prefixes N]  of the names that make a prefix (1); how many "
    "(100)\n"
    "  flush   --topology FILE [NODE...]       writes what the nodes hold in memory to their ring "
    "files\n"
    "  delete  --topology FILE PATTERN [NODE...] [--dry-run]\n"
    "                                          removes the series that match, with their points\n"
    "  verify  --data DIR                      checks every page of a stopped node; changes "
    "nothing\n"
    "  dump    --wal DIR [--limit RECORDS]     the records of a log (DIR is a node's wal folder)\n"
    "  dump    --spool DIR [--limit RECORDS]   a router's spool for one node (SPOOL/NODE/log)\n"
    "  dump    --file FILE                     a ring file's header and slots, journal.dw, "
    "rolled-until, CHECKPOINT\n"
    "  dump    --page FILE:INDEX:SLOT          one page of a ring file: INDEX is the stripe's "
    "place in the file\n"
    "  --help, --version\n"
    "\n"
    "verify and dump refuse to run while a node uses the directory.\n"
    "Exit code: 0 all is well, 1 a node is not up, a check failed or the command could not run, 2 "
    "wrong command line.\n";

int Main(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string command = args.empty() ? "" : args[0];
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(kHelp, stdout);
    return kExitOk;
  }
  if (command == "--version") {
    std::puts(absl::StrCat("shoalctl ", Version()).c_str());
    return kExitOk;
  }
  // Standard output has the results; of the log only errors matter here.
  SetLogLevel("error").IgnoreError();
  const std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
  absl::StatusOr<int> result = absl::InvalidArgumentError(
      command.empty() ? "a command is missing" : absl::StrCat("unknown command \"", command, "\""));
  if (command == "status") result = StatusCommand(rest);
  if (command == "whereis") result = WhereisCommand(rest);
  if (command == "stats") result = StatsCommand(rest);
  if (command == "delete") result = DeleteCommand(rest);
  if (command == "flush") result = FlushCommand(rest);
  if (command == "verify") result = VerifyCommand(rest);
  if (command == "dump") result = DumpCommand(rest);
  if (result.ok()) return *result;
  std::fflush(stdout);
  const bool usage = absl::IsInvalidArgument(result.status());
  std::fputs(absl::StrCat("shoalctl: ", result.status().message(), "\n",
                          usage ? "Try \"shoalctl --help\".\n" : "")
                 .c_str(),
             stderr);
  return usage ? kExitUsage : kExitFailure;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) { return shoal::Main(argc, argv); }
