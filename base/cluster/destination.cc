#include "base/cluster/destination.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr size_t kHostBytesMax = 255;
constexpr size_t kInstanceBytesMax = 255;

bool IsWord(absl::string_view text, absl::string_view extra) {
  return std::all_of(text.begin(), text.end(), [extra](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-._+").find(c) != absl::string_view::npos ||
           extra.find(c) != absl::string_view::npos;
  });
}

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

}  // namespace

absl::StatusOr<Destination> ParseDestination(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  const auto error = [text](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(
        "destination \"", text.substr(0, 200), "\": ", what, " (HOST:PORT or HOST:PORT:INSTANCE)"));
  };
  Destination destination;
  const bool bracketed = !rest.empty() && rest.front() == '[';
  const size_t host_end = bracketed ? rest.find("]:") : rest.find(':');
  if (host_end == absl::string_view::npos) return error("no port");
  const absl::string_view host =
      bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  if (host.empty() || host.size() > kHostBytesMax || !IsWord(host, bracketed ? ":%" : "")) {
    return error("not a host name or address");
  }
  rest.remove_prefix(host_end + (bracketed ? 2 : 1));

  const size_t colon = rest.find(':');
  const absl::string_view port = rest.substr(0, colon);
  uint32_t number = 0;
  if (!AllDigits(port) || !absl::SimpleAtoi(port, &number) || number == 0 || number > 65535) {
    return error("the port must be a number from 1 to 65535");
  }
  if (colon != absl::string_view::npos) {
    const absl::string_view instance = rest.substr(colon + 1);
    if (instance.empty() || instance.size() > kInstanceBytesMax || !IsWord(instance, "")) {
      return error("not an instance name");
    }
    destination.instance = std::string(instance);
  }
  destination.host = std::string(host);
  destination.port = static_cast<uint16_t>(number);
  return destination;
}

std::string DestinationText(const Destination& destination) {
  const bool bracketed = destination.host.find(':') != std::string::npos;
  return absl::StrCat(bracketed ? "[" : "", destination.host, bracketed ? "]:" : ":",
                      destination.port, destination.instance ? ":" : "",
                      destination.instance.value_or(""));
}

}  // namespace shoal
