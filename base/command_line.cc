#include "base/command_line.h"

#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/version.h"

namespace shoal {
namespace {

// When args[*i] is the flag `name`, sets *value from "--name=VALUE" or from the argument after it,
// and returns true.
absl::StatusOr<bool> TakeValue(absl::Span<const char* const> args, absl::string_view name,
                               size_t* i, absl::string_view* value) {
  absl::string_view arg = args[*i];
  if (arg.substr(0, name.size()) != name) return false;
  arg.remove_prefix(name.size());
  if (!arg.empty()) {
    if (arg.front() != '=') return false;
    *value = arg.substr(1);
  } else {
    if (*i + 1 == args.size()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    }
    *value = args[++*i];
  }
  if (value->empty()) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
  return true;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(absl::Span<const char* const> args) {
  CommandLine command_line;
  for (size_t i = 0; i < args.size(); ++i) {
    const absl::string_view arg = args[i];
    if (arg == "--help" || arg == "-h") {
      command_line.help = true;
      continue;
    }
    if (arg == "--version") {
      command_line.version = true;
      continue;
    }
    if (arg == "--check-config") {
      command_line.check_config = true;
      continue;
    }
    absl::string_view value;
    absl::StatusOr<bool> taken = TakeValue(args, "--config", &i, &value);
    if (!taken.ok()) return taken.status();
    if (*taken) {
      if (!command_line.config_path.empty()) {
        return absl::InvalidArgumentError("--config is given twice");
      }
      command_line.config_path = std::string(value);
      continue;
    }
    taken = TakeValue(args, "--set", &i, &value);
    if (!taken.ok()) return taken.status();
    if (*taken) {
      const size_t equals = value.find('=');
      if (equals == absl::string_view::npos || equals == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("--set needs section.key=value, not \"", value, "\""));
      }
      command_line.overrides.emplace_back(value);
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat("unknown argument \"", arg, "\""));
  }
  if (command_line.config_path.empty() && !command_line.help && !command_line.version) {
    return absl::InvalidArgumentError("--config FILE is required");
  }
  return command_line;
}

std::string CommandLineHelp(absl::string_view program, absl::string_view purpose) {
  return absl::StrCat(
      "Usage: ", program, " --config FILE [--set SECTION.KEY=VALUE]... [--check-config]\n\n",
      purpose,
      "\n\n"
      "  --config FILE            settings (TOML); docs/configuration.md lists every key\n"
      "  --set SECTION.KEY=VALUE  a setting that overrides the file's; may be repeated\n"
      "  --check-config           reads and checks all settings, starts nothing\n"
      "  --help                   this text\n"
      "  --version                the version\n\n"
      "Exit code: 0 after a clean stop, 1 for wrong settings or a failed start, 2 for a wrong "
      "command\n"
      "line. SIGTERM and SIGINT stop it cleanly.\n");
}

std::optional<int> HandleCommandLine(absl::string_view program, absl::string_view purpose, int argc,
                                     const char* const* argv, CommandLine* command_line) {
  const absl::Span<const char* const> args(argv + (argc > 0 ? 1 : 0), argc > 0 ? argc - 1 : 0);
  absl::StatusOr<CommandLine> parsed = ParseCommandLine(args);
  if (!parsed.ok()) {
    const std::string text =
        absl::StrCat(program, ": ", parsed.status().message(), "\nTry \"", program, " --help\".\n");
    std::fputs(text.c_str(), stderr);
    return kExitUsage;
  }
  if (parsed->help) {
    std::fputs(CommandLineHelp(program, purpose).c_str(), stdout);
    return kExitOk;
  }
  if (parsed->version) {
    std::fputs(absl::StrCat(program, " ", Version(), "\n").c_str(), stdout);
    return kExitOk;
  }
  *command_line = *std::move(parsed);
  return std::nullopt;
}

}  // namespace shoal
