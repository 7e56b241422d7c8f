// shoal-node: one storage node.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/logging.h"
#include "base/stop_signals.h"
#include "base/thread_pool.h"
#include "node/node_config.h"
#include "node/node_server.h"

namespace shoal {
namespace {

constexpr char kProgram[] = "shoal-node";
constexpr char kPurpose[] =
    "A storage node of a Shoal cluster: takes points from routers, keeps them, answers queries.";

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
  absl::StatusOr<NodeConfig> config = LoadNodeConfig(command_line);
  if (!config.ok()) return Fail(config.status());
  if (command_line.check_config) {
    std::fputs("the configuration is good\n", stdout);
    return kExitOk;
  }
  if (const absl::Status status = SetLogLevel(config->log_level); !status.ok()) return Fail(status);

  const sigset_t signals = BlockStopSignals();
  std::atomic<bool> serving{false};
  std::thread stopper([&signals, &serving] {
    SetThreadName("signals");
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    if (!serving.load()) {
      // Recovery may take long and nothing is lost by dying in it: it starts again from the same
      // log.
      LogWarning(kProgram, "signal ", signal_number, " during the start: ending at once");
      _exit(kExitOk);
    }
    LogInfo(kProgram, "signal ", signal_number, ": stopping");
  });

  NodeServer server(*std::move(config));
  if (const absl::Status status = server.Start(); !status.ok()) {
    // The stopper still waits for a signal; leaving through exit() would join it.
    const int exit_code = Fail(status);
    const absl::Status stopped = server.Stop();
    if (!stopped.ok()) LogError(kProgram, "stop: ", stopped.ToString());
    std::fflush(nullptr);
    _exit(exit_code);
  }
  serving.store(true);
  stopper.join();
  if (const absl::Status status = server.Stop(); !status.ok()) return Fail(status);
  LogInfo(kProgram, "stopped");
  return kExitOk;
}

}  // namespace
}  // namespace shoal

int main(int argc, char** argv) { return shoal::Main(argc, argv); }
