// shoal-router: takes points in, sends them to the nodes, answers queries.
#include <signal.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/logging.h"
#include "base/stop_signals.h"
#include "router/router_config.h"
#include "router/router_server.h"

namespace shoal {
namespace {

constexpr char kProgram[] = "shoal-router";
constexpr char kPurpose[] =
    "A router of a Shoal cluster: takes points from senders, forwards them to the nodes that own "
    "them, and answers Graphite's HTTP API.";

int Fail(const absl::Status& status) {
  std::fputs(absl::StrCat(kProgram, ": ", status.message(), "\n").c_str(), stderr);
  return kExitFailure;
}

int Main(int argc, char** argv) {
  CommandLine command_line;
  if (std::optional<int> exit_code =
          HandleCommandLine(kProgram, kPurpose, argc, argv, &command_line)) {
    return *exit_code;
  }
  absl::StatusOr<RouterConfig> config = LoadRouterConfig(command_line);
  if (!config.ok()) return Fail(config.status());
  if (command_line.check_config) {
    std::fputs("the configuration is good\n", stdout);
    return kExitOk;
  }
  if (const absl::Status status = SetLogLevel(config->log_level); !status.ok()) return Fail(status);

  // A signal during the start waits for sigwait below.
  const sigset_t signals = BlockStopSignals();
  RouterServer server(*std::move(config));
  if (const absl::Status status = server.Init(); !status.ok()) return Fail(status);
  if (const absl::Status status = server.Start(); !status.ok()) return Fail(status);
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  LogInfo(kProgram, "signal ", signal_number, ": stopping");
  server.Shutdown();
  LogInfo(kProgram, "stopped");
  return kExitOk;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) { return shoal::Main(argc, argv); }
