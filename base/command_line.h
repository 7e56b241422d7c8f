// The command line that both daemons share: --config FILE, --set section.key=value, --check-config,
// --help, --version.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace shoal {

// Exit codes of every program of ours. Scripts depend on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // wrong configuration, or what the program had to do failed
inline constexpr int kExitUsage = 2;    // wrong command line

struct CommandLine {
  std::string config_path;
  std::vector<std::string> overrides;  // "section.key=value", in order
  bool check_config = false;
  bool help = false;
  bool version = false;
};

// `args` are without the program's name. Values may follow as "--config=FILE" or "--config FILE".
// InvalidArgument names the argument that is wrong; --config is required unless --help or --version
// is given.
absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const char* const> args);

// What --help prints. `purpose` is one sentence.
std::string CommandLineHelp(absl::string_view program, absl::string_view purpose);

// The whole dialogue for main(): parses, answers --help and --version on standard output and errors
// on standard error. Returns the exit code when the process is to end now, nothing when it is to
// run with *command_line.
std::optional<int> HandleCommandLine(absl::string_view program, absl::string_view purpose, int argc,
                                     const char* const* argv, CommandLine* command_line);

}  // namespace shoal
