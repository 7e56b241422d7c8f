// The commands of shoalctl. Each prints to standard output and returns the exit code, or an error
// for standard error.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// The arguments of one command: "--name VALUE" and "--name=VALUE", and what is left.
class CommandArgs {
 public:
  // `known` lists the options that the command takes with a value, `flags` those without.
  // InvalidArgument names what is wrong.
  static absl::StatusOr<CommandArgs> Parse(const std::vector<std::string>& args,
                                           const std::vector<std::string>& known,
                                           const std::vector<std::string>& flags = {});

  // Empty when absent.
  const std::string& Get(absl::string_view option) const;
  bool Has(absl::string_view option) const { return !Get(option).empty(); }
  absl::StatusOr<std::string> Require(absl::string_view option) const;
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> rest_;
};

absl::StatusOr<int> StatusCommand(const std::vector<std::string>& args);
absl::StatusOr<int> StatsCommand(const std::vector<std::string>& args);
absl::StatusOr<int> DeleteCommand(const std::vector<std::string>& args);
absl::StatusOr<int> FlushCommand(const std::vector<std::string>& args);
absl::StatusOr<int> WhereisCommand(const std::vector<std::string>& args);
absl::StatusOr<int> VerifyCommand(const std::vector<std::string>& args);
absl::StatusOr<int> DumpCommand(const std::vector<std::string>& args);

}  // namespace shoal
