#include <algorithm>

#include "absl/strings/str_cat.h"
#include "deploy/shoalctl/commands.h"

namespace shoal {

absl::StatusOr<CommandArgs> CommandArgs::Parse(const std::vector<std::string>& args,
                                               const std::vector<std::string>& known,
                                               const std::vector<std::string>& flags) {
  CommandArgs parsed;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].compare(0, 2, "--") != 0) {
      parsed.rest_.push_back(args[i]);
      continue;
    }
    const size_t equals = args[i].find('=');
    const std::string name = args[i].substr(0, equals);
    if (std::find(known.begin(), known.end(), name) == known.end() &&
        std::find(flags.begin(), flags.end(), name) == flags.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown option \"", name, "\""));
    }
    if (std::find(flags.begin(), flags.end(), name) != flags.end()) {
      if (equals != std::string::npos) {
        return absl::InvalidArgumentError(absl::StrCat(name, " takes no value"));
      }
      parsed.options_.emplace_back(name, "yes");
      continue;
    }
    std::string value;
    if (equals != std::string::npos) {
      value = args[i].substr(equals + 1);
    } else if (i + 1 < args.size()) {
      value = args[++i];
    }
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    parsed.options_.emplace_back(name, value);
  }
  return parsed;
}

const std::string& CommandArgs::Get(absl::string_view option) const {
  static const std::string* const absent = new std::string();
  for (const auto& [name, value] : options_) {
    if (name == option) return value;
  }
  return *absent;
}

absl::StatusOr<std::string> CommandArgs::Require(absl::string_view option) const {
  const std::string& value = Get(option);
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(option, " is required"));
  return value;
}

}  // namespace shoal
